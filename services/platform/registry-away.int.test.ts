import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { bookIdOf, commandIdOf, lineIdOf, orderIdOf } from '@bookstream/schemas/ids';
import { eur } from '@bookstream/schemas/money';
import { payloadHashOf } from '@bookstream/schemas/payload-hash';
import { registerSchemas } from '@bookstream/schemas/register';
import { connectSchemas } from '@bookstream/schemas/serde';
import { dlqOf, type Topic, topics } from '@bookstream/schemas/topics';
import type { BookState } from '@bookstream/schemas/types/books';
import type { PlaceOrder } from '@bookstream/schemas/types/orders';
import type { Restock } from '@bookstream/schemas/types/stock';
import { StreamsBuilder, StreamsWorker } from '@bookstream/streams';
import { connectKafka, type KafkaPort, type PlainProducer, partitionForKey } from '@bookstream/streams/kafka/index';
import * as orderProcess from '@bookstream/topologies/order-process/topology';
import * as stock from '@bookstream/topologies/stock/topology';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type NewerSchema, registerNewer } from '../e2e/newer-schema.ts';
import { eventually } from '../e2e/shop-client.ts';
import { TopicReader } from '../e2e/topic-reader.ts';
import type { Engine } from '../engines/engine.ts';
import { startRegistry } from '../engines/registry.ts';
import { type Engines, ephemeralFolder, startEngines } from '../engines/start.ts';
import { ensureTopics } from './topics.ts';

const dataDir = ephemeralFolder();
let engines: Engines;
let registry: Engine;
let kafkaUrl: string;
let registryUrl: string;
let kafka: KafkaPort;
let producer: PlainProducer;
let newerRestock: NewerSchema;
let newerBookState: NewerSchema;
/** Books in the order in which their copies came in. */
const restocked: string[] = [];
const placed = new Map<string, bigint>();
const readers: AsyncDisposable[] = [];

const stopRegistry = () => Promise.all(registry.processes.map((process) => process.stop()));
const startRegistryAgain = async () => {
  registry = await startRegistry({ dataDir, ephemeral: true, port: Number(new URL(registryUrl).port), kafkaUrl });
};
/** As a process does that has just started on this machine. */
const connect = () => connectSchemas({ registryUrl, cacheDir: join(dataDir, 'schemas') });

beforeAll(async () => {
  engines = await startEngines({ only: ['kafka', 'registry'], dataDir, ephemeral: true });
  kafkaUrl = String(engines.urls.KAFKA_URL);
  registryUrl = String(engines.urls.REGISTRY_URL);
  const running = engines.running.find((engine) => engine.name === 'registry');
  if (running === undefined) throw new Error('this test stops a registry of its own: unset REGISTRY_URL');
  registry = running;
  await Promise.all([ensureTopics(kafkaUrl, { create: true }), registerSchemas(registryUrl)]);
  await connect();
  newerRestock = await registerNewer(registryUrl, 'stockCommands', 'Restock', 'supplier');
  newerBookState = await registerNewer(registryUrl, 'booksState', 'BookState', 'edition');
  kafka = await connectKafka({ bootstrapServers: kafkaUrl, clientId: 'registry-away-test' });
  producer = await kafka.producer();
  readers.push(
    await TopicReader.open(kafka, topics.stockEvents, (event) => void restocked.push(event.bookId)),
    await TopicReader.open(kafka, topics.ordersEvents, (event) => {
      if (event.type === 'OrderPlaced') placed.set(event.orderId, event.total.amountMinor);
    }),
  );
}, 120_000);

afterAll(async () => {
  for (const reader of readers) await reader[Symbol.asyncDispose]();
  await producer?.close();
  await kafka?.close();
  await Promise.all(registry?.processes.map((process) => process.stop()) ?? []);
  await engines?.[Symbol.asyncDispose]();
});

/** Both applications in one worker, and what it says of partitions that wait. */
function worker() {
  const awaited = new Set<string>();
  const streams = new StreamsWorker({
    applications: [stock, orderProcess].map(({ applicationId, build }) => {
      const builder = new StreamsBuilder();
      build(builder);
      return { applicationId, topology: builder.build() };
    }),
    bootstrapServers: kafkaUrl,
    stateDir: join(dataDir, 'state'),
    instanceId: 'worker',
    log: (_level, event, message) => {
      if (event === 'schema-awaited') awaited.add(message.split(' ')[0] ?? '');
    },
  });
  return {
    started: streams.start(),
    awaits: (partition: string) => async () => awaited.has(partition),
    [Symbol.asyncDispose]: () => streams.close(),
  };
}

const nameOf = <V>(topic: Topic<V>, key: string): string =>
  `${topic.name}-${partitionForKey(topic.keySerde.serialize(topic.name, key), topic.partitions)}`;

/** Books that fall on partition `partition` of every topic keyed by book. */
function* booksOn(partition: number): Generator<string> {
  for (;;) {
    const bookId = bookIdOf(randomUUID());
    if (nameOf(topics.stockCommands, bookId) === `${topics.stockCommands.name}-${partition}`) yield bookId;
  }
}

