import type { TracingOptions } from '@bookstream/streams';
import type { Config } from './config.ts';
import type { Logger } from './logger.ts';
import type { TraceContext } from './trace.ts';

/** The work on one request, as a span of its trace. */
export interface ServerSpan {
  /** Its place in the trace: what the request causes belongs to it. */
  readonly trace: TraceContext;
  /** What it turned out to be; `name` as the semantic conventions want it, with few different ones. */
  is(name: string, attributes: Readonly<Record<string, string | number>>): void;
  /** @param failure what the shop did wrong; a refusal is none */
  end(failure?: string): void;
}

/** OpenTelemetry in this process. */
export interface Tracing {
  /** For the engine and the projections. */
  readonly engine: TracingOptions;
  /** Begins the work on a request. @param parent the place in a trace that it came with; null begins a trace, which is sampled by the ratio */
  serve(name: string, parent: TraceContext | null): ServerSpan;
  /** Sends what is left, for a while at most, and ends. Never rejects. */
  close(): Promise<void>;
}

/**
 * Begins to send spans to the collector that the environment names. Without one it is null, and nothing of OpenTelemetry is loaded. It does
 * not wait for the collector.
 */
export async function startTracing(
  service: string,
  { tracesUrl, tracesRatio, instance }: Pick<Config, 'tracesUrl' | 'tracesRatio' | 'instance'>,
  logger: Logger,
): Promise<Tracing | null> {
  if (tracesUrl === null) return null;
  const { exportingTracing } = await import('./open-telemetry.ts');
  return exportingTracing({ service, instance, url: tracesUrl, ratio: tracesRatio, logger });
}
