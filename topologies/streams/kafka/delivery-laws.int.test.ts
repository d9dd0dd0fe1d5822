import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import { readCommitted } from '../test/read-committed.ts';
import { WireTap } from '../test/wire-tap.ts';
import { ByteWriter } from './bytes.ts';
import { ClusterClient } from './cluster-client.ts';
import { type Assignment, connectKafka, type GroupMetadata, type KafkaPort, TransactionAbortedError } from './index.ts';
import { produceRequest } from './protocol/produce.ts';
import { writeBatch } from './record-batch.ts';
import { RecordPack } from './record-pack.ts';
import { initialise } from './transactional-producer.ts';

let tap: WireTap;
let broker: KafkaBroker;
/** Behind the tap. */
let kafka: KafkaPort;
let client: ClusterClient;

beforeAll(async () => {
  tap = await WireTap.open();
  broker = await startKafkaBroker({
    listener: { protocol: 'PLAINTEXT', advertisedPort: tap.port },
    properties: { 'group.min.session.timeout.ms': '1000' },
  });
  tap.forwardTo(broker.secondServers);
  kafka = await connectKafka({ bootstrapServers: `127.0.0.1:${tap.port}`, clientId: 'laws' });
  client = new ClusterClient({ bootstrapServers: [broker.bootstrapServers], clientId: 'laws' });
  await kafka.createTopics([{ name: 'in', partitions: 1 }]);
}, 120_000);
afterEach(() => {
  tap.cutAt = () => false;
});
afterAll(async () => {
  client?.close();
  await kafka?.close();
  await broker?.[Symbol.asyncDispose]();
  await tap?.[Symbol.asyncDispose]();
});

const record = (topic: string, value: string) => ({
  topic,
  partition: 0,
  timestamp: Date.now(),
  key: null,
  value: Buffer.from(value),
  headers: [],
});
const input = { topic: 'in', partition: 0 };
const at = (offset: number) => [{ ...input, offset, metadata: null }];
const nobody = (groupId: string): GroupMetadata => ({ groupId, generationId: -1, memberId: '', groupInstanceId: null });

/** All that a reader of committed records sees of a topic. */
async function read(topic: string): Promise<string[]> {
  const values: string[] = [];
  await readCommitted(kafka, topic, ({ value }) => values.push(Buffer.from(value ?? []).toString()));
  return values;
}

const [produceKey, fetchKey, heartbeatKey, endTxnKey] = [0, 1, 12, 26];
const clientIdLength = 'laws'.length;
/** What follows the header of a flexible request: a compact string, in both that are asked here. */
const transactionalIdOf = (frame: Buffer): string => {
  const from = 10 + clientIdLength + 1;
  return frame.subarray(from + 1, from + (frame[from] ?? 1)).toString();
};
/** Where a request says who produces: of a Produce in its first batch. */
const producerOf = (frame: Buffer): string => {
  const key = frame.readInt16BE(0);
  const behindId = 10 + clientIdLength + 1 + (frame[10 + clientIdLength + 1] ?? 0);
  // acks, time-out, topics, name, partitions, partition, length of 1 byte (the batch is short); the batch has 43 bytes before it.
  const place = key === endTxnKey ? behindId : behindId + 2 + 4 + 1 + (frame[behindId + 7] ?? 0) + 1 + 4 + 1 + 43;
  return `${frame.readBigInt64BE(place)}/${frame.readInt16BE(place + 8)}`;
};
/** EndTxn v5's: correlation, tags, throttle, error, id, epoch. */
const nextProducerOf = (answer: Buffer): string => `${answer.readBigInt64BE(11)}/${answer.readInt16BE(19)}`;
/** Cuts the connection at the first such frame. */
const cutOnce = (direction: 'request' | 'answer', apiKey: number): (() => boolean) => {
  let cut = false;
  tap.cutAt = (frame, which, { requests }) => {
    const key =
      which === 'request'
        ? frame.readInt16BE(0)
        : requests.find(({ bytes }) => bytes.readInt32BE(4) === frame.readInt32BE(0))?.bytes.readInt16BE(0);
    if (cut || which !== direction || key !== apiKey) return false;
    cut = true;
    return true;
  };
  return () => cut;
};

