import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { StreamsWorker } from '../index.ts';
import { ageIds } from '../test/aged-ids.ts';
import { holdOnce, limitTransactions } from '../test/held-requests.ts';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import { readCommitted } from '../test/read-committed.ts';
import { summing } from '../test/summing.ts';
import { SumsFlow } from '../test/sums-flow.ts';
import { WireTap } from '../test/wire-tap.ts';
import { ByteWriter } from './bytes.ts';
import { ClusterClient } from './cluster-client.ts';
import { connectKafka, type KafkaPort, TransactionAbortedError } from './index.ts';
import { cutIntoRounds, encodeRound } from './produce-rounds.ts';
import { initProducerIdRequest, listTransactionsRequest, produceRequest } from './protocol/produce.ts';
import { initialise } from './transactional-producer.ts';

/*
 * The epoch of a transactional id rises with each transaction and has 16 bits: after 32,766 the broker gives another producer id. Here ids are
 * aged to be near that border (test/aged-ids.ts). With BOOKSTREAM_EPOCHS=all an id that is not aged goes all the way to it, which takes minutes.
 */
const lastEpoch = 32_766;
const wholeWay = process.env.BOOKSTREAM_EPOCHS === 'all';
const stateLogPartitions = 4;

let tap: WireTap;
let broker: KafkaBroker;
/** Behind the tap. */
let kafka: KafkaPort;
let client: ClusterClient;
let stateDir: string;
let producerIds: ReadonlyMap<string, number>;

const both = (prefix: string, epoch: number): [string, number][] => [
  [`${prefix}-a`, epoch],
  [`${prefix}-b`, epoch],
];

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'streams-state-'));
  tap = await WireTap.open();
  broker = await startKafkaBroker({
    listener: { protocol: 'PLAINTEXT', advertisedPort: tap.port },
    properties: {
      'transaction.state.log.num.partitions': String(stateLogPartitions),
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '100',
      // How soon a broker that was killed is let in again.
      'broker.session.timeout.ms': '1500',
      'broker.heartbeat.interval.ms': '300',
    },
  });
  tap.forwardTo(broker.secondServers);
  client = new ClusterClient({ bootstrapServers: [broker.bootstrapServers], clientId: 'aging' });
  producerIds = await ageIds(
    broker,
    client,
    stateLogPartitions,
    new Map([
      ...both('many', lastEpoch - 7),
      ...both('aged/one', lastEpoch - 12),
      // The next owner begins it with the last epoch.
      ...both('lost', lastEpoch - 1),
      ...both('refused', lastEpoch - 1),
      ...both('late', lastEpoch - 1),
      ...both('restarted', lastEpoch),
    ]),
  );
  kafka = await connectKafka({ bootstrapServers: `127.0.0.1:${tap.port}`, clientId: 'aged' });
  await client.brokers();
  const names = ['in', 'many', 'lost', 'refused', 'late', 'restarted', 'young', 'sequences'];
  await kafka.createTopics(names.map((name) => ({ name, partitions: 1 })));
}, 120_000);
afterEach(() => {
  tap.cutAt = () => false;
});
afterAll(async () => {
  client?.close();
  await kafka?.close();
  await broker?.[Symbol.asyncDispose]();
  await tap?.[Symbol.asyncDispose]();
  rmSync(stateDir, { recursive: true, force: true });
});

const transaction = (topic: string, n: number, bytes = 0) => ({
  records: [
    { topic, partition: 0, timestamp: Date.now(), key: Buffer.from(`${n}`), value: Buffer.alloc(bytes), headers: [] },
  ],
  offsets: [{ topic: 'in', partition: 0, offset: n, metadata: null }],
  group: { groupId: topic, generationId: -1, memberId: '', groupInstanceId: null },
});

