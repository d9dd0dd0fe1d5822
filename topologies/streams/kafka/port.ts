/**
 * The seam between the engine and Kafka. Everything above it speaks these types only; behind it stand kafkajs (`kafkajs-port.ts`)
 * and an in-memory broker (`in-memory-broker.ts`). Offsets are numbers (exact to 2^53), timestamps epoch ms, bytes are never reused
 * after they were handed over.
 */

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export type Header = readonly [name: string, value: Uint8Array];

/** A record as a broker holds it. Of what came from one `{ ...record }` has no key and no value: name what you copy. */
export interface ConsumedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly Header[];
}

/** A record on its way to a broker; the engine has already chosen the partition. */
export interface ProducedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly Header[];
}

/** In the order in which they were made. An array will do, or what packs them as they come (`record-pack.ts`). */
export interface RecordsToSend extends Iterable<ProducedRecord> {
  readonly length: number;
}

/** In the order of their offsets. An array will do; what comes from a broker is decoded anew with each pass over it. */
export interface FetchedRecords extends Iterable<ConsumedRecord> {
  readonly length: number;
  /** What they take in memory. Absent: as many as their keys, values and headers have, and what objects cost. */
  readonly bytes?: number;
}

/** One answer for one partition; empty answers are delivered too, because they carry the lag. */
export interface FetchedBatch extends TopicPartition {
  readonly records: FetchedRecords;
  /** Offset of the next record to fetch; ahead of the last record + 1 where markers or aborted records were skipped. */
  readonly nextOffset: number;
  readonly highWatermark: number;
  /** Where reading ends for now: the high watermark for who reads uncommitted records. */
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
}

/** A fetch loop without a group: read positions belong to the engine. */
export interface Fetcher {
  /** Begins (or moves) reading at `offset`; batches fetched for an earlier assignment of the partition are never delivered after this call. */
  assign(partition: TopicPartition, offset: number): void;
  unassign(partition: TopicPartition): void;
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
  close(): Promise<void>;
}

export interface FetcherOptions {
  readonly isolation: 'read_committed' | 'read_uncommitted';
  /** Called synchronously, in offset order per partition. If it throws, the batch counts as not taken: `onError` is told, and it comes again. */
  readonly onBatch: (batch: FetchedBatch) => void;
  /** The position lies outside the log, which begins at `logStartOffset`; the partition stays unassigned until it is assigned again. */
  readonly onOutOfRange: (partition: TopicPartition, position: number, logStartOffset: number) => void;
  /** A fault the loop could not cure by itself within its retries, or a broker that was silent though its connection was up; it goes on trying. */
  readonly onError: (error: Error) => void;
  readonly maxWaitMs?: number;
}

export interface OffsetAndMetadata {
  readonly offset: number;
  readonly metadata: string | null;
}

export interface CommittedOffset extends TopicPartition, OffsetAndMetadata {}

