import { Backoff, type ClusterClient } from './cluster-client.ts';
import { BrokerRefusalError, UnsupportedBrokerError } from './errors.ts';
import {
  type CommittedOffset,
  type GroupDescription,
  type GroupMetadata,
  partitionName,
  type TopicPartition,
  type TopicSpec,
} from './port.ts';
import { featuresRequest, listTopicsRequest } from './protocol/cluster.ts';
import {
  deleteGroupRequest,
  describeGroupRequest,
  offsetCommitRequest,
  offsetFetchRequest,
} from './protocol/groups.ts';
import {
  createTopicsRequest,
  deleteRecordsRequest,
  deleteTopicsRequest,
  describeConfigsRequest,
  listOffsetsRequest,
} from './protocol/topics.ts';

const topicAlreadyExists = 36;
const unknownTopic = 3;
const groupIdNotFound = 69;
const unstableOffsetCommit = 88;
/** Timed out, loading, not the controller. */
const tryAgain = [7, 14, 41];
/** Two transactions in a row need TV2 (KIP-890), where the epoch rises with each and a zombie's late records are refused. */
const neededTransactionVersion = 2;

/** @throws UnsupportedBrokerError – with the cure */
export const checkTransactions = async (client: ClusterClient): Promise<void> => {
  const version = (await client.askAny(featuresRequest())).get('transaction.version') ?? 0;
  if (version >= neededTransactionVersion) return;
  throw new UnsupportedBrokerError(
    `exactly_once needs brokers with transaction.version ${neededTransactionVersion}; these have ${version}, so nothing was started. ` +
      'On Kafka ≥ 4.0 run `kafka-features.sh --bootstrap-server … upgrade --feature transaction.version=2`, or use at_least_once.',
  );
};

/** Creates what is missing and waits until every partition has a leader. Topics that exist are left as they are. */
export const createTopics = async (client: ClusterClient, topics: readonly TopicSpec[]): Promise<void> => {
  if (topics.length === 0) return;
  const backoff = new Backoff(30_000, 20);
  let left = topics;
  while (left.length > 0) {
    const results = await client.askAny(createTopicsRequest(left));
    const again = results.filter(({ errorCode }) => tryAgain.includes(errorCode));
    for (const { topic, errorCode, message } of results) {
      if (errorCode === 0 || errorCode === topicAlreadyExists || again.some((one) => one.topic === topic)) continue;
      throw new BrokerRefusalError(`Topic ${topic} was not created`, errorCode, {
        ...(message && { detail: message }),
      });
    }
    left = left.filter(({ name }) => again.some(({ topic }) => topic === name));
    if (left.length > 0 && !(await backoff.again())) {
      throw new BrokerRefusalError(`Topics ${left.map(({ name }) => name).join(', ')} were not created`, 7, {
        retriable: true,
      });
    }
  }
  const names = topics.map(({ name }) => name);
  for (;;) {
    const counts = await client.refresh(names);
    const ready = topics.every(({ name }) => {
      const count = counts.get(name);
      return count !== undefined && partitionsOf(name, count).every((one) => client.leaderOf(one) !== undefined);
    });
    if (ready) return;
    if (!(await backoff.again())) {
      throw new BrokerRefusalError(`Topics ${names.join(', ')} have no leaders yet`, 5, { retriable: true });
    }
  }
};

export const listTopics = (client: ClusterClient): Promise<readonly string[]> => client.askAny(listTopicsRequest());

export const deleteTopics = async (client: ClusterClient, topics: readonly string[]): Promise<void> => {
  const backoff = new Backoff(30_000, 20);
  let left = topics;
  while (left.length > 0) {
    const results = await client.askAny(deleteTopicsRequest(left));
    const refused = results.find(({ errorCode }) => ![0, unknownTopic, ...tryAgain].includes(errorCode));
    if (refused !== undefined)
      throw new BrokerRefusalError(`Topic ${refused.topic} was not deleted`, refused.errorCode);
    const there = new Set(await listTopics(client));
    left = left.filter((topic) => there.has(topic));
    if (left.length > 0 && !(await backoff.again()))
      throw new BrokerRefusalError(`Topics ${left.join(', ')} are still there`, 7, { retriable: true });
  }
};

