import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { StreamsBuilder } from '../dsl/streams-builder.ts';
import { TopologyError } from '../errors.ts';
import { Topology } from '../plan/topology.ts';
import type { FailureHandler } from './failure-handling.ts';
import { type Log, messageOf } from './log.ts';

/** An application whose topology is made where it runs: functions cannot be sent to another thread. */
export interface ModuleApplication {
  readonly applicationId: string;
  /**
   * A URL, or a path (a relative one counts from the working directory). The module exports `build(builder, data)`, or such a function as its
   * default, or a `topology`; it may also export `onFailure` and `log`, which are called in the thread.
   */
  readonly module: URL | string;
  /** Second argument of `build`, copied by the structured clone algorithm. */
  readonly data?: unknown;
}

export interface LoadedApplication {
  readonly topology: Topology;
  readonly onFailure: FailureHandler | null;
  readonly log: Log | null;
}

/** As `import` takes it. */
export const moduleUrl = (module: URL | string): string =>
  module instanceof URL ? module.href : /^[a-z]{2,}:/.test(module) ? module : pathToFileURL(resolve(module)).href;

/** @throws TopologyError – the module cannot be loaded, or exports nothing that makes a topology; what `build` throws */
export async function loadApplication(url: string, data: unknown): Promise<LoadedApplication> {
  const exported: Readonly<Record<string, unknown>> = await import(url).catch((cause: unknown) => {
    throw new TopologyError(`${url} could not be loaded, so its application was not started: ${messageOf(cause)}`, {
      cause,
    });
  });
  const { build = exported.default, topology, onFailure, log } = exported;
  return {
    topology: topology instanceof Topology ? topology : await built(url, build, data),
    // What a module exports under these names is documented to have these types; a wrong one shows at its first call.
    onFailure: (onFailure as FailureHandler | undefined) ?? null,
    log: (log as Log | undefined) ?? null,
  };
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