/** What a transactional offset commit must carry so that the broker can refuse a zombie (KIP-447). */
export interface GroupMetadata {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

export interface Assignment {
  readonly partitions: readonly TopicPartition[];
  readonly group: GroupMetadata;
  /** Group instance ids that are no members any more but hold open transactions: `fence` their prefixes before offsets are read. */
  readonly departed: readonly string[];
  /** What the leader's `assign` has told this member beside its partitions; empty: nothing. */
  readonly userData: string;
}

/** What the leader gives one member. */
export interface MemberShare {
  readonly partitions: readonly TopicPartition[];
  /** For this member alone. */
  readonly userData?: string;
}

export interface MembershipOptions {
  readonly groupId: string;
  readonly groupInstanceId: string;
  readonly topics: readonly string[];
  /**
   * What all members of the group agree on: the hash of a topology. One that comes with another is not let in, and waits without disturbing
   * anybody until the others have left; a former self of the same `groupInstanceId` is put out at once. Absent: nothing.
   */
  readonly agreement?: string;
  /** It waits for the members of a group that agrees on something else; told again when they change. */
  readonly onWaiting?: (others: OtherMembers) => void;
  /** Ends the waiting: `join` rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Asked at each join and carried to the leader: what it needs to know of this member for `assign`. */
  readonly userData: () => Uint8Array;
  /** Shares by member id; sticky. Runs in the leader, for whom the whole group waits: a few seconds at most. */
  readonly assign: (
    members: readonly Member[],
  ) => ReadonlyMap<string, MemberShare> | Promise<ReadonlyMap<string, MemberShare>>;
  /** Awaited before the member gives up its partitions: commit what is open; the group's old generation is still good for it. */
  readonly onRevoking: (group: GroupMetadata) => Promise<void>;
  readonly onAssigned: (assignment: Assignment) => void;
  /** The membership is over (another process took the instance id, or the group cannot be reached): nothing may be committed any more. */
  readonly onLost: (error: Error) => void;
  /** The group's coordinator was silent though its connection was up, and is asked on a new one; the place may be lost meanwhile. */
  readonly onSilent?: (error: Error) => void;
  readonly sessionTimeoutMs?: number;
}

export interface OtherMembers {
  /** What they agree on; null: nothing. */
  readonly agreement: string | null;
  /** Their instance ids (member ids of those that have none). */
  readonly names: readonly string[];
}

export interface Member {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly userData: Uint8Array;
  readonly owned: readonly TopicPartition[];
}

export interface Membership {
  /** The group shares out anew, with what `userData` says then. Nothing when it does so already. */
  rejoin(): void;
  /** `forget` false keeps a static member's place for a restart. */
  leave(options: { readonly forget: boolean }): Promise<void>;
}

export interface SendOptions {
  /** max.message.bytes of a topic, where it is known: no batch is made larger, if its records can be sent apart. */
  readonly maxBytesOf?: (topic: string) => number;
}

export interface Transaction extends SendOptions {
  /** Its bytes are the sender's again when it is settled. */
  readonly records: RecordsToSend;
  readonly offsets: readonly CommittedOffset[];
  readonly group: GroupMetadata;
}

/** Offset of the first record written per `topic-partition`; the records of one partition stand together in order. */
export type BaseOffsets = ReadonlyMap<string, number>;

/** Two alternating transactional ids (`<prefix>-a`, `<prefix>-b`); one transaction at a time, in the order of the calls. */
export interface TransactionalProducer {
  /**
   * Writes records and offsets in one transaction and resolves when it is committed.
   * @throws TransactionAbortedError – nothing was written, the caller rewinds to the committed offsets
   * @throws FencedError – another owner has taken over; what happened to the transaction only the committed offsets tell
   */
  commit(transaction: Transaction): Promise<BaseOffsets>;
  close(): Promise<void>;
}

/** Idempotent, without transactions: for at_least_once and for tools. */
export interface PlainProducer {
  send(records: RecordsToSend, options?: SendOptions): Promise<BaseOffsets>;
  close(): Promise<void>;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** Broker's own default when absent. */
  readonly replicationFactor?: number;
  readonly config?: Readonly<Record<string, string>>;
}

export interface KafkaPort {
  /** Refuses with the cure when the brokers cannot do what `guarantee` needs. */
  check(guarantee: 'exactly_once' | 'at_least_once'): Promise<void>;
  /** Partition counts of those of `topics` that exist. */
  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>>;
  createTopics(topics: readonly TopicSpec[]): Promise<void>;
  /** Settings by topic, as they are in force. @throws BrokerRefusalError – one of them is not there */
  topicConfigs(topics: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>>;
  join(options: MembershipOptions): Promise<Membership>;
  fetcher(options: FetcherOptions): Fetcher;
  /** `fence` runs InitProducerId on both ids of a prefix, which settles what a former owner left open. */
  fence(prefix: string): Promise<void>;
  transactionalProducer(prefix: string): Promise<TransactionalProducer>;
  producer(): Promise<PlainProducer>;
  /** Committed offsets; with `requireStable` it waits out pending transactions. A partition without one is absent. */
  committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    options: { readonly requireStable: boolean },
  ): Promise<readonly CommittedOffset[]>;
  /** For at_least_once. */
  commitOffsets(offsets: readonly CommittedOffset[], group: GroupMetadata): Promise<void>;
  earliestOffsets(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>>;
  /** The true log end (isolation 0), not the last stable offset. */
  endOffsets(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>>;
  /** First offset at or after `timestampMs`; the log end where there is none. */
  offsetsForTime(partitions: readonly TopicPartition[], timestampMs: number): Promise<ReadonlyMap<string, number>>;
  deleteRecords(before: readonly (TopicPartition & { readonly offset: number })[]): Promise<void>;
  close(): Promise<void>;
}

/** What an operator's tools need beside it. */
export interface AdminPort {
  /** Names of all topics, those of the broker itself left out. */
  listTopics(): Promise<readonly string[]>;
  /** Those that are not there are left out. Resolves when none of them is listed any more. */
  deleteTopics(topics: readonly string[]): Promise<void>;
  describeGroup(groupId: string): Promise<GroupDescription>;
  /** With all its committed offsets. One that is not there is no error. @throws BrokerRefusalError – it has members */
  deleteGroup(groupId: string): Promise<void>;
}

export interface GroupDescription {
  /** `Dead`: there is none. `Empty`: it has no members, but may have committed offsets. */
  readonly state: string;
  /** A member that is gone is among them until its session has ended. */
  readonly members: readonly { readonly memberId: string; readonly groupInstanceId: string | null }[];
}

export const partitionName = (partition: TopicPartition): string => `${partition.topic}-${partition.partition}`;
