import type { ConsumedRecord, Header } from '../kafka/port.ts';
import { traceparentOf, withTraceparent } from './traceparent.ts';
import type { Span, SpanContext, TracingOptions } from './tracer.ts';

/** One record that is being processed. */
export interface RecordSpan {
  /** What it sends on belongs to this span. */
  readonly headers: readonly Header[];
  /** @param failure what a node failed with; undefined: none has */
  end(failure?: unknown): void;
}

/** One commit that is under way. */
export interface CommitSpan {
  end(failure?: unknown): void;
}

/** Beyond it a commit's span has no more links, which are kept until it ends. */
const mostLinks = 128;

/**
 * Spans of one application: one a commit, linked with the records in it that are sampled, and for some of these one of their own, in the
 * trace that they came with. What has no sampled record makes no span.
 */
export class ApplicationTracing {
  readonly #applicationId: string;
  readonly #options: TracingOptions;
  #links: SpanContext[] = [];
  #records = 0;
  #spans = 0;
  #since = 0;

  constructor(applicationId: string, options: TracingOptions) {
    this.#applicationId = applicationId;
    this.#options = options;
  }

  /** Null: it is not sampled, or enough of this commit are. */
  record(raw: ConsumedRecord, taskId: string): RecordSpan | null {
    const parent = traceparentOf(raw.headers);
    if (parent === null || (parent.traceFlags & 1) === 0) return null;
    if (this.#records === 0) this.#since = Date.now();
    this.#records += 1;
    const { tracer, contextOf, maxRecordSpans = 20 } = this.#options;
    if (this.#spans >= maxRecordSpans) {
      this.#link(parent);
      return null;
    }
    this.#spans += 1;
    const attributes = {
      ...this.#attributes,
      'messaging.destination.name': raw.topic,
      'messaging.destination.partition.id': String(raw.partition),
      'messaging.kafka.offset': raw.offset,
      'streams.task': taskId,
    };
    const span = tracer.startSpan(`process ${raw.topic}`, { kind: 4, attributes }, contextOf(parent) as never);
    const context = span.spanContext();
    this.#link(context);
    return { headers: withTraceparent(raw.headers, context), end: (failure) => ended(span, failure) };
  }

  #link(context: SpanContext): void {
    if (this.#links.length < mostLinks) this.#links.push(context);
  }

  /** Of everything since the last call; null where nothing was sampled. @param records how many the transaction writes */
  commit(records: number): CommitSpan | null {
    if (this.#records === 0) return null;
    const span = this.#options.tracer.startSpan(`commit ${this.#applicationId}`, {
      kind: 4,
      root: true,
      startTime: this.#since,
      links: this.#links.map((context) => ({ context })),
      attributes: { ...this.#attributes, 'messaging.batch.message_count': records, 'streams.sampled': this.#records },
    });
    this.#links = [];
    this.#records = 0;
    this.#spans = 0;
    return { end: (failure) => ended(span, failure) };
  }

  get #attributes() {
    return {
      'messaging.system': 'kafka',
      'messaging.operation.type': 'process',
      'messaging.consumer.group.name': this.#applicationId,
    };
  }
}

function ended(span: Span, failure: unknown): void {
  if (failure !== undefined)
    span.setStatus({ code: 2, message: failure instanceof Error ? failure.message : String(failure) });
  span.end();
}
