import { earliestOffsets } from './admin.ts';
import { type ClusterClient, isTransient, type Links } from './cluster-client.ts';
import { BrokerConnectionError, BrokerRefusalError, BrokerSilentError } from './errors.ts';
import { type Fetcher, type FetcherOptions, partitionName, type TopicPartition } from './port.ts';
import { type FetchedPartition, fetchRequest } from './protocol/fetch.ts';
import { readBatches } from './record-batch.ts';

const outOfRange = 1;
const maxBytes = 8 << 20;
const maxBytesPerPartition = 512 << 10;
/** Connections to one broker. A fetch that waits blocks its connection, so what joins later goes out on another. */
const lanesPerBroker = 4;
/** A fault is told when a partition could not be read for so long; the loop goes on trying. */
const tellAfterMs = 10_000;

interface Reading extends TopicPartition {
  position: number;
  paused: boolean;
  inFlight: boolean;
  /** Not before (performance.now()): the last answer was a refusal. */
  notBefore: number;
  failingSince: number | null;
}

/**
 * Long polls, without a group. Each answer is delivered and its partitions are asked for again at once, so a record is seen
 * a millisecond after its commit, and an idle loop costs one request per lane and `maxWaitMs`. A lane that is not answered for 10 s longer than that
 * is connected anew, and told.
 */
export class FetchLoop implements Fetcher {
  readonly #client: ClusterClient;
  readonly #options: FetcherOptions;
  readonly #lanes: Links[];
  readonly #busy = new Set<string>();
  readonly #readings = new Map<string, Reading>();
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(client: ClusterClient, options: FetcherOptions) {
    this.#client = client;
    this.#options = options;
    this.#lanes = Array.from({ length: lanesPerBroker }, () => client.links());
  }

