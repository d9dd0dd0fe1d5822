import type { BaseOffsets, CommittedOffset, FetchedBatch, FetchedRecords, TopicPartition } from '../kafka/port.ts';
import type { RecordCollector } from '../kafka/record-pack.ts';

/**
 * A task: one partition of one sub-topology, from fetched bytes to what goes into the next transaction. It does no I/O and knows no
 * clock but the one it is given; who runs it fetches, commits and restores:
 *
 *   restore(store, …) until every changelog is read → start(committed offsets) → [addRecords, process, punctuate]*
 *   → takeCommit → (transaction) → committed | aborted
 *
 * `takeCommit` hands over all that was done so far; the task may go on processing while that transaction is in flight, but only one may
 * be in flight. `aborted` drops it and everything after it.
 */
export interface Task {
  /** `<sub-topology>_<partition>` */
  readonly id: string;
  readonly applicationId: string;
  /** Topic partitions that feed it. */
  readonly inputs: readonly TopicPartition[];
  /** Changelogs to read before `start`; `position` is the next offset wanted, 0 where nothing is known. */
  readonly changelogs: readonly ChangelogPosition[];

  /**
   * Writes a part of a changelog into the store, rows and position in one storage write.
   * @param nextOffset where to read on, also when `records` is empty (markers, compaction)
   */
  restore(store: string, records: FetchedRecords, nextOffset: number): void;
  /** Forgets a store and its position (offset out of range, another boot of the machine): restore it from the beginning. */
  wipe(store: string): void;

  /**
   * Takes up at the group's committed offsets: partition times come out of their metadata. Calls `init` of the processors.
   * @throws when an input is not the task's, or a processor's init throws
   */
  start(committed: readonly CommittedOffset[]): void;

  /**
   * Resolves what the serdes need for these records (schemas). Undefined: they can be added now. Call it before `addRecords`; while the
   * promise is pending or after it was rejected the partition waits, others go on.
   */
  prepare(batch: FetchedBatch): Promise<void> | undefined;
  /** Buffers records, in offset order per partition. Empty batches matter: they tell that a partition is at its end. */
  addRecords(batch: FetchedBatch): void;
  /** Records waiting in the buffer of one input: pause fetching above a high mark, resume below a low one. */
  buffered(input: TopicPartition): number;
  /** True when `process` would take a record now, or throw: something failed outside a record. */
  ready(): boolean;
  /**
   * Takes records, always the head with the smallest timestamp over all inputs, until one of the limits is met, nothing is left, or an
   * empty input must be waited for (its lag is unknown or above 0, or it is idle for less than `maxTaskIdleMs`), or the next record waits for
   * an answer of `mapAsync`. Makes the calls for the records behind it. Stream-time punctuators run after each record. Synchronous.
   * @returns how many records were taken, also those that were dropped or dead-lettered
   * @throws TaskFailedError – a handler said `fail`, or a rule of the engine was broken; nothing of the record is kept, commit nothing
   */
  process(limits?: { readonly maxRecords?: number; readonly maxMs?: number }): number;
  /** Runs the wall-clock punctuators that are due, and gives up calls whose time is over. @returns how many punctuators ran */
  punctuate(nowMs: number): number;

  /** Epoch ms of the newest record taken so far; -1 before the first. */
  readonly streamTime: number;
  /** When `punctuate`, or `process` after an input has been idle for long enough, has something to do next, epoch ms; Infinity when never. */
  readonly nextPunctuationMs: number;
  /** Anything to commit (outputs, state or offsets) since the last `takeCommit`. */
  readonly dirty: boolean;

  /** All that must go into one transaction; null when there is nothing. */
  takeCommit(): TaskCommit | null;
  /**
   * The transaction is committed: rows, changelog positions and stream times go into the storage in one write.
   * @param baseOffsets of that transaction; changelog positions come from it
   */
  committed(baseOffsets: BaseOffsets): void;
  /**
   * The transaction and everything since is void: overlay, outputs and buffers are dropped. The task is back at its last commit, with
   * its processors closed; `start` it again with the committed offsets and fetch from there.
   */
  aborted(): void;
  /**
   * Calls `close` of the processors. Drops what is not committed. The storage stays open: it is the owner's.
   * @throws NodeError – a processor's own close threw; the task is closed all the same
   */
  close(): void;
}

export interface ChangelogPosition extends TopicPartition {
  readonly store: string;
  readonly position: number;
}

export interface TaskCommit {
  /** Outputs, dead letters and changelog entries, in the order in which each partition must get them. The task's own again after `committed`. */
  readonly records: RecordCollector;
  /**
   * Next offset to read per input, with partition time in the metadata. Never empty: offsets are what the group refuses a zombie by, so
   * what punctuators alone have written carries them too, unmoved.
   */
  readonly offsets: readonly CommittedOffset[];
}

/** Keeps the global tables of one application on one instance. Same life as a task, without offsets: its topics are its changelogs. */
export interface GlobalTask {
  readonly inputs: readonly { readonly topic: string; readonly store: string }[];
  /** Next offset wanted of a partition, from the storage. */
  position(partition: TopicPartition): number;
  prepare(batch: FetchedBatch): Promise<void> | undefined;
  /** Writes at once; tasks of the same instance see it with their next record. */
  addRecords(batch: FetchedBatch): void;
}