export const describeGroup = async (client: ClusterClient, groupId: string): Promise<GroupDescription> => {
  const answer = await client.askCoordinator('group', groupId, describeGroupRequest(groupId), (one) => one.errorCode);
  if (answer.errorCode !== 0) throw new BrokerRefusalError(`Description of group ${groupId}`, answer.errorCode);
  return { state: answer.state, members: answer.members };
};

export const deleteGroup = async (client: ClusterClient, groupId: string): Promise<void> => {
  const errorCode = await client.askCoordinator('group', groupId, deleteGroupRequest(groupId), (code) => code);
  if (errorCode !== 0 && errorCode !== groupIdNotFound)
    throw new BrokerRefusalError(`Group ${groupId} was not deleted`, errorCode);
};

export const topicConfigs = async (
  client: ClusterClient,
  topics: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> => {
  if (topics.length === 0) return new Map();
  const answers = await client.askAny(describeConfigsRequest(topics));
  for (const { topic, errorCode, message } of answers)
    if (errorCode !== 0)
      throw new BrokerRefusalError(`Settings of topic ${topic}`, errorCode, { ...(message && { detail: message }) });
  return new Map(answers.map(({ topic, configs }) => [topic, configs]));
};

const partitionsOf = (topic: string, count: number): readonly TopicPartition[] =>
  Array.from({ length: count }, (_, partition) => ({ topic, partition }));

const offsets = async (
  client: ClusterClient,
  partitions: readonly TopicPartition[],
  timestamp: number,
): Promise<Map<string, number>> => {
  const found = await client.askLeaders(partitions, (items) => listOffsetsRequest(items, timestamp));
  return new Map(found.map((one) => [partitionName(one), one.offset]));
};

export const earliestOffsets = (
  client: ClusterClient,
  partitions: readonly TopicPartition[],
): Promise<Map<string, number>> => offsets(client, partitions, -2);

export const endOffsets = (
  client: ClusterClient,
  partitions: readonly TopicPartition[],
): Promise<Map<string, number>> => offsets(client, partitions, -1);

export const offsetsForTime = async (
  client: ClusterClient,
  partitions: readonly TopicPartition[],
  timestampMs: number,
): Promise<Map<string, number>> => {
  // The end is read first: what is written meanwhile lies behind it and is read then, never skipped.
  const ends = await endOffsets(client, partitions);
  const found = await offsets(client, partitions, timestampMs);
  for (const [name, offset] of found) if (offset < 0) found.set(name, ends.get(name) ?? 0);
  return found;
};

export const deleteRecords = async (
  client: ClusterClient,
  before: readonly (TopicPartition & { readonly offset: number })[],
): Promise<void> => {
  await client.askLeaders(before, deleteRecordsRequest);
};

export const committedOffsets = async (
  client: ClusterClient,
  groupId: string,
  partitions: readonly TopicPartition[],
  requireStable: boolean,
): Promise<readonly CommittedOffset[]> => {
  if (partitions.length === 0) return [];
  const request = offsetFetchRequest(groupId, partitions, requireStable);
  const answer = await client.askCoordinator(
    'group',
    groupId,
    request,
    ({ errorCode, partitions: found }) => errorCode || (found.find((one) => one.errorCode !== 0)?.errorCode ?? 0),
    // A transaction that nobody ends blocks its offsets until the broker times it out, which it looks for each 10 s.
    { withinMs: 60_000, repeatable: [unstableOffsetCommit] },
  );
  const refused = answer.errorCode || answer.partitions.find((one) => one.errorCode !== 0)?.errorCode;
  if (refused) throw new BrokerRefusalError(`Committed offsets of group ${groupId}`, refused, { retriable: true });
  return answer.partitions
    .filter(({ offset }) => offset >= 0)
    .map(({ topic, partition, offset, metadata }) => ({ topic, partition, offset, metadata }));
};

/** Commits outside a transaction, for at_least_once. */
export const commitOffsets = async (
  client: ClusterClient,
  toCommit: readonly CommittedOffset[],
  group: GroupMetadata,
): Promise<void> => {
  if (toCommit.length === 0) return;
  const firstError = (results: readonly { readonly errorCode: number }[]): number =>
    results.find(({ errorCode }) => errorCode !== 0)?.errorCode ?? 0;
  const results = await client.askCoordinator('group', group.groupId, offsetCommitRequest(group, toCommit), firstError);
  const refused = firstError(results);
  if (refused)
    throw new BrokerRefusalError(`Offsets of group ${group.groupId} were not committed`, refused, { retriable: true });
};