  assign({ topic, partition }: TopicPartition, offset: number): void {
    // A new object each time: an answer to an older one finds itself replaced and is dropped.
    this.#readings.set(partitionName({ topic, partition }), {
      topic,
      partition,
      position: offset,
      paused: false,
      inFlight: false,
      notBefore: 0,
      failingSince: null,
    });
    this.#schedule();
  }

  unassign(partition: TopicPartition): void {
    this.#readings.delete(partitionName(partition));
  }

  /** An answer on its way is still delivered. */
  pause(partition: TopicPartition): void {
    const reading = this.#readings.get(partitionName(partition));
    if (reading) reading.paused = true;
  }

  resume(partition: TopicPartition): void {
    const reading = this.#readings.get(partitionName(partition));
    if (!reading?.paused) return;
    reading.paused = false;
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#readings.clear();
    for (const lane of this.#lanes) lane.close();
  }

  /** Gathers what one turn of the event loop asks for, so that eight assignments are one request. */
  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #scheduleIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#schedule(), ms);
  }

  #pump(): void {
    if (this.#closed) return;
    const now = performance.now();
    const wanted = [...this.#readings.values()].filter(({ paused, inFlight }) => !paused && !inFlight);
    const due = wanted.filter(({ notBefore }) => notBefore <= now);
    if (due.length < wanted.length) this.#scheduleIn(20);
    const leaderless: Reading[] = [];
    for (const [nodeId, readings] of Map.groupBy(due, (one) => this.#client.leaderOf(one) ?? -1)) {
      if (nodeId === -1) {
        leaderless.push(...readings);
        continue;
      }
      const lane = this.#lanes.findIndex((_, index) => !this.#busy.has(`${nodeId}/${index}`));
      if (lane >= 0) void this.#fetch(nodeId, lane, readings); // It handles its own errors; who waits is called by the lane that ends first.
    }
    if (leaderless.length > 0) void this.#findLeaders(leaderless); // Likewise.
  }

  async #findLeaders(readings: readonly Reading[]): Promise<void> {
    for (const reading of readings) reading.inFlight = true;
    try {
      await this.#client.refresh([...new Set(readings.map(({ topic }) => topic))]);
      for (const reading of readings) {
        if (this.#client.leaderOf(reading) === undefined)
          this.#failed(reading, new BrokerRefusalError(`Leader of ${partitionName(reading)}`, 5));
      }
    } catch (error) {
      for (const reading of readings) this.#failed(reading, asError(error));
    }
    for (const reading of readings) reading.inFlight = false;
    this.#schedule();
  }

  async #fetch(nodeId: number, lane: number, readings: readonly Reading[]): Promise<void> {
    const { isolation, maxWaitMs = 500 } = this.#options;
    const readCommitted = isolation === 'read_committed';
    const links = this.#lanes[lane];
    const busy = `${nodeId}/${lane}`;
    this.#busy.add(busy);
    for (const reading of readings) reading.inFlight = true;
    try {
      const request = fetchRequest(readings, { maxWaitMs, maxBytes, maxBytesPerPartition, readCommitted });
      const answer = await this.#client.ask(nodeId, request, links);
      if (answer.errorCode !== 0) throw new BrokerRefusalError('Fetch', answer.errorCode);
      this.#release(busy, readings);
      for (const partition of answer.partitions) {
        if (this.#closed) return;
        const name = partitionName(partition);
        const reading = this.#readings.get(name);
        if (reading && readings.includes(reading)) this.#deliver(reading, partition, readCommitted);
      }
    } catch (error) {
      this.#release(busy, readings);
      if (error instanceof BrokerSilentError && !this.#closed) {
        const names = readings.map(partitionName).join(', ');
        const text = `broker ${nodeId} has not answered for ${names}, which are asked for again on a new connection: ${error.message}`;
        this.#options.onError(new BrokerSilentError(text, { cause: error }));
      }
      for (const reading of readings) this.#failed(reading, asError(error));
      // The broker may have gone for good: learn who leads now.
      if (error instanceof BrokerConnectionError) void this.#findLeaders(readings);
    }
    this.#schedule();
  }

  #release(busy: string, readings: readonly Reading[]): void {
    this.#busy.delete(busy);
    for (const reading of readings) reading.inFlight = false;
  }

  #deliver(reading: Reading, answer: FetchedPartition, readCommitted: boolean): void {
    const { topic, partition, highWatermark, logStartOffset } = answer;
    // Who reads uncommitted records reads on where an open transaction begins.
    const lastStableOffset = readCommitted ? answer.lastStableOffset : highWatermark;
    if (answer.errorCode === outOfRange) {
      void this.#outOfRange(reading); // It handles its own errors.
      return;
    }
    if (answer.errorCode !== 0) {
      this.#failed(reading, new BrokerRefusalError(`Fetch of ${partitionName(reading)}`, answer.errorCode));
      if (isTransient(answer.errorCode)) void this.#findLeaders([reading]);
      return;
    }
    const name = partitionName(reading);
    try {
      const aborted = readCommitted ? answer.aborted : null;
      const { decompress } = this.#client.config;
      const from = reading.position;
      const { records, nextOffset } = readBatches(topic, partition, answer.records, from, aborted, decompress);
      this.#options.onBatch({ topic, partition, records, nextOffset, highWatermark, lastStableOffset, logStartOffset });
      // Only now: what was not taken is asked for again, never skipped.
      reading.position = nextOffset;
      reading.failingSince = null;
      // Whoever took them may have given it up, or assigned it anew.
      if (records.length > 0 && this.#readings.get(name) === reading) {
        // Last in line, for an answer is filled in the order of the request: a full one must not leave out the same ones each time.
        this.#readings.delete(name);
        this.#readings.set(name, reading);
      }
    } catch (error) {
      this.#failed(reading, asError(error));
    }
  }

  /** The refusal does not tell where the log begins (it says -1), so that is asked for. */
  async #outOfRange(reading: Reading): Promise<void> {
    const name = partitionName(reading);
    reading.inFlight = true;
    try {
      const start = (await earliestOffsets(this.#client, [reading])).get(name) ?? 0;
      if (this.#closed || this.#readings.get(name) !== reading) return;
      this.#readings.delete(name);
      const { topic, partition } = reading;
      this.#options.onOutOfRange({ topic, partition }, reading.position, start);
    } catch (error) {
      reading.inFlight = false;
      this.#failed(reading, asError(error));
      this.#schedule();
    }
  }

  #failed(reading: Reading, error: Error): void {
    if (this.#closed) return;
    const now = performance.now();
    reading.notBefore = now + 100;
    reading.failingSince ??= now;
    const curable =
      error instanceof BrokerConnectionError || (error instanceof BrokerRefusalError && isTransient(error.errorCode));
    if (curable && now - reading.failingSince < tellAfterMs) return;
    reading.failingSince = now;
    reading.notBefore = now + 1000;
    this.#options.onError(error);
  }
}

const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));
