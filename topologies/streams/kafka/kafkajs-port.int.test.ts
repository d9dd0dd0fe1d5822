import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import {
  connectKafka,
  FencedError,
  type FetchedBatch,
  type GroupMetadata,
  type KafkaPort,
  type ProducedRecord,
  TransactionAbortedError,
} from './index.ts';

let broker: KafkaBroker;
let kafka: KafkaPort;
beforeAll(async () => {
  broker = await startKafkaBroker();
  kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'port-test' });
}, 120_000);
afterAll(async () => {
  await kafka?.close();
  await broker?.[Symbol.asyncDispose]();
});

const bytes = (text: string) => new TextEncoder().encode(text);
const record = (topic: string, value: string, partition = 0): ProducedRecord => ({
  topic,
  partition,
  timestamp: Date.now(),
  key: bytes('k'),
  value: bytes(value),
  headers: [['h', bytes('v')]],
});
const nobody = (groupId: string): GroupMetadata => ({ groupId, generationId: -1, memberId: '', groupInstanceId: null });

/** Reads a partition until `count` records have come. */
async function read(
  topic: string,
  count: number,
  isolation: 'read_committed' | 'read_uncommitted' = 'read_committed',
): Promise<string[]> {
  const values: string[] = [];
  let done = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const fetcher = kafka.fetcher({
    isolation,
    onBatch: (batch: FetchedBatch) => {
      for (const { value } of batch.records) values.push(Buffer.from(value ?? []).toString());
      if (values.length >= count) done();
    },
    onOutOfRange: () => {},
    onError: (error) => {
      throw error;
    },
  });
  fetcher.assign({ topic, partition: 0 }, 0);
  await all;
  await fetcher.close();
  return values;
}

test('a transaction carries records and offsets, and both are there when it resolves', async () => {
  await kafka.check('exactly_once');
  await kafka.createTopics([{ name: 'tx', partitions: 1 }]);
  const producer = await kafka.transactionalProducer('tx-app/one');
  const base = await producer.commit({
    records: [record('tx', 'a'), record('tx', 'b')],
    offsets: [{ topic: 'tx', partition: 0, offset: 7, metadata: '99' }],
    group: nobody('tx-app'),
  });
  expect(base.get('tx-0')).toBe(0);
  for (const value of ['c', 'd', 'e'])
    await producer.commit({ records: [record('tx', value)], offsets: [], group: nobody('tx-app') });
  expect(await read('tx', 5)).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(await kafka.committedOffsets('tx-app', [{ topic: 'tx', partition: 0 }], { requireStable: true })).toEqual([
    { topic: 'tx', partition: 0, offset: 7, metadata: '99' },
  ]);
  await producer.close();
});

test('a group that refuses the offsets aborts the transaction: its records are never seen', async () => {
  await kafka.createTopics([{ name: 'aborted', partitions: 1 }]);
  const producer = await kafka.transactionalProducer('abort-app/one');
  const foreign: GroupMetadata = { groupId: 'abort-app', generationId: 5, memberId: 'nobody', groupInstanceId: null };
  const commit = producer.commit({
    records: [record('aborted', 'lost')],
    offsets: [{ topic: 'aborted', partition: 0, offset: 1, metadata: null }],
    group: foreign,
  });
  await expect(commit).rejects.toThrow(TransactionAbortedError);
  await producer.commit({ records: [record('aborted', 'kept')], offsets: [], group: nobody('abort-app') });
  expect(await read('aborted', 1)).toEqual(['kept']);
  await producer.close();
});

test('a second owner of the ids shuts the first one out', async () => {
  await kafka.createTopics([{ name: 'owned', partitions: 1 }]);
  const first = await kafka.transactionalProducer('owned-app/one');
  await first.commit({ records: [record('owned', 'first')], offsets: [], group: nobody('owned-app') });
  const second = await kafka.transactionalProducer('owned-app/one');
  await second.commit({ records: [record('owned', 'second')], offsets: [], group: nobody('owned-app') });
  await expect(
    first.commit({ records: [record('owned', 'zombie')], offsets: [], group: nobody('owned-app') }),
  ).rejects.toThrow(FencedError);
  expect(await read('owned', 2)).toEqual(['first', 'second']);
  await Promise.all([first.close(), second.close()]);
});

/** What a reader of one partition is told from `offset` on, until `enough` of it has come. */
async function follow(
  topic: string,
  offset: number,
  take: (value: string) => void,
  enough: (seen: { readonly lost: readonly [number, number][]; readonly errors: readonly string[] }) => boolean,
) {
  const seen = { lost: [] as [number, number][], errors: [] as string[] };
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: ({ records }) => {
      for (const { value } of records) take(Buffer.from(value ?? []).toString());
    },
    onOutOfRange: (partition, position, start) => {
      seen.lost.push([position, start]);
      fetcher.assign(partition, start);
    },
    onError: (error) => seen.errors.push(error.message),
  });
  fetcher.assign({ topic, partition: 0 }, offset);
  await expect.poll(() => enough(seen), { timeout: 10_000 }).toBe(true);
  await fetcher.close();
  return seen;
}

