import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { StreamsBuilder } from '../dsl/streams-builder.ts';
import { TopologyError } from '../errors.ts';
import type { Decompressors } from '../kafka/decompression.ts';
import { Topology } from '../plan/topology.ts';
import type { TracingOptions } from '../tracing/tracer.ts';
import type { FailureHandler, ProductionHandler } from './failure-handling.ts';
import { type Log, messageOf } from './log.ts';

/** An application whose topology is made where it runs: functions cannot be sent to another thread. */
export interface ModuleApplication {
  readonly applicationId: string;
  /**
   * A URL, or a path (a relative one counts from the working directory). The module exports `build(builder, data)`, or such a function as its
   * default, or a `topology`. It may also export, for the thread: `onFailure`, `onProductionError`, `log`; `decompress`, for all that the thread
   * reads; `tracing(data)`, which makes the TracingOptions; and `onClosed()`, which is awaited when all is committed, before the thread ends.
   */
  readonly module: URL | string;
  /** Second argument of `build`, copied by the structured clone algorithm. */
  readonly data?: unknown;
}

export interface LoadedApplication {
  readonly topology: Topology;
  readonly onFailure: FailureHandler | null;
  readonly onProductionError: ProductionHandler | null;
  readonly tracing: TracingOptions | null;
  readonly log: Log | null;
  readonly decompress: Decompressors | null;
  readonly onClosed: (() => unknown) | null;
}

/** As `import` takes it. */
export const moduleUrl = (module: URL | string): string =>
  module instanceof URL ? module.href : /^[a-z]{2,}:/.test(module) ? module : pathToFileURL(resolve(module)).href;

type Exports = Readonly<Record<string, unknown>>;

/** @throws TopologyError – the module cannot be loaded, or exports nothing that makes a topology; what `build` or `tracing` throws */
export async function loadApplication(url: string, data: unknown): Promise<LoadedApplication> {
  const exported = await load(url);
  const topology = await topologyOf(url, exported, data);
  // What a module exports under these names is documented to have these types; a wrong one shows at its first call.
  const { onFailure, onProductionError, tracing, log, decompress, onClosed } = exported as Partial<
    Omit<LoadedApplication, 'topology' | 'tracing'> & { tracing: (data: unknown) => Promise<TracingOptions> }
  >;
  return {
    topology,
    onFailure: onFailure ?? null,
    onProductionError: onProductionError ?? null,
    tracing: (await tracing?.(data)) ?? null,
    log: log ?? null,
    decompress: decompress ?? null,
    onClosed: onClosed ?? null,
  };
}

/** Nothing else of the module than its topology. @throws as `loadApplication` */
export async function loadTopology(url: string, data: unknown): Promise<Topology> {
  return topologyOf(url, await load(url), data);
}

const load = (url: string): Promise<Exports> =>
  import(url).catch((cause: unknown) => {
    throw new TopologyError(`${url} could not be loaded, so its application was not started: ${messageOf(cause)}`, {
      cause,
    });
  });

async function topologyOf(url: string, exported: Exports, data: unknown): Promise<Topology> {
  const { build = exported.default, topology } = exported;
  return topology instanceof Topology ? topology : built(url, build, data);
}

async function built(url: string, build: unknown, data: unknown): Promise<Topology> {
  if (typeof build !== 'function')
    throw new TopologyError(
      `${url} exports neither a function build(builder), also as its default, nor a topology; its application was not started`,
    );
  const builder = new StreamsBuilder();
  const made: unknown = await build(builder, data);
  return made instanceof Topology ? made : builder.build();
}
