import { CallTimeoutError } from '../errors.ts';
import type { ConsumedRecord, TopicPartition } from '../kafka/port.ts';
import type { AsyncStep, SourceNode } from '../plan/node.ts';
import { type SubTopology, topicOf } from '../plan/topology.ts';
import type { PartitionGroup } from './partition-group.ts';
import { readRecord, Unreadable } from './read-record.ts';

export interface AsyncCallsOptions {
  readonly applicationId: string;
  readonly taskId: string;
  readonly partition: number;
  readonly sub: SubTopology;
  readonly buffers: PartitionGroup;
  readonly now: () => number;
  /** A record may be ready now. */
  readonly onAnswer: () => void;
}

type Answer = { readonly value: unknown } | { readonly error: unknown };

interface Call {
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly abort: AbortController;
  answer: Answer | null;
}

/** The calls of one node, in the order of the records: the nth belongs to the nth record in the buffer of its input. */
interface Line {
  readonly step: AsyncStep;
  readonly source: SourceNode;
  readonly input: TopicPartition;
  readonly calls: Call[];
}

const nothing: Answer = { value: undefined };

/**
 * The calls of a task's `mapAsync` nodes. These stand right behind a source, so a call is made while its record still lies in the buffer,
 * and a record is processed when its answer is there: stream time, offsets and state move as if the answer had come with the record, and
 * what is in flight is simply not processed yet. Its offset is not committed; after a crash it is fetched and asked for again.
 */
export class AsyncCalls {
  readonly #options: AsyncCallsOptions;
  /** By input topic. */
  readonly #lines = new Map<string, Line[]>();
  readonly #lineOf = new Map<string, Line>();
  /** Of a record that comes from no buffer: its calls by node. */
  #apart: { readonly record: ConsumedRecord; readonly calls: ReadonlyMap<string, Call> } | null = null;
  #takingApart = false;
  #inFlight = 0;
  #closed = false;

  constructor(options: AsyncCallsOptions) {
    this.#options = options;
    for (const node of options.sub.nodes) {
      if (node.kind !== 'processor' || node.asyncStep === undefined) continue;
      const [source] = node.parents;
      if (source?.kind !== 'source') throw new Error(`${node.name} was not put behind a source`);
      const topic = topicOf(options.applicationId, source);
      const input = { topic, partition: options.partition };
      // The extractor has its say when the record is processed: it is given a time that is not known yet.
      const line: Line = {
        step: node.asyncStep,
        source: { ...source, timestampExtractor: null },
        input,
        calls: [],
      };
      this.#lineOf.set(node.name, line);
      this.#lines.set(topic, [...(this.#lines.get(topic) ?? []), line]);
    }
  }

  /** Calls under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Makes the calls for the records that come next, up to each node's bound. */
  ask(): void {
    for (const lines of this.#lines.values()) for (const line of lines) this.#askFor(line);
  }

  /** True when nothing that was asked for this record, the next one of its input, is still under way. */
  isAnswered(record: ConsumedRecord): boolean {
    const lines = this.#lines.get(record.topic);
    return lines === undefined || lines.every(({ calls }) => (calls[0]?.answer ?? null) !== null);
  }

  /** For the record under way, which has come from the node's source. @throws what the call was rejected with */
  answerOf(node: string): unknown {
    const call = this.#takingApart ? this.#apart?.calls.get(node) : this.#lineOf.get(node)?.calls[0];
    const answer = call?.answer ?? nothing;
    if ('error' in answer) throw answer.error;
    return answer.value;
  }

  /** Makes the calls for a record that does not come from a buffer; one at a time. @returns true: all are answered, it may be processed */
  askApart(record: ConsumedRecord): boolean {
    const lines = this.#lines.get(record.topic);
    if (lines === undefined) return true;
    if (this.#apart?.record.offset !== record.offset || this.#apart.record.topic !== record.topic) {
      const nodes = [...this.#lineOf].filter(([, line]) => lines.includes(line));
      this.#apart = { record, calls: new Map(nodes.map(([node, line]) => [node, this.#call(line, record)])) };
    }
    return [...this.#apart.calls.values()].every(({ answer }) => answer !== null);
  }

  /** While `run` runs, `answerOf` is about the record that `askApart` was given; then its calls are forgotten. */
  takeApart(run: () => void): void {
    this.#takingApart = true;
    try {
      run();
    } finally {
      this.#takingApart = false;
      this.#apart = null;
    }
  }

  /** The record has left its buffer and been processed: one more may be asked for. */
  taken(record: ConsumedRecord): void {
    for (const line of this.#lines.get(record.topic) ?? []) {
      line.calls.shift();
      this.#askFor(line);
    }
  }

  /** Epoch ms; Infinity when no call is under way. */
  get nextDeadlineMs(): number {
    let next = Number.POSITIVE_INFINITY;
    if (this.#inFlight > 0) for (const { deadlineMs } of this.#pending()) next = Math.min(next, deadlineMs);
    return next;
  }

  /** Gives up the calls whose time is over. */
  expire(nowMs: number): void {
    if (this.#inFlight === 0) return;
    for (const call of this.#pending()) {
      if (call.deadlineMs > nowMs) continue;
      const error = new CallTimeoutError(call.timeoutMs);
      this.#settle(call, { error });
      call.abort.abort(error);
    }
  }

  /** What is answered from here on is heard by nobody. */
  close(): void {
    const pending = this.#pending();
    this.#closed = true;
    this.#inFlight = 0;
    for (const { abort } of pending) abort.abort(new Error(`task ${this.#options.taskId} was closed`));
    this.#lines.clear();
    this.#lineOf.clear();
    this.#apart = null;
  }

  #askFor(line: Line): void {
    const { calls, input, step } = line;
    while (calls.length < step.maxInFlight) {
      const record = this.#options.buffers.at(input, calls.length);
      if (record === null) return;
      calls.push(this.#call(line, record));
    }
  }

  #call(line: Line, raw: ConsumedRecord): Call {
    const { step, source } = line;
    const { timeoutMs } = step;
    const deadlineMs = this.#options.now() + timeoutMs;
    const call: Call = { timeoutMs, deadlineMs, abort: new AbortController(), answer: null };
    const record = readRecord(raw, source, -1);
    if (record instanceof Unreadable) {
      call.answer = nothing; // it is refused when its turn comes
      return call;
    }
    const { topic, partition, offset, headers } = raw;
    const { signal } = call.abort;
    this.#inFlight += 1;
    // Also what is thrown before the first await is a rejection.
    const asked = (async () => step.call(record.value, record.key, { topic, partition, offset, headers, signal }))();
    asked.then(
      (value) => this.#settle(call, { value }),
      (error: unknown) => this.#settle(call, { error }),
    );
    return call;
  }

  #settle(call: Call, answer: Answer): void {
    if (this.#closed || call.answer !== null) return;
    call.answer = answer;
    this.#inFlight -= 1;
    this.#options.onAnswer();
  }

  #pending(): readonly Call[] {
    const all = [...this.#lines.values()].flat().flatMap(({ calls }) => calls);
    return [...all, ...(this.#apart?.calls.values() ?? [])].filter(({ answer }) => answer === null);
  }
}
