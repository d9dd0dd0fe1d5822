import { InMemoryBroker } from '@bookstream/streams/kafka/in-memory-broker';
import { partitionForKey } from '@bookstream/streams/kafka/partitioner';
import {
  type ConsumedRecord,
  type Fetcher,
  type FetcherOptions,
  type KafkaPort,
  type MembershipOptions,
  type ProducedRecord,
  partitionName,
  type TopicPartition,
} from '@bookstream/streams/kafka/port';

/** The port over logs in memory, as far as projections use it: reading, plain sends, and a group in which members come and go. */
export class InMemoryPort implements KafkaPort {
  readonly broker = new InMemoryBroker();
  readonly #fetchers = new Set<InMemoryFetcher>();
  readonly #groups = new Map<string, Group>();

  /** Sends a keyed record where every client would. @returns where it stands */
  put<V>(
    topic: { readonly name: string; readonly valueSerde: { serialize(topic: string, value: V): Uint8Array } },
    key: string,
    value: V,
  ): TopicPartition & { readonly offset: number } {
    return this.putBytes(topic.name, key, topic.valueSerde.serialize(topic.name, value));
  }

  putBytes(topic: string, key: string, value: Uint8Array | null): TopicPartition & { readonly offset: number } {
    const bytes = new TextEncoder().encode(key);
    const partition = partitionForKey(bytes, this.broker.partitionsOf(topic));
    const offset = this.broker.end({ topic, partition });
    this.#append([{ topic, partition, timestamp: 1_000 + offset, key: bytes, value, headers: [] }]);
    return { topic, partition, offset };
  }

  records(topic: string): readonly ConsumedRecord[] {
    return this.broker.records(topic);
  }

  #append(records: readonly ProducedRecord[]) {
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
  join: KafkaPort['join'] = async (options) => {
    const group = this.#groups.get(options.groupId) ?? new Group(options.groupId);
    this.#groups.set(options.groupId, group);
    await group.add(options);
    return { rejoin: () => {}, leave: () => group.remove(options.groupInstanceId) };
  };
  fetcher = (options: FetcherOptions): Fetcher => {
    const fetcher = new InMemoryFetcher(this.broker, options, () => this.#fetchers.delete(fetcher));
    this.#fetchers.add(fetcher);
    return fetcher;
  };
  producer: KafkaPort['producer'] = async () => ({
    send: async (records) => this.#append([...records]),
    close: async () => {},
  });
  earliestOffsets: KafkaPort['earliestOffsets'] = async (partitions) =>
    new Map(partitions.map((partition) => [partitionName(partition), 0]));
  endOffsets: KafkaPort['endOffsets'] = async (partitions) =>
    new Map(partitions.map((partition) => [partitionName(partition), this.broker.end(partition)]));
  close: KafkaPort['close'] = async () => {};

  fence: KafkaPort['fence'] = () => notHere();
  transactionalProducer: KafkaPort['transactionalProducer'] = () => notHere();
  committedOffsets: KafkaPort['committedOffsets'] = () => notHere();
  commitOffsets: KafkaPort['commitOffsets'] = () => notHere();
  offsetsForTime: KafkaPort['offsetsForTime'] = () => notHere();
  deleteRecords: KafkaPort['deleteRecords'] = () => notHere();
  topicConfigs: KafkaPort['topicConfigs'] = () => notHere();
}

const notHere = (): Promise<never> => Promise.reject(new Error('projections do not use this'));

const batchRecords = 100;

class InMemoryFetcher implements Fetcher {
  readonly #positions = new Map<string, { readonly at: TopicPartition; offset: number; paused: boolean }>();
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
    this.#positions.set(partitionName({ topic, partition }), { at: { topic, partition }, offset, paused: false });
    this.wake();
  }

  unassign(partition: TopicPartition): void {
    this.#positions.delete(partitionName(partition));
  }

  pause(partition: TopicPartition): void {
    const position = this.#positions.get(partitionName(partition));
    if (position) position.paused = true;
  }

  resume(partition: TopicPartition): void {
    const position = this.#positions.get(partitionName(partition));
    if (position) position.paused = false;
    this.wake();
  }

  wake(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = null;
      for (const [name, position] of [...this.#positions]) {
        if (position.paused || this.#positions.get(name) !== position) continue;
        const end = this.#broker.end(position.at);
        if (position.offset > end) {
          this.#positions.delete(name);
          this.#options.onOutOfRange(position.at, position.offset, 0);
          continue;
        }
        const batch = this.#broker.fetch(position.at, position.offset, batchRecords);
        position.offset = batch.nextOffset;
        this.#options.onBatch(batch);
        if (batch.nextOffset < end) this.wake();
      }
    });
  }

  async close(): Promise<void> {
    if (this.#turn !== null) clearImmediate(this.#turn);
    this.#positions.clear();
    this.#gone();
  }
}

/** A group whose members are told at once; each change gives everybody a new generation. */
class Group {
  readonly #id: string;
  readonly #members = new Map<string, { readonly options: MembershipOptions; owned: readonly TopicPartition[] }>();
  #generation = 0;

  constructor(id: string) {
    this.#id = id;
  }

  async add(options: MembershipOptions): Promise<void> {
    this.#members.set(options.groupInstanceId, { options, owned: [] });
    await this.#rebalance();
  }

  async remove(instance: string): Promise<void> {
    await this.#members.get(instance)?.options.onRevoking(this.#metadata(instance));
    this.#members.delete(instance);
    await this.#rebalance();
  }

  #metadata(instance: string) {
    return { groupId: this.#id, generationId: this.#generation, memberId: instance, groupInstanceId: instance };
  }

  async #rebalance(): Promise<void> {
    for (const [instance, { options }] of this.#members) await options.onRevoking(this.#metadata(instance));
    this.#generation += 1;
    const [leader] = this.#members.values();
    const shares = await leader?.options.assign(
      [...this.#members].map(([memberId, { owned }]) => ({
        memberId,
        groupInstanceId: memberId,
        userData: new Uint8Array(),
        owned,
      })),
    );
    for (const [instance, member] of this.#members) {
      member.owned = shares?.get(instance)?.partitions ?? [];
      const group = this.#metadata(instance);
      member.options.onAssigned({ partitions: member.owned, group, departed: [], userData: '' });
    }
  }
}
