import { type DocumentNode, GraphQLError, type GraphQLSchema, getOperationAST, Kind } from 'graphql';
import { childOf, newTrace, type TraceContext } from '../platform/trace.ts';
import type { ServerSpan, Tracing } from '../platform/tracing.ts';
import type { GatewayMetrics } from './metrics.ts';

/** What an operation asks for, in names of which there are few: whoever asks must not be able to make new ones. */
export interface Asked {
  readonly type: 'query' | 'mutation' | 'subscription' | 'unknown';
  /** The one field of the schema's root that it asks; `other` for several of them, and for what is none of ours. */
  readonly operation: string;
}

/** `refused`: whoever asked can do something about it; `failed`: the shop must. */
export type Outcome = 'ok' | 'refused' | 'failed';

type Errors = readonly GraphQLError[] | undefined;

const nothingKnown: Asked = { type: 'unknown', operation: 'other' };
const ourFaults: readonly unknown[] = ['INTERNAL', 'UNAVAILABLE'];

/** @param document need not be valid */
export function askedOf(schema: GraphQLSchema, document: DocumentNode, operationName?: string | null): Asked {
  const node = getOperationAST(document, operationName);
  if (!node) return nothingKnown;
  const type = node.operation;
  const [selection, ...more] = node.selectionSet.selections;
  const fields = schema.getRootType(type)?.getFields() ?? {};
  const isOne = selection?.kind === Kind.FIELD && more.length === 0 && Object.hasOwn(fields, selection.name.value);
  return { type, operation: isOne ? selection.name.value : 'other' };
}

/** Of errors as resolvers threw them, and as the client gets them. */
export function outcomeOf(errors: Errors): Outcome {
  if (errors === undefined || errors.length === 0) return 'ok';
  const isOurs = ({ originalError, extensions }: GraphQLError): boolean =>
    ourFaults.includes(extensions.code) || (Boolean(originalError) && !(originalError instanceof GraphQLError));
  return errors.some(isOurs) ? 'failed' : 'refused';
}

/** Measures and traces what is asked of the gateway, however it comes in. */
export class Operations {
  readonly #metrics: GatewayMetrics;
  readonly #tracing: Pick<Tracing, 'serve'> | null;

  /** @param tracing null: a trace has an id for the log, and no spans */
  constructor(metrics: GatewayMetrics, tracing: Pick<Tracing, 'serve'> | null) {
    this.#metrics = metrics;
    this.#tracing = tracing;
  }

  /** A valid operation that is about to be run. @param parent the place in a trace that it came with */
  begin(parent: TraceContext | null): Operation {
    const span = this.#tracing?.serve('graphql', parent) ?? null;
    return new Operation(this.#metrics, span?.trace ?? (parent === null ? newTrace() : childOf(parent)), span);
  }

  /** One that never came so far. */
  refused(errors: Errors, asked = nothingKnown): void {
    this.#metrics.answered(asked, outcomeOf(errors), null);
  }

  /** @returns what to call when it has closed */
  socketOpened(): () => void {
    return this.#metrics.socketOpened();
  }
}

/** One operation, from its context to its answer. */
export class Operation {
  readonly trace: TraceContext;
  readonly #metrics: GatewayMetrics;
  readonly #span: ServerSpan | null;
  readonly #since = performance.now();
  #asked = nothingKnown;
  #ended = false;

  constructor(metrics: GatewayMetrics, trace: TraceContext, span: ServerSpan | null) {
    this.#metrics = metrics;
    this.trace = trace;
    this.#span = span;
  }

  is(asked: Asked): void {
    this.#asked = asked;
    const { type, operation } = asked;
    this.#span?.is(`${type} ${operation}`, { 'graphql.operation.type': type, 'graphql.operation.name': operation });
  }

  /** Its answer; a second one changes nothing. */
  answered(errors: Errors): void {
    if (this.#ended) return;
    this.#ended = true;
    const outcome = outcomeOf(errors);
    this.#metrics.answered(this.#asked, outcome, (performance.now() - this.#since) / 1_000);
    this.#span?.end(outcome === 'failed' ? 'a fault of the shop; the log tells it under this trace' : undefined);
  }

  /** Its answer is a feed. @returns the feed, which counts until it has ended or its reader has gone */
  feeds<T>(feed: AsyncIterable<T>): AsyncIterableIterator<T> {
    this.answered(undefined);
    return untilEnd(feed, this.#metrics.feedBegan(this.#asked));
  }
}

function untilEnd<T>(feed: AsyncIterable<T>, onEnd: () => void): AsyncIterableIterator<T> {
  const items = feed[Symbol.asyncIterator]();
  let isOpen = true;
  const end = (): void => {
    if (isOpen) onEnd();
    isOpen = false;
  };
  const watched = async (step: Promise<IteratorResult<T>>): Promise<IteratorResult<T>> => {
    try {
      const item = await step;
      if (item.done) end();
      return item;
    } catch (error) {
      end();
      throw error;
    }
  };
  return {
    next: () => watched(items.next()),
    return: () => {
      end();
      return items.return?.() ?? Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