describe('transactions', () => {
  test('take two ids in turn, each with what its last end has answered; nothing is produced on an id before that', async () => {
    await kafka.createTopics([{ name: 'turns', partitions: 1 }]);
    const producer = await kafka.transactionalProducer('turns/one');
    const commits = Array.from({ length: 10 }, (_, n) =>
      producer.commit({ records: [record('turns', `${n}`)], offsets: at(n), group: nobody('turns') }),
    );
    await Promise.all(commits);
    await producer.close();
    const frames = tap.connections
      .flatMap(({ requests, answers }) =>
        requests.flatMap(({ atMs, bytes }) => {
          const key = bytes.readInt16BE(0);
          if (key !== produceKey && key !== endTxnKey) return [];
          const answer = answers.find((one) => one.bytes.readInt32BE(0) === bytes.readInt32BE(4));
          if (answer === undefined || !transactionalIdOf(bytes).startsWith('turns/')) return [];
          return [{ key, id: transactionalIdOf(bytes), producer: producerOf(bytes), atMs, answer }];
        }),
      )
      .sort((a, b) => a.atMs - b.atMs);
    const ends = frames.filter(({ key }) => key === endTxnKey);
    const turns = ends.map(({ id }) => id.slice(-1)).filter((id, index, all) => id !== all[index - 1]);
    expect(turns.join('')).toBe('ababababab');
    for (const [index, frame] of frames.entries()) {
      const before = ends.filter(({ id, atMs }) => id === frame.id && atMs < frame.atMs).at(-1);
      if (before === undefined) continue;
      expect(frame.atMs, `${index}: API ${frame.key} before the answer to EndTxn`).toBeGreaterThan(before.answer.atMs);
      if (before.answer.bytes.readInt16BE(9) === 0) expect(frame.producer).toBe(nextProducerOf(before.answer.bytes));
    }
    expect(await read('turns')).toEqual(Array.from({ length: 10 }, (_, n) => `${n}`));
  });

  for (const [what, direction, key] of [
    ['the answer to EndTxn is lost', 'answer', endTxnKey],
    ['EndTxn itself is lost', 'request', endTxnKey],
    ['the answer to Produce is lost', 'answer', produceKey],
    ['the answer to TxnOffsetCommit is lost', 'answer', 28],
  ] as const) {
    test(`are committed once though ${what}`, async () => {
      const topic = `lost-${direction}-${key}`;
      await kafka.createTopics([{ name: topic, partitions: 1 }]);
      const producer = await kafka.transactionalProducer(`${topic}/one`);
      const wasCut = cutOnce(direction, key);
      for (const n of [1, 2, 3])
        await producer.commit({ records: [record(topic, `${n}`)], offsets: at(n), group: nobody(topic) });
      expect(wasCut()).toBe(true);
      expect(await read(topic)).toEqual(['1', '2', '3']);
      expect(await kafka.committedOffsets(topic, [input], { requireStable: true })).toMatchObject([{ offset: 3 }]);
      await producer.close();
    });
  }
});

/** Joins with everything; the assignments as they come. */
async function member(
  groupId: string,
  groupInstanceId: string,
  onRevoking: (g: GroupMetadata) => Promise<void> = async () => {},
) {
  const assigned: Assignment[] = [];
  const lost: Error[] = [];
  const membership = await kafka.join({
    groupId,
    groupInstanceId,
    topics: ['in'],
    userData: () => new Uint8Array(0),
    assign: (members) =>
      new Map(members.map(({ memberId }, index) => [memberId, { partitions: index === 0 ? [input] : [] }])),
    onRevoking,
    onAssigned: (assignment) => void assigned.push(assignment),
    onLost: (error) => void lost.push(error),
    sessionTimeoutMs: 1_500,
  });
  const group = () => (assigned.at(-1) as Assignment).group; // join resolves after the first
  return { membership, assigned, lost, group };
}

describe('a zombie', () => {
  test('of an older generation, and one whose place was taken, is refused, and nothing of it is seen', async () => {
    await kafka.createTopics([{ name: 'zombie', partitions: 1 }]);
    const producer = await kafka.transactionalProducer('zombie/x');
    const commit = (value: string, group: GroupMetadata) =>
      producer.commit({ records: [record('zombie', value)], offsets: at(1), group });
    const one = await member('zombie', 'one');
    const before = one.group();
    const two = await member('zombie', 'two');
    await expect.poll(() => one.assigned.length, { timeout: 10_000 }).toBeGreaterThan(1);
    await expect(commit('older generation', before)).rejects.toMatchObject({ membershipLost: true });
    const current = one.group();
    await commit('member', current);
    const again = await member('zombie', 'one');
    const refused = await commit('place taken', current).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(TransactionAbortedError);
    expect(String(refused)).toContain('FENCED_INSTANCE_ID');
    await expect.poll(() => one.lost.length, { timeout: 10_000 }).toBe(1); // kafkajs is told at its next heartbeat
    expect(await read('zombie')).toEqual(['member']);
    await producer.close();
    for (const { membership } of [one, two, again]) await membership.leave({ forget: true });
  });
});

