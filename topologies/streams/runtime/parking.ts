import type { ConsumedRecord, FetchedBatch } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { SourceNode } from '../plan/node.ts';
import type { ParkedRecords } from '../state/parked-records.ts';
import type { AsyncCalls } from './async-calls.ts';
import { prepareRecords } from './read-record.ts';

export interface ParkingOptions {
  /** Where redrives come from: `<application-id>-<sub-topology>-redrive`. */
  readonly topic: string;
  /** Opened anew with each start of the task. */
  readonly store: () => ParkedRecords;
  readonly calls: () => AsyncCalls | null;
  /** Processes a record as if it came now. @returns false: it has become a dead letter again */
  readonly take: (record: ConsumedRecord) => boolean;
  /** This redrive is done; `left` records of its key stay parked. */
  readonly onDone: (redrive: ConsumedRecord, taken: number, left: number) => void;
}

/**
 * What waits behind the dead letters of one task, and the redrives that let it go on. A redrive names a key. Its value, if it has one, names a
 * record that is left out for good, `<topic>-<partition>@<offset>`: the letter of what can never be processed. One record a step; a crash between
 * two goes on behind the last one that was committed, since the redrive's own offset moves when it is done.
 */
export class Parking {
  readonly topic: string;
  readonly #options: ParkingOptions;
  #redrives: ConsumedRecord[] = [];
  #taken = 0;

  constructor(options: ParkingOptions) {
    this.#options = options;
    this.topic = options.topic;
  }

  get size(): number {
    return this.#options.store().size;
  }

  /** A record of this key may not overtake those that wait. */
  holds(key: Uint8Array | null): boolean {
    return key !== null && this.#options.store().countOf(key) > 0;
  }

  park(key: Uint8Array, record: ConsumedRecord): void {
    this.#options.store().add(key, record);
  }

  /**
   * Before `add`: what these redrives would take may have been read from the disk, and its schemas never been asked for by this process.
   * @param sources by topic
   */
  prepare(redrives: FetchedBatch, sources: ReadonlyMap<string, SourceNode>): Promise<void> | undefined {
    const parked = [...redrives.records].flatMap(({ key }) => (key === null ? [] : this.#options.store().of(key)));
    const waits = parked.flatMap((record) => {
      const source = sources.get(record.topic);
      const wait = source && prepareRecords({ ...redrives, topic: record.topic, records: [record] }, source);
      return wait === undefined ? [] : [wait];
    });
    return waits.length === 0 ? undefined : Promise.all(waits).then(() => undefined);
  }

  add(redrives: FetchedBatch): void {
    this.#redrives.push(...redrives.records);
  }

  get buffered(): number {
    return this.#redrives.length;
  }

  /** True when `step` would do something. A call of `mapAsync` is made first, and waited for. */
  ready(): boolean {
    const [redrive] = this.#redrives;
    if (redrive === undefined) return false;
    const first = this.#first(redrive);
    return first === null || isLeftOut(redrive, first) || (this.#options.calls()?.askApart(first) ?? true);
  }

  /** One parked record, or the end of a redrive. */
  step(): void {
    const [redrive] = this.#redrives;
    if (redrive === undefined) return;
    const store = this.#options.store();
    const first = this.#first(redrive);
    if (first === null || redrive.key === null) {
      this.#done(redrive);
      return;
    }
    if (!isLeftOut(redrive, first)) {
      if (!this.#options.take(first)) {
        this.#done(redrive);
        return;
      }
      this.#taken += 1;
    }
    store.removeFirst(redrive.key);
  }

  clear(): void {
    this.#redrives = [];
    this.#taken = 0;
  }

  #first({ key }: ConsumedRecord): ConsumedRecord | null {
    return key === null ? null : this.#options.store().first(key);
  }

  #done(redrive: ConsumedRecord): void {
    const taken = this.#taken;
    this.#redrives.shift();
    this.#taken = 0;
    this.#options.onDone(redrive, taken, redrive.key === null ? 0 : this.#options.store().countOf(redrive.key));
  }
}

const isLeftOut = ({ value }: ConsumedRecord, record: ConsumedRecord): boolean =>
  value !== null && Buffer.from(value).toString() === `${partitionName(record)}@${record.offset}`;
