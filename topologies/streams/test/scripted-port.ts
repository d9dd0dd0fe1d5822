import { InMemoryBroker } from '../kafka/in-memory-broker.ts';
import type {
  Assignment,
  Fetcher,
  FetcherOptions,
  KafkaPort,
  MembershipOptions,
  ProducedRecord,
  TopicPartition,
  Transaction,
} from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';

/** The port over logs in memory, with a group and transactions that the test moves by hand: for races that a broker gives once in a while. */
export class ScriptedPort implements KafkaPort {
  readonly broker = new InMemoryBroker();
  readonly transactions: (Transaction & { readonly records: readonly ProducedRecord[] })[] = [];
  readonly deleted: (TopicPartition & { readonly offset: number })[] = [];
  /** Members that have joined and not left. */
  readonly members: MembershipOptions[] = [];
  /** How often members have asked for a rebalance. */
  rejoins = 0;
  /** Awaited in the middle of each transaction; a rejection aborts it. */
  onCommit: (transaction: Transaction) => Promise<void> = async () => {};
  /** Awaited before a member has joined; gives what it is assigned. */
  onJoin: (member: MembershipOptions) => Promise<Assignment | null> = async (member) => this.assignment(member, 1);
  readonly #fetchers = new Set<ScriptedFetcher>();

  /** All partitions of the member's topics. */
  assignment(member: MembershipOptions, generationId: number, memberId = 'member-1'): Assignment {
    const partitions = member.topics.flatMap((topic) =>
      Array.from({ length: this.broker.partitionsOf(topic) }, (_, partition) => ({ topic, partition })),
    );
    const { groupId, groupInstanceId } = member;
    return { partitions, group: { groupId, generationId, memberId, groupInstanceId }, departed: [], userData: '' };
  }

  append(records: readonly ProducedRecord[]) {
    const base = this.broker.append(records);
    for (const fetcher of this.#fetchers) fetcher.wake();
    return base;
  }

  check: KafkaPort['check'] = async () => {};
  partitionCounts: KafkaPort['partitionCounts'] = async (topics) =>
    new Map(topics.filter((topic) => this.broker.has(topic)).map((topic) => [topic, this.broker.partitionsOf(topic)]));
  createTopics: KafkaPort['createTopics'] = async (topics) => {
    for (const { name, partitions } of topics) this.broker.createTopic(name, partitions);
  };
  join: KafkaPort['join'] = async (member) => {
    this.members.push(member);
    const assignment = await this.onJoin(member);
    if (assignment !== null) member.onAssigned(assignment);
    return {
      rejoin: () => {
        this.rejoins += 1;
      },
      leave: async () => {
        this.members.splice(this.members.indexOf(member), 1);
      },
    };
  };
  fetcher = (options: FetcherOptions): Fetcher => {
    const fetcher = new ScriptedFetcher(this.broker, options, () => this.#fetchers.delete(fetcher));
    this.#fetchers.add(fetcher);
    return fetcher;
  };
  fence: KafkaPort['fence'] = async () => {};
  transactionalProducer: KafkaPort['transactionalProducer'] = async () => ({
    commit: async (transaction) => {
      await this.onCommit(transaction);
      const records = [...transaction.records];
      this.transactions.push({ ...transaction, records });
      this.broker.commit(transaction.group.groupId, transaction.offsets);
      return this.append(records);
    },
    close: async () => {},
  });
  producer: KafkaPort['producer'] = async () => ({
    send: async (records) => this.append([...records]),
    close: async () => {},
  });
  committedOffsets: KafkaPort['committedOffsets'] = async (groupId, partitions) =>
    this.broker.committed(groupId, partitions);
  commitOffsets: KafkaPort['commitOffsets'] = async (offsets, { groupId }) => this.broker.commit(groupId, offsets);
  earliestOffsets: KafkaPort['earliestOffsets'] = async (partitions) =>
    new Map(partitions.map((partition) => [partitionName(partition), 0]));
  endOffsets: KafkaPort['endOffsets'] = async (partitions) =>
    new Map(partitions.map((partition) => [partitionName(partition), this.broker.end(partition)]));
  topicConfigs: KafkaPort['topicConfigs'] = async (topics) => new Map(topics.map((topic) => [topic, new Map()]));
  offsetsForTime: KafkaPort['offsetsForTime'] = (partitions) => this.endOffsets(partitions);
  deleteRecords: KafkaPort['deleteRecords'] = async (before) => {
    this.deleted.push(...before);
  };
  close: KafkaPort['close'] = async () => {};
}

class ScriptedFetcher implements Fetcher {
  readonly #readings = new Map<string, { readonly at: TopicPartition; offset: number; paused: boolean }>();
  readonly #broker: InMemoryBroker;
  readonly #options: FetcherOptions;
  readonly #gone: () => void;
  #turn: NodeJS.Immediate | null = null;

  constructor(broker: InMemoryBroker, options: FetcherOptions, gone: () => void) {
    this.#broker = broker;
    this.#options = options;
    this.#gone = gone;
  }

  assign({ topic, partition }: TopicPartition, offset: number): void {
    this.#readings.set(partitionName({ topic, partition }), { at: { topic, partition }, offset, paused: false });
    this.wake();
  }

  unassign(partition: TopicPartition): void {
    this.#readings.delete(partitionName(partition));
  }

  pause(partition: TopicPartition): void {
    const reading = this.#readings.get(partitionName(partition));
    if (reading) reading.paused = true;
  }

  resume(partition: TopicPartition): void {
    const reading = this.#readings.get(partitionName(partition));
    if (reading) reading.paused = false;
    this.wake();
  }

  wake(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = null;
      for (const [name, reading] of [...this.#readings]) {
        if (reading.paused || this.#readings.get(name) !== reading) continue;
        const batch = this.#broker.fetch(reading.at, reading.offset, 100);
        reading.offset = batch.nextOffset;
        this.#options.onBatch(batch);
        if (batch.nextOffset < batch.highWatermark) this.wake();
      }
    });
  }

  async close(): Promise<void> {
    if (this.#turn !== null) clearImmediate(this.#turn);
    this.#readings.clear();
    this.#gone();
  }
}