async function send<V>(topic: Topic<V>, key: string, value: V | Uint8Array): Promise<void> {
  const bytes = topic.keySerde.serialize(topic.name, key);
  await producer.send([
    {
      topic: topic.name,
      partition: partitionForKey(bytes, topic.partitions),
      timestamp: Date.now(),
      key: bytes,
      value: value instanceof Uint8Array ? value : topic.valueSerde.serialize(topic.name, value),
      headers: [],
    },
  ]);
}

const commandOf = (name: string) => {
  const commandId = commandIdOf('ada', 'test', name);
  const ids = { eventId: commandId, commandId, correlationId: commandId, causationId: commandId };
  return { meta: { ...ids, actor: 'ada', occurredAt: Date.now() }, payloadHash: payloadHashOf(name) };
};
const restock = (bookId: string): Restock => ({
  type: 'Restock',
  ...commandOf(randomUUID()),
  bookId,
  quantity: 3,
  reason: 'test',
});
const bookState = (bookId: string, minor: bigint): BookState => ({
  type: 'BookState',
  meta: commandOf(bookId).meta,
  bookId,
  version: 1,
  details: {
    isbn13: '9780140449136',
    title: 'Crime and Punishment',
    authors: [],
    description: '',
    publisher: null,
    publishedYear: null,
    language: 'en',
    pages: null,
    subjects: [],
  },
  price: eur(minor),
  withdrawn: false,
});

/** Orders one copy. @returns the order's id */
async function order(bookId: string, minor: bigint): Promise<string> {
  const base = commandOf(randomUUID());
  const orderId = orderIdOf(base.meta.commandId);
  const lines = [{ lineId: lineIdOf(orderId, 0), bookId, quantity: 1, expectedUnitPrice: eur(minor) }];
  const command: PlaceOrder = {
    type: 'PlaceOrder',
    ...base,
    orderId,
    userId: 'ada',
    lines,
    policy: 'ALL_OR_NOTHING',
    traceId: null,
  };
  await send(topics.ordersCommands, orderId, command);
  return orderId;
}

/** Dead letters of all that both applications read. */
async function deadLetters(): Promise<number> {
  const read = [topics.stockCommands, topics.ordersCommands, topics.reservationsEvents, topics.booksState];
  const partitions = read
    .map(dlqOf)
    .flatMap(({ name, partitions: count }) =>
      Array.from({ length: count }, (_, partition) => ({ topic: name, partition })),
    );
  return [...(await kafka.endOffsets(partitions)).values()].reduce((sum, end) => sum + end, 0);
}

const take = (books: Generator<string>): string => String(books.next().value);

test('while the registry is away a record of a schema not seen before waits, over a restart too, and goes on with it; others go on all the time', async () => {
  const [mine, others] = [booksOn(0), booksOn(1)];
  const [newer, behind, beside, besideLater] = [take(mine), take(mine), take(others), take(others)];
  const [unseen, seen] = [take(mine), take(others)];
  const [waitingStock, waitingBooks] = [nameOf(topics.stockCommands, newer), nameOf(topics.booksState, unseen)];
  await stopRegistry();

  {
    await using first = worker();
    await first.started;
    await send(topics.stockCommands, newer, newerRestock.encode(restock(newer)));
    await eventually(`${waitingStock} waits`, first.awaits(waitingStock));
    await send(topics.booksState, unseen, newerBookState.encode(bookState(unseen, 500n)));
    await eventually(`${waitingBooks} waits`, first.awaits(waitingBooks));
    await send(topics.stockCommands, behind, restock(behind));
    await send(topics.stockCommands, beside, restock(beside));
    await send(topics.booksState, seen, bookState(seen, 700n));
    await eventually('copies on another partition come in', async () => restocked.includes(beside));
    await eventually('an order over a book of another partition is placed', async () => {
      const orderId = await order(seen, 700n); // the first may come before the price does
      return eventually('placed', async () => placed.get(orderId) === 700n, 1_000).catch(() => false);
    });
    expect(restocked).toEqual([beside]);
  }

  await connect();
  await using second = worker();
  await eventually(`${waitingStock} waits again`, second.awaits(waitingStock));
  await eventually(`${waitingBooks} waits again`, second.awaits(waitingBooks));
  await send(topics.stockCommands, besideLater, restock(besideLater));
  await eventually('copies on another partition come in again', async () => restocked.includes(besideLater));
  expect(restocked).toEqual([beside, besideLater]);

  await startRegistryAgain();
  await second.started;
  await eventually('what waited is processed', async () => restocked.length >= 4);
  expect(restocked).toEqual([beside, besideLater, newer, behind]);
  const orderId = await order(unseen, 500n);
  await eventually('the order over the book that waited is placed', async () => placed.get(orderId) === 500n);
  // While it starts the registry answers 404 for ids that it has; nothing may have been given up for that.
  expect(await deadLetters()).toBe(0);
}, 60_000);

test('a schema that was ever resolved is known in the next outage, also to a process that starts in it', async () => {
  await stopRegistry();
  await connect();
  await using third = worker();
  await third.started;
  const bookId = take(booksOn(2));
  await send(topics.stockCommands, bookId, newerRestock.encode(restock(bookId)));
  await eventually('the copies come in', async () => restocked.includes(bookId));
}, 60_000);
