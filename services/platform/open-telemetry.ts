import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Logger } from './logger.ts';
import { ToldExporter } from './told-exporter.ts';
import type { TraceContext } from './trace.ts';
import type { ServerSpan, Tracing } from './tracing.ts';

/** Loaded by `tracing.ts` when there is a collector: everything of OpenTelemetry that the shop imports is imported here. */
export interface ExportingOptions {
  readonly service: string;
  readonly instance: string;
  /** Where the collector takes traces as OTLP over HTTP. */
  readonly url: string;
  /** Of the traces that begin here, 0 to 1; others go on as they came. */
  readonly ratio: number;
  readonly logger: Logger;
}

/** A closing process does not wait longer for its collector. */
const closeWithinMs = 2_000;

/** Spans go out in batches, beside the work. While the collector is away 2048 of them wait at most, and later ones are lost. */
export function exportingTracing({ service, instance, url, ratio, logger }: ExportingOptions): Tracing {
  const exporter = new ToldExporter(new OTLPTraceExporter({ url }), url, logger);
  const provider = new TracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({ 'service.name': `bookstream-${service}`, 'service.instance.id': instance }),
    ),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  return {
    ...tracingOver(provider),
    close: async () => {
      if (exporter.isAway) return; // its retries would only make the end late
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(() => {
          logger.warn(
            'traces-not-flushed',
            `${new URL(url).host} did not take the last spans within ${closeWithinMs} ms; they are lost`,
          );
          resolve();
        }, closeWithinMs);
      });
      await Promise.race([provider.shutdown().catch(() => undefined), late]); // the exporter has told why
      clearTimeout(timer);
    },
  };
}

/** What the shop needs of a tracer provider, whatever becomes of its spans. */
export function tracingOver(provider: TracerProvider): Pick<Tracing, 'engine' | 'serve'> {
  const tracer = provider.getTracer('bookstream');
  return {
    engine: { tracer, contextOf: (parent) => trace.setSpanContext(ROOT_CONTEXT, parent) },
    serve: (name, parent) => {
      const context = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote(parent));
      return serverSpan(tracer.startSpan(name, { kind: SpanKind.SERVER }, context));
    },
  };
}

const remote = ({ traceId, spanId, sampled }: TraceContext) => ({
  ...{ traceId, spanId, isRemote: true },
  traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
});

function serverSpan(span: Span): ServerSpan {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    trace: { traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 },
    is: (name, attributes) => void span.updateName(name).setAttributes(attributes),
    end: (failure) => {
      if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
      span.end();
    },
  };
}
