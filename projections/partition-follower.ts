import { setTimeout as sleep } from 'node:timers/promises';
import type { ConsumedRecord, FetchedBatch, Fetcher } from '@bookstream/streams/kafka/port';
import type { ApplicationTracing } from '@bookstream/streams/tracing/application-tracing';
import { type BadRecord, decode, fold, keysOf, tablesOf } from './batch.ts';
import { beginSpans } from './batch-spans.ts';
import { BuildSwitchedError, FencedError } from './errors.ts';
import type { Projection, Table } from './projection.ts';
import type { Claim, Sink } from './sink.ts';

export type FollowerState = 'CLAIMING' | 'FOLLOWING' | 'RETRYING' | 'STOPPED';

export interface PartitionStatus {
  readonly topic: string;
  readonly partition: number;
  readonly build: number | null;
  readonly state: FollowerState;
  /** Offset of the next record to fold. */
  readonly nextOffset: number;
  /** Where readers of committed records end; null before the first answer of the broker. */
  readonly end: number | null;
  /** Records sent to the dead-letter topic since the start. */
  readonly bad: number;
  readonly error: Error | null;
}

export interface PartitionFollowerOptions {
  readonly projection: Projection;
  readonly topic: string;
  readonly partition: number;
  readonly sink: Sink;
  readonly fetcher: Fetcher;
  /** Which build to write to, asked at each claim. */
  readonly build: () => Promise<number>;
  readonly whileLive: boolean;
  readonly onBad: (build: number, bad: readonly BadRecord[]) => Promise<void>;
  readonly onError: (error: Error) => void;
  readonly onMoved: () => void;
  readonly tracing?: ApplicationTracing;
}

const maxRecords = 2_000;
const pauseAtRecords = 8_000;
/** Positions that only transaction markers moved are written when nothing else comes for so long. */
const idleMs = 500;
const reclaimAfterMs = 200;
const backoffMs = { first: 50, most: 5_000 };

/**
 * Follows one partition: claims it, takes batches as they come, folds and writes them in order, one at a time. Faults of the database or
 * the registry are waited out; a fence or a switch leads to a new claim.
 */
export class PartitionFollower {
  readonly #options: PartitionFollowerOptions;
  readonly #tables: readonly Table[];
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #queue: FetchedBatch[] = [];
  #queued = 0;
  #paused = false;
  #wake: (() => void) | null = null;
  #claim: Claim | null = null;
  #state: FollowerState = 'CLAIMING';
  #error: Error | null = null;
  #end: number | null = null;
  #bad = 0;
  /** Offset up to which records were folded and written; `#stored` is what the checkpoint says. */
  #position = 0;
  #stored = 0;

  constructor(options: PartitionFollowerOptions) {
    this.#options = options;
    this.#tables = tablesOf(options.projection, options.topic);
    this.#running = this.#run();
  }

  get status(): PartitionStatus {
    const { topic, partition } = this.#options;
    return {
      topic,
      partition,
      build: this.#claim?.build ?? null,
      state: this.#state,
      nextOffset: this.#position,
      end: this.#end,
      bad: this.#bad,
      error: this.#error,
    };
  }

  /** Called by the fetcher, in offset order. */
  offer(batch: FetchedBatch): void {
    this.#end = batch.lastStableOffset;
    this.#queue.push(batch);
    this.#queued += batch.records.length;
    if (this.#queued > pauseAtRecords && !this.#paused) {
      this.#paused = true;
      this.#options.fetcher.pause(this.#options);
    }
    this.#wake?.();
  }

