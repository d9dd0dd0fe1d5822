/** What the engine needs of a tracer. The shapes are those of `@opentelemetry/api` (1.x), whose `Tracer` is one. */
export interface Tracer {
  startSpan(name: string, options: SpanOptions, context?: never): Span;
}

export interface SpanOptions {
  /** `SpanKind` of OpenTelemetry; 4: consumer. */
  readonly kind: 4;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly links?: { readonly context: SpanContext }[];
  /** Epoch ms. */
  readonly startTime?: number;
  readonly root?: boolean;
}

export interface Span {
  spanContext(): SpanContext;
  setAttribute(name: string, value: string | number): unknown;
  /** 2: error. */
  setStatus(status: { readonly code: 2; readonly message: string }): unknown;
  end(): void;
}

export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  /** Bit 0: sampled. */
  readonly traceFlags: number;
  readonly isRemote?: boolean;
}

export interface TracingOptions {
  readonly tracer: Tracer;
  /** A context that has this span as its parent: `(parent) => trace.setSpanContext(ROOT_CONTEXT, parent)` with `@opentelemetry/api`. */
  // biome-ignore lint/suspicious/noExplicitAny: an opaque object of the tracer's own, which only goes from here to there
  readonly contextOf: (parent: SpanContext) => any;
  /** Of the records of one commit that are sampled, so many have a span of their own. Default 20. */
  readonly maxRecordSpans?: number;
}