test('a member may take longer than its session before it gives up its partitions, and still commits', async () => {
  await kafka.createTopics([{ name: 'leaving', partitions: 1 }]);
  const producer = await kafka.transactionalProducer('leaving/one');
  let committed: Promise<unknown> | null = null;
  const one = await member('leaving', 'one', async (group) => {
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // what a long slice of work takes
    committed = producer.commit({ records: [record('leaving', 'last')], offsets: at(1), group });
    await committed;
  });
  const joining = member('leaving', 'two');
  await expect.poll(() => committed, { timeout: 10_000 }).not.toBeNull();
  await committed;
  const two = await joining;
  expect(await read('leaving')).toEqual(['last']);
  expect(one.lost).toEqual([]);
  // It only holds its place: nothing is fetched where it beats.
  const beating = tap.connections.filter(({ requests }) =>
    requests.some(({ bytes }) => bytes.readInt16BE(0) === heartbeatKey),
  );
  expect(beating.length).toBeGreaterThan(0);
  for (const { requests } of beating) expect(requests.map(({ bytes }) => bytes.readInt16BE(0))).not.toContain(fetchKey);
  await producer.close();
  for (const { membership } of [one, two]) await membership.leave({ forget: true });
});

/** A transaction that its owner has begun and will not end. */
async function openTransaction(transactionalId: string, topic: string): Promise<void> {
  const producer = await initialise(client, transactionalId);
  await client.refresh([topic]);
  const slab = new ByteWriter();
  const [list] = RecordPack.of([record(topic, 'open')]).lists;
  if (list === undefined) throw new Error('nothing was packed');
  writeBatch(slab, [{ list, from: 0, to: 1 }], { ...producer, transactional: true, baseSequence: 0 });
  const batches = [{ topic, partition: 0, batch: Buffer.from(slab.bytes()) }];
  await client.askLeaders(batches, (items) => produceRequest(transactionalId, items, 5_000));
}

test('what an instance that has gone left open is named to the new owner, hides nothing from the end offset, and ends when it is fenced', async () => {
  await kafka.createTopics([{ name: 'open', partitions: 1 }]);
  await openTransaction('departing/gone-b', 'open');
  const end = new Map([['open-0', 1]]);
  expect(await kafka.endOffsets([{ topic: 'open', partition: 0 }])).toEqual(end);
  const { membership, assigned } = await member('departing', 'new');
  expect(assigned[0]?.departed).toEqual(['gone']);
  const from = performance.now();
  await kafka.fence('departing/gone');
  expect(await read('open')).toEqual([]);
  expect(performance.now() - from).toBeLessThan(5_000); // the broker itself ends it after 8 s at the earliest
  await membership.leave({ forget: true });
  const next = await member('departing', 'new');
  expect(next.assigned[0]?.departed).toEqual([]);
  await next.membership.leave({ forget: true });
});

test('offsets of an open transaction are waited for, not passed over', async () => {
  await kafka.createTopics([{ name: 'pending', partitions: 1 }]);
  const producer = await kafka.transactionalProducer('pending/one');
  await producer.commit({ records: [], offsets: at(1), group: nobody('pending') });
  let cuts = 0;
  const from = performance.now();
  tap.cutAt = (frame, direction) => {
    if (direction !== 'request' || frame.readInt16BE(0) !== endTxnKey || performance.now() > from + 500) return false;
    cuts += 1;
    return true;
  };
  const committing = producer.commit({ records: [record('pending', 'x')], offsets: at(2), group: nobody('pending') });
  await expect.poll(() => cuts, { interval: 1 }).toBeGreaterThan(0); // so the offsets are there, and pending
  expect(await kafka.committedOffsets('pending', [input], { requireStable: true })).toMatchObject([{ offset: 2 }]);
  await committing;
  await producer.close();
});