  /** The position is outside of the log: older records are gone (retention), or the topic is not the one it was. */
  outOfRange(position: number, logStartOffset: number): void {
    if (position < logStartOffset) {
      this.#options.fetcher.assign(this.#options, logStartOffset);
      return;
    }
    const { topic, partition, projection } = this.#options;
    this.#error = new Error(
      `${projection.name} stands at ${topic}-${partition}@${position}, which the log does not have: it is another topic of that name. ` +
        `Nothing is read from it. Cure: bookstream projection rebuild ${projection.name}`,
    );
    this.#state = 'RETRYING';
  }

  /** Ends after the batch that is being written. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#options.fetcher.unassign(this.#options);
    this.#wake?.();
    await this.#running;
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #run(): Promise<void> {
    let undecodable: string | null = null;
    while (!this.#stopped) {
      try {
        const claim = await this.#persist(() => this.#claimOnce());
        if (claim === null) break;
        await this.#follow(claim);
      } catch (error) {
        this.#options.fetcher.unassign(this.#options);
        if (error instanceof FencedError || error instanceof BuildSwitchedError) {
          this.#error = error instanceof BuildSwitchedError ? null : error;
          this.#state = 'CLAIMING';
          await this.#rest(error instanceof BuildSwitchedError ? 0 : reclaimAfterMs);
          continue;
        }
        // What was fetched cannot be decoded: everything else was waited out. It is fetched again.
        const fault = error instanceof Error ? error : new Error(String(error));
        if (fault.message !== undecodable) this.#options.onError(fault);
        undecodable = fault.message;
        this.#error = fault;
        this.#state = 'RETRYING';
        await this.#rest(backoffMs.most);
      }
    }
    this.#state = 'STOPPED';
  }

  async #claimOnce(): Promise<Claim> {
    const { projection, topic, partition, sink, whileLive } = this.#options;
    const build = await this.#options.build();
    return sink.claim(projection.name, build, topic, partition, whileLive);
  }

  async #follow(claim: Claim): Promise<void> {
    this.#claim = claim;
    this.#queue = [];
    this.#queued = 0;
    this.#paused = false;
    this.#position = claim.nextOffset;
    this.#stored = claim.nextOffset;
    this.#options.fetcher.assign(this.#options, claim.nextOffset);
    this.#state = 'FOLLOWING';
    this.#error = null;
    this.#options.onMoved();
    while (!this.#stopped) {
      const { records, next } = await this.#take();
      if (this.#stopped) return;
      if (records.length === 0 && next === this.#position) {
        if (this.#stored < this.#position) await this.#persist(() => this.#write(claim, [], this.#position));
        continue;
      }
      if (records.length > 0) await this.#persist(() => this.#project(claim, records, next));
      if (this.#stopped) return;
      this.#position = next;
      this.#options.onMoved();
    }
  }

  /** What has come, at most `maxRecords` unless one answer holds more; nothing after `idleMs` if a position waits to be written. */
  async #take(): Promise<{ readonly records: readonly ConsumedRecord[]; readonly next: number }> {
    if (this.#queue.length === 0 && !this.#stopped) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = this.#stored < this.#position ? setTimeout(resolve, idleMs) : null;
      await promise;
      this.#wake = null;
      if (timer !== null) clearTimeout(timer);
    }
    const records: ConsumedRecord[] = [];
    let next = this.#position;
    while (this.#queue.length > 0 && records.length < maxRecords) {
      const batch = this.#queue.shift();
      if (batch === undefined) break;
      for (const record of batch.records) if (record.offset >= this.#position) records.push(record);
      next = Math.max(next, batch.nextOffset);
      this.#queued -= batch.records.length;
    }
    if (this.#paused && this.#queued < pauseAtRecords / 2) {
      this.#paused = false;
      this.#options.fetcher.resume(this.#options);
    }
    return { records, next };
  }

  async #project(claim: Claim, records: readonly ConsumedRecord[], next: number): Promise<void> {
    const { sink, tracing } = this.#options;
    const spansEnd = beginSpans(tracing, records);
    try {
      await this.#write(claim, records, next);
      spansEnd();
    } catch (error) {
      spansEnd(error);
      if (!sink.isRefusal(error)) throw error;
      await this.#oneByOne(claim, records);
      await this.#write(claim, [], next);
    }
  }

  /** Some row of the batch is refused by the database for good: find its record, so that the others get through. */
  async #oneByOne(claim: Claim, records: readonly ConsumedRecord[]): Promise<void> {
    for (const record of records) {
      if (record.offset < this.#stored) continue;
      try {
        await this.#write(claim, [record], record.offset + 1);
      } catch (cause) {
        if (!this.#options.sink.isRefusal(cause)) throw cause;
        await this.#tell(claim, [{ record, reason: 'refused', cause }]);
        await this.#write(claim, [], record.offset + 1);
      }
    }
  }

  async #write(claim: Claim, batch: readonly ConsumedRecord[], next: number): Promise<void> {
    const { sink } = this.#options;
    if (next === this.#stored) return;
    const records = batch.filter((record) => record.offset >= this.#stored); // a fault may have come behind the first of them
    const { valueSerde, name } = this.#tables[0]?.topic ?? {};
    for (const { value } of records) {
      if (value !== null && name !== undefined) await valueSerde?.prepare?.(name, value);
    }
    const { decoded, bad } = decode(this.#tables, records);
    const failed = [...bad];
    await sink.apply(claim, {
      from: this.#stored,
      next,
      keys: keysOf(decoded),
      fold: async (held) => {
        const folded = fold(decoded, held);
        failed.push(...folded.bad);
        await this.#tell(
          claim,
          failed.toSorted((a, b) => a.record.offset - b.record.offset),
        );
        return folded.changed;
      },
    });
    this.#stored = next;
  }

  #told = -1;

  /** Once each, also when the write that follows has to be tried again. */
  async #tell(claim: Claim, bad: readonly BadRecord[]): Promise<void> {
    const news = bad.filter(({ record }) => record.offset > this.#told);
    const last = news.at(-1);
    if (last === undefined) return;
    await this.#options.onBad(claim.build, news);
    this.#told = last.record.offset;
    this.#bad += news.length;
  }

  /** Repeats `work` until it succeeds or this follower is closed (null), save what only a new claim can cure. */
  async #persist<T>(work: () => Promise<T>): Promise<T | null> {
    for (let wait = backoffMs.first; !this.#stopped; wait = Math.min(wait * 2, backoffMs.most)) {
      try {
        const result = await work();
        if (this.#state === 'RETRYING') {
          this.#state = 'FOLLOWING';
          this.#error = null;
        }
        return result;
      } catch (error) {
        if (error instanceof FencedError || error instanceof BuildSwitchedError) throw error;
        const fault = error instanceof Error ? error : new Error(String(error));
        if (this.#state !== 'RETRYING' || this.#error?.message !== fault.message) this.#options.onError(fault);
        this.#state = 'RETRYING';
        this.#error = fault;
        await this.#rest(wait);
      }
    }
    return null;
  }

  async #rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined); // closed meanwhile
  }
}
