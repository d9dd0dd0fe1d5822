import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StreamsWorker } from '../index.ts';
import { ClusterClient } from '../kafka/cluster-client.ts';
import { connectKafka, FencedError, type KafkaPort, TransactionAbortedError } from '../kafka/index.ts';
import { listTransactionsRequest } from '../kafka/protocol/produce.ts';
import { holdOnce, limitTransactions } from '../test/held-requests.ts';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import { readCommitted } from '../test/read-committed.ts';
import { summing } from '../test/summing.ts';
import { SumsFlow } from '../test/sums-flow.ts';

let broker: KafkaBroker;
let kafka: KafkaPort;
let client: ClusterClient;
let stateDir: string;

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'streams-state-'));
  broker = await startKafkaBroker({
    properties: {
      // How often it looks for transactions that last too long: each 10 s by default.
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '100',
      'transaction.max.timeout.ms': '7000',
    },
  });
  kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'timed-out' });
  client = new ClusterClient({ bootstrapServers: [broker.bootstrapServers], clientId: 'timed-out' });
  await client.brokers();
  await kafka.createTopics([{ name: 'in', partitions: 1 }]);
}, 120_000);
afterAll(async () => {
  client?.close();
  await kafka?.close();
  await broker?.[Symbol.asyncDispose]();
  rmSync(stateDir, { recursive: true, force: true });
});

/** Resolves when the broker has ended the transaction of this id that is under way, or about to begin with a request that was just sent. */
async function timedOut(id: string): Promise<void> {
  const isOpen = async () => (await client.ask(broker.id, listTransactionsRequest())).transactionalIds.includes(id);
  for (const open of [true, false]) await expect.poll(isOpen, { interval: 20 }).toBe(open);
}

async function committedValues(topic: string): Promise<string[]> {
  const values: string[] = [];
  await readCommitted(kafka, topic, ({ value }) => values.push(String.fromCharCode(value?.[0] ?? 0)));
  return values;
}

test('a broker that allows transactions less time than the library asks for is told with the cure', async () => {
  await expect(kafka.transactionalProducer('too-long')).rejects.toThrow(
    /too-long-. was not initialised: the broker answered INVALID_TRANSACTION_TIMEOUT \(50\): .*transaction\.max\.timeout\.ms .* 8000/,
  );
});

describe('a transaction that the broker has timed out', () => {
  beforeAll(() => limitTransactions(1_500));

  const record = (topic: string, value: string, bytes = 1) => ({
    topic,
    partition: 0,
    timestamp: Date.now(),
    key: null,
    value: Buffer.alloc(bytes, value),
    headers: [],
  });

  for (const [what, api, nth, error] of [
    ['between two requests with its records', 'Produce', 2, FencedError],
    ['between its records and its offsets', 'TxnOffsetCommit', 1, FencedError],
    ['between its offsets and its end', 'EndTxn', 1, TransactionAbortedError],
  ] as const) {
    test(`${what} is told to its owner, leaves nothing, and the id goes on under a new epoch`, async () => {
      const topic = `held-${api.toLowerCase()}`;
      await kafka.createTopics([{ name: topic, partitions: 1 }]);
      const group = { groupId: topic, generationId: -1, memberId: '', groupInstanceId: null };
      const at = (offset: number) => [{ topic: 'in', partition: 0, offset, metadata: null }];
      const producer = await kafka.transactionalProducer(topic);
      await producer.commit({ records: [record(topic, '1')], offsets: at(1), group });
      const held = holdOnce(api, nth, timedOut);
      // Two batches, each in a request of its own.
      const records = [record(topic, '2', 600_000), record(topic, '2', 600_000)];
      const refused = await producer.commit({ records, offsets: at(2), group }).catch((thrown: unknown) => thrown);
      await held;
      expect(refused).toBeInstanceOf(error);
      expect(String(refused)).toMatch(/timed .*out/);
      await producer.close();
      const next = await kafka.transactionalProducer(topic);
      for (const offset of [3, 4])
        await next.commit({ records: [record(topic, String(offset))], offsets: at(offset), group });
      await next.close();
      expect(await committedValues(topic)).toEqual(['1', '3', '4']);
      const offsets = await kafka.committedOffsets(topic, [{ topic: 'in', partition: 0 }], { requireStable: true });
      expect(offsets).toMatchObject([{ offset: 4 }]);
    });
  }

  test('of a worker costs a run: it begins again at what was committed, and every sum comes once, as plain code makes them', async () => {
    await using flow = await new SumsFlow(kafka).open();
    const logged: string[] = [];
    const worker = new StreamsWorker({
      applications: [{ applicationId: 'held', topology: summing() }],
      bootstrapServers: broker.bootstrapServers,
      stateDir,
      instanceId: 'one',
      log: (_level, event, message) => logged.push(`${event}: ${message}`),
    });
    await worker.start();
    await flow.send(230);
    await flow.summed();
    for (const api of ['EndTxn', 'TxnOffsetCommit', 'EndTxn'] as const) {
      const held = holdOnce(api, 1, timedOut);
      await flow.send(460);
      await held;
      await flow.summed();
    }
    const failures = logged.filter((line) => line.startsWith('application-failed'));
    expect(failures.length).toBeGreaterThanOrEqual(3); // a machine that is too busy may add its own
    for (const failure of failures) expect(failure).toMatch(/timed .*out/);
    await worker.close();
  });
});
