import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Serdes, StreamsBuilder, StreamsPool, StreamsWorker } from '../index.ts';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import { smallDecompressors } from '../test/small-decompressors.ts';
import { connectKafka, type Decompressors, type KafkaPort } from './index.ts';

const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const;
/** A first text that can hardly be packed and is larger than snappy-java's blocks of 32 kB, then such that can. */
const texts = [
  Array.from({ length: 20_000 }, (_, index) => ((index * 2_654_435_761) >>> 0).toString(36)).join(''),
  ...Array.from({ length: 50 }, (_, index) => `${index} of many that are alike, `.repeat(100)),
];

let broker: KafkaBroker;
let kafka: KafkaPort;
let stateDir: string;
beforeAll(async () => {
  broker = await startKafkaBroker();
  kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'compression-test' });
  stateDir = mkdtempSync(join(tmpdir(), 'streams-state-'));
  // Java's own codecs, in the broker: what it is sent it packs anew as the topic says.
  await kafka.createTopics([
    ...codecs.map((name) => ({ name, partitions: 1, config: { 'compression.type': name } })),
    { name: 'out', partitions: 1 },
    { name: 'out-of-pool', partitions: 1 },
  ]);
  const producer = await kafka.producer();
  await producer.send(
    codecs.flatMap((topic) =>
      texts.map((text) => ({
        topic,
        partition: 0,
        timestamp: Date.now(),
        key: Buffer.from('k'),
        value: Buffer.from(text),
        headers: [],
      })),
    ),
  );
  await producer.close();
}, 120_000);
afterAll(async () => {
  await kafka?.close();
  await broker?.[Symbol.asyncDispose]();
  rmSync(stateDir, { recursive: true, force: true });
});

/** Values of a topic, or what keeps them from being read. */
async function read(topic: string, decompress?: Decompressors): Promise<readonly string[] | Error> {
  await using stack = new AsyncDisposableStack();
  const port = await connectKafka({
    bootstrapServers: broker.bootstrapServers,
    clientId: 'reader',
    ...(decompress && { decompress }),
  });
  stack.defer(() => port.close());
  const values: string[] = [];
  const end = Promise.withResolvers<readonly string[] | Error>();
  const fetcher = port.fetcher({
    isolation: 'read_committed',
    onBatch: (batch) => {
      values.push(...Array.from(batch.records, ({ value }) => String(value && Buffer.from(value))));
      if (values.length === texts.length) end.resolve(values);
    },
    onOutOfRange: () => end.reject(new Error('out of range')),
    onError: end.resolve,
  });
  stack.defer(() => fetcher.close());
  fetcher.assign({ topic, partition: 0 }, 0);
  return await end.promise;
}

test.each(codecs)('what Java has packed by %s is read', async (codec) => {
  expect(await read(codec, smallDecompressors)).toEqual(texts);
});

test.each(['snappy', 'lz4'] as const)('without a decompressor %s is refused: it is packed indeed', async (codec) => {
  expect(await read(codec)).toMatchObject({
    code: 'UNSUPPORTED_COMPRESSION',
    message: expect.stringMatching(new RegExp(`The batch at ${codec}-0 offset 0 is compressed by ${codec}`)),
  });
});

test('a worker takes them as its own option', async () => {
  const builder = new StreamsBuilder();
  const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
  for (const codec of codecs) builder.stream(text(codec)).to(text('out'));
  const worker = new StreamsWorker({
    applications: [{ applicationId: 'unpacking', topology: builder.build() }],
    bootstrapServers: broker.bootstrapServers,
    stateDir,
    decompress: smallDecompressors,
  });
  await worker.start();
  const count = async () => (await kafka.endOffsets([{ topic: 'out', partition: 0 }])).get('out-0') ?? 0;
  await expect.poll(count, { timeout: 20_000 }).toBeGreaterThanOrEqual(texts.length * codecs.length);
  await worker.close();
}, 60_000);

test('a thread of a pool takes those that its module exports', async () => {
  const pool = new StreamsPool({
    applications: [
      {
        applicationId: 'unpacking-pool',
        module: new URL('../test/pooled-unpacking.ts', import.meta.url),
        data: { from: 'snappy', to: 'out-of-pool' },
      },
    ],
    bootstrapServers: broker.bootstrapServers,
    stateDir,
    instanceId: 'pool',
  });
  await pool.start();
  expect(await read('out-of-pool')).toEqual(texts);
  await pool.close();
}, 60_000);
