import {
  checkTransactions,
  commitOffsets,
  committedOffsets,
  createTopics,
  deleteGroup,
  deleteRecords,
  deleteTopics,
  describeGroup,
  earliestOffsets,
  endOffsets,
  listTopics,
  offsetsForTime,
  topicConfigs,
} from './admin.ts';
import { ClusterClient } from './cluster-client.ts';
import { FetchLoop } from './fetch-loop.ts';
import { join } from './group-membership.ts';
import type { ConnectionConfig } from './kafkajs-seam/patched-kafkajs.ts';
import { IdempotentProducer } from './plain-producer.ts';
import type { AdminPort, KafkaPort } from './port.ts';
import { AlternatingProducer, initialise } from './transactional-producer.ts';

/** Kafka, over kafkajs's connections. Opens nothing until it is first asked. */
export class KafkajsPort implements KafkaPort, AdminPort {
  readonly #client: ClusterClient;

  constructor(config: ConnectionConfig) {
    this.#client = new ClusterClient(config);
  }

  check: KafkaPort['check'] = async (guarantee) => {
    if (guarantee === 'exactly_once') await checkTransactions(this.#client);
  };
  partitionCounts: KafkaPort['partitionCounts'] = (topics) => this.#client.refresh(topics);
  createTopics: KafkaPort['createTopics'] = (topics) => createTopics(this.#client, topics);
  topicConfigs: KafkaPort['topicConfigs'] = (topics) => topicConfigs(this.#client, topics);
  join: KafkaPort['join'] = (options) => join(this.#client, options);
  fetcher: KafkaPort['fetcher'] = (options) => new FetchLoop(this.#client, options);
  fence: KafkaPort['fence'] = async (prefix) => {
    await Promise.all([initialise(this.#client, `${prefix}-a`), initialise(this.#client, `${prefix}-b`)]);
  };
  transactionalProducer: KafkaPort['transactionalProducer'] = (prefix) =>
    AlternatingProducer.open(this.#client, prefix);
  producer: KafkaPort['producer'] = async () => new IdempotentProducer(this.#client);
  committedOffsets: KafkaPort['committedOffsets'] = (groupId, partitions, { requireStable }) =>
    committedOffsets(this.#client, groupId, partitions, requireStable);
  commitOffsets: KafkaPort['commitOffsets'] = (offsets, group) => commitOffsets(this.#client, offsets, group);
  earliestOffsets: KafkaPort['earliestOffsets'] = (partitions) => earliestOffsets(this.#client, partitions);
  endOffsets: KafkaPort['endOffsets'] = (partitions) => endOffsets(this.#client, partitions);
  offsetsForTime: KafkaPort['offsetsForTime'] = (partitions, timestampMs) =>
    offsetsForTime(this.#client, partitions, timestampMs);
  deleteRecords: KafkaPort['deleteRecords'] = (before) => deleteRecords(this.#client, before);
  listTopics: AdminPort['listTopics'] = () => listTopics(this.#client);
  deleteTopics: AdminPort['deleteTopics'] = (topics) => deleteTopics(this.#client, topics);
  describeGroup: AdminPort['describeGroup'] = (groupId) => describeGroup(this.#client, groupId);
  deleteGroup: AdminPort['deleteGroup'] = (groupId) => deleteGroup(this.#client, groupId);
  close: KafkaPort['close'] = async () => this.#client.close();
}