/** What a reader of committed records sees, and the offset that is committed. */
async function committed(topic: string): Promise<{ readonly numbers: readonly number[]; readonly offset: number }> {
  const numbers: number[] = [];
  await readCommitted(kafka, topic, ({ key }) => numbers.push(Number(Buffer.from(key ?? []).toString())));
  const [offset] = await kafka.committedOffsets(topic, [{ topic: 'in', partition: 0 }], { requireStable: true });
  return { numbers, offset: offset?.offset ?? -1 };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Both ids of the prefix are on the other side. */
async function expectNewProducers(prefix: string): Promise<void> {
  for (const id of [`${prefix}-a`, `${prefix}-b`]) {
    const { producerId, producerEpoch } = await initialise(client, id);
    expect(producerId, id).not.toBe(producerIds.get(id));
    expect(producerEpoch, id).toBeLessThan(1_000);
  }
}

const endTxnKey = 26;
/** EndTxn v5's answer: correlation, tags, throttle, error, producer id, epoch. */
const isNewProducer = (answer: Buffer): boolean => answer.readInt16BE(9) === 0 && answer.readInt16BE(19) === 0;

test('transactions go over the border of the epochs one after another: none is lost, doubled or refused', async () => {
  const producer = await kafka.transactionalProducer('many');
  await Promise.all(upTo(30).map((n) => producer.commit(transaction('many', n))));
  await producer.close();
  expect(await committed('many')).toEqual({ numbers: upTo(30), offset: 30 });
  await expectNewProducers('many');
});

test('an answer that is lost at the border is asked for again, and tells the new producer id', async () => {
  let cuts = 0;
  tap.cutAt = (frame, direction, { requests }) => {
    if (direction !== 'answer' || cuts >= 2) return false;
    const request = requests.find(({ bytes }) => bytes.readInt32BE(4) === frame.readInt32BE(0))?.bytes;
    if (request?.readInt16BE(0) !== endTxnKey || !isNewProducer(frame)) return false;
    cuts += 1;
    return true;
  };
  const producer = await kafka.transactionalProducer('lost');
  for (const n of upTo(6)) await producer.commit(transaction('lost', n));
  await producer.close();
  expect(cuts).toBe(2); // the first of each id, and only these
  expect(await committed('lost')).toEqual({ numbers: upTo(6), offset: 6 });
  await expectNewProducers('lost');
});

test('a transaction that is given up at the border leaves nothing, and its id goes on', async () => {
  const producer = await kafka.transactionalProducer('refused');
  for (const n of [1, 2]) {
    const tooLarge = transaction('refused', 100 + n, 2_000_000);
    await expect(producer.commit(tooLarge)).rejects.toThrow(TransactionAbortedError);
  }
  for (const n of upTo(4)) await producer.commit(transaction('refused', n));
  await producer.close();
  expect(await committed('refused')).toEqual({ numbers: upTo(4), offset: 4 });
  await expectNewProducers('refused');
});

test('a restart with the last epoch begins with a new producer id', async () => {
  const producer = await kafka.transactionalProducer('restarted');
  for (const n of upTo(4)) await producer.commit(transaction('restarted', n));
  await producer.close();
  expect(await committed('restarted')).toEqual({ numbers: upTo(4), offset: 4 });
  await expectNewProducers('restarted');
});

test('a worker goes over the border without a word, and every sum comes once', async () => {
  await using flow = await new SumsFlow(kafka).open();
  const logged: string[] = [];
  const worker = new StreamsWorker({
    applications: [{ applicationId: 'aged', topology: summing() }],
    port: kafka,
    stateDir,
    instanceId: 'one',
    log: (level, event, message) => {
      if (level !== 'info') logged.push(`${event}: ${message}`);
    },
  });
  await worker.start();
  for (let round = 0; round < 30; round += 1) {
    await flow.send(23);
    await flow.summed();
  }
  await worker.close();
  expect(logged).toEqual([]);
  await expectNewProducers('aged/one');
});

test('a transaction of the last epoch that the broker times out is told to its owner, and the id goes on', async () => {
  limitTransactions(1_500);
  const producer = await kafka.transactionalProducer('late');
  const held = holdOnce('EndTxn', 1, async (id) => {
    const isOpen = async () => (await client.ask(broker.id, listTransactionsRequest())).transactionalIds.includes(id);
    for (const open of [true, false]) await expect.poll(isOpen, { interval: 20 }).toBe(open);
  });
  await expect(producer.commit(transaction('late', 100))).rejects.toThrow(/timed .*out/);
  await held;
  for (const n of upTo(4)) await producer.commit(transaction('late', n));
  await producer.close();
  expect(await committed('late')).toEqual({ numbers: upTo(4), offset: 4 });
  await expectNewProducers('late');
});

test('behind the last sequence number of a producer without transactions comes 0, and a batch that is repeated there stands once', async () => {
  const { producerId, producerEpoch } = await client.askAny(initProducerIdRequest(null, 60_000));
  const sequences = new Map([['sequences-0', 2 ** 31 - 3]]);
  await client.refresh(['sequences']);
  const slab = new ByteWriter();
  const written: number[] = [];
  for (const n of [1, 3, 5]) {
    const records = [n, n + 1].flatMap((one) => transaction('sequences', one).records);
    const [round = []] = cutIntoRounds(records);
    slab.reset();
    const batches = encodeRound(slab, round, { producerId, producerEpoch, transactional: false }, sequences);
    for (const _again of [1, 2]) {
      const answers = await client.askLeaders(batches, (items) => produceRequest(null, items, 5_000));
      written.push(...answers.map(({ baseOffset }) => baseOffset));
    }
  }
  expect(written).toEqual([0, 0, 2, 2, 4, 4]);
  expect((await committed('sequences')).numbers).toEqual(upTo(6));
});

if (wholeWay)
  test('an id goes all the way from its first transaction to the border and over it', async () => {
    const count = 2 * (lastEpoch + 500);
    const ids = ['young-a', 'young-b'];
    const first = await Promise.all(ids.map((id) => initialise(client, id)));
    const direct = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'young' });
    const producer = await direct.transactionalProducer('young');
    const from = performance.now();
    for (const n of upTo(count)) await producer.commit(transaction('young', n));
    console.log(`${count} transactions in ${((performance.now() - from) / 1_000).toFixed(1)} s`);
    await producer.close();
    await direct.close();
    expect(await committed('young')).toEqual({ numbers: upTo(count), offset: count });
    for (const [index, id] of ids.entries())
      expect((await initialise(client, id)).producerId, id).not.toBe(first[index]?.producerId);
  }, 1_800_000);