test.each([
  ['read_committed', 0],
  ['read_uncommitted', 2],
] as const)(
  '%s: an answer tells where reading ends for now, also before an open transaction',
  async (isolation, end) => {
    const topic = `ends-${isolation}`;
    await kafka.createTopics([{ name: topic, partitions: 1 }]);
    const client = new Kafka({ brokers: [broker.bootstrapServers], logLevel: logLevel.NOTHING });
    const producer = client.producer({ transactionalId: topic, maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    const open = await producer.transaction();
    await open.send({ topic, messages: [{ value: 'a' }, { value: 'b' }] });
    const ends: (readonly number[])[] = [];
    const fetcher = kafka.fetcher({
      isolation,
      onBatch: ({ nextOffset, lastStableOffset, highWatermark }) =>
        ends.push([nextOffset, lastStableOffset, highWatermark]),
      onOutOfRange: () => {},
      onError: () => {},
    });
    fetcher.assign({ topic, partition: 0 }, 0);
    await expect.poll(() => ends[0]).toEqual([end, end, 2]);
    await fetcher.close();
    await open.abort();
    await producer.disconnect();
  },
);

test('a position outside the log is told with where the log begins, and reading goes on there', async () => {
  await kafka.createTopics([{ name: 'cut', partitions: 1 }]);
  const producer = await kafka.producer();
  for (const value of ['a', 'b', 'c', 'd']) await producer.send([record('cut', value)]);
  await kafka.deleteRecords([{ topic: 'cut', partition: 0, offset: 2 }]);
  for (const outside of [0, 99]) {
    const values: string[] = [];
    const { lost } = await follow(
      'cut',
      outside,
      (value) => values.push(value),
      () => values.length >= 2,
    );
    expect(lost).toEqual([[outside, 2]]);
    expect(values).toEqual(['c', 'd']);
  }
  await producer.close();
});

test('a batch that its taker threw at comes again', async () => {
  await kafka.createTopics([{ name: 'thrown-at', partitions: 1 }]);
  const producer = await kafka.producer();
  await producer.send([record('thrown-at', 'a')]);
  const taken: string[] = [];
  let throws = true;
  const { errors } = await follow(
    'thrown-at',
    0,
    (value) => {
      if (throws) {
        throws = false;
        throw new Error('not now');
      }
      taken.push(value);
    },
    () => taken.length > 0,
  );
  expect(taken).toEqual(['a']);
  expect(errors).toEqual(['not now']);
  await producer.close();
});

test('what is given up, or assigned anew, while its records are taken stays so', async () => {
  await kafka.createTopics([{ name: 'given-up', partitions: 2 }]);
  const producer = await kafka.producer();
  const sendBoth = (value: string) => producer.send([record('given-up', value), record('given-up', value, 1)]);
  await sendBoth('a');
  const taken: string[] = [];
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: ({ topic, partition, records, nextOffset }) => {
      if (records.length === 0) return;
      for (const { value } of records) taken.push(`${partition}${Buffer.from(value ?? [])}`);
      if (partition === 0) fetcher.unassign({ topic, partition });
      else if (taken.length < 4) fetcher.assign({ topic, partition }, nextOffset - 1);
    },
    onOutOfRange: () => {},
    onError: () => {},
  });
  fetcher.assign({ topic: 'given-up', partition: 0 }, 0);
  await expect.poll(() => taken).toEqual(['0a']);
  await sendBoth('b');
  await sendBoth('c');
  fetcher.assign({ topic: 'given-up', partition: 1 }, 2);
  await expect.poll(() => taken.filter((one) => one === '1c').length, { timeout: 10_000 }).toBe(3);
  expect(taken).toEqual(['0a', '1c', '1c', '1c']);
  await fetcher.close();
  await producer.close();
});

test('two static members share a topic; one comes back to its own partitions', async () => {
  await kafka.createTopics([{ name: 'shared', partitions: 4 }]);
  const partitions = [0, 1, 2, 3].map((partition) => ({ topic: 'shared', partition }));
  const held = new Map<string, number[]>();
  const member = (instance: string) =>
    kafka.join({
      groupId: 'sharing',
      groupInstanceId: instance,
      topics: ['shared'],
      userData: () => new Uint8Array(0),
      assign: (members) => {
        const sorted = [...members].sort((a, b) => ((a.groupInstanceId ?? '') < (b.groupInstanceId ?? '') ? -1 : 1));
        return new Map(
          sorted.map((one, index) => [
            one.memberId,
            { partitions: partitions.filter((p) => p.partition % sorted.length === index) },
          ]),
        );
      },
      onRevoking: async () => {},
      onAssigned: (assignment) =>
        held.set(
          instance,
          assignment.partitions.map((p) => p.partition),
        ),
      onLost: () => {},
    });
  const one = await member('one');
  expect(held.get('one')).toEqual([0, 1, 2, 3]);
  const two = await member('two');
  await expect
    .poll(() => [held.get('one'), held.get('two')], { timeout: 20_000 })
    .toEqual([
      [0, 2],
      [1, 3],
    ]);
  held.delete('two');
  await two.leave({ forget: false });
  const back = await member('two');
  expect(held.get('two')).toEqual([1, 3]);
  await Promise.all([one.leave({ forget: true }), back.leave({ forget: true })]);
});

test('a port that was closed while its polls waited leaves no socket, so that its process can end', async () => {
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const aTurn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  await kafka.partitionCounts([]); // the other port's own connection is open,
  await aTurn(); // and the one by which it found its brokers is gone
  const before = sockets();
  const port = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'closing-test' });
  await port.createTopics([{ name: 'closing', partitions: 2 }]);
  const polled = Promise.withResolvers<void>();
  const fetcher = port.fetcher({
    isolation: 'read_committed',
    onBatch: () => polled.resolve(),
    onOutOfRange: () => {},
    onError: () => {},
    maxWaitMs: 200,
  });
  fetcher.assign({ topic: 'closing', partition: 0 }, 0);
  await polled.promise; // its next poll is on its way by the time we close
  fetcher.assign({ topic: 'closing', partition: 1 }, 0);
  await aTurn();
  await fetcher.close();
  await port.close();
  const deadline = Date.now() + 3_000;
  while (sockets() > before && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(sockets()).toBe(before);
});
