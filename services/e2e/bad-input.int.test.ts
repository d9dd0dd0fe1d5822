import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localType } from '@bookstream/schemas/avro-types';
import { fullNameOf, standalone } from '@bookstream/schemas/local-schemas';
import { manifest, type TopicEntry } from '@bookstream/schemas/manifest';
import { connectSchemas } from '@bookstream/schemas/serde';
import { dlqOf, type Topic, topics } from '@bookstream/schemas/topics';
import {
  type ConsumedRecord,
  connectKafka,
  type Fetcher,
  type KafkaPort,
  type ProducedRecord,
  partitionForKey,
  partitionName,
  type TopicPartition,
} from '@bookstream/streams/kafka/index';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { newBook } from './new-book.ts';
import { registerNewer, registerSchema, wireFormat } from './newer-schema.ts';
import { type Reader, readersByTopic } from './readers.ts';
import { eventually, ShopClient } from './shop-client.ts';

const { origin, urls } = inject('platform');
const registryUrl = urls.REGISTRY_URL;
const readers = await readersByTopic();
await connectSchemas({ registryUrl, cacheDir: mkdtempSync(join(tmpdir(), 'bad-input-schemas-')) });
const admin = await ShopClient.login(origin, 'admin@bookstream.test', 'bookstream-demo');

const utf8 = new TextEncoder();
const text = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString('latin1');

interface Input {
  readonly topic: Topic<never>;
  /** A record as the topic wants it. */
  readonly good: Uint8Array;
  /** Ids of schemas that the registry has: one by which a record of ours cannot be read, one that is no Avro at all. */
  readonly incompatibleId: number;
  readonly noAvroId: number;
}

/** One way to be bad: what is sent, and what its dead letters must say. */
interface Badness {
  readonly name: string;
  readonly keyless?: true;
  readonly value: (input: Input) => Uint8Array | null;
  readonly reason: Readonly<Record<Reader['kind'], string>>;
  readonly cause: RegExp;
  /** The broker keeps keyless records off compacted topics by itself, and a null value is a tombstone there. */
  readonly notWhereCompacted?: true;
}

const body = (good: Uint8Array): Uint8Array => good.subarray(5);
const unreadable = { topology: 'malformed', 'global table': 'malformed', projection: 'corrupt' } as const;
const badnesses: readonly Badness[] = [
  {
    name: 'no Avro',
    value: () => utf8.encode('{"type":"PlaceOrder"}'),
    reason: unreadable,
    cause: /the value does not begin with a zero byte and a schema id/,
  },
  {
    name: 'Avro cut short',
    value: ({ good }) => good.subarray(0, -1),
    reason: unreadable,
    cause: /the bytes end before bookstream\.\w+\.v1\.\w+ does/,
  },
  {
    name: 'an unknown schema id',
    value: ({ good }) => wireFormat(2_000_000_000, body(good)),
    reason: unreadable,
    cause: /no schema with id 2000000000 is in the registry/,
  },
  {
    name: 'a schema that ours cannot be read by',
    value: ({ good, incompatibleId }) => wireFormat(incompatibleId, body(good)),
    reason: unreadable,
    cause: /schema \d+ cannot be read by \(it does not fit our bookstream\.\w+\.v1\.\w+\)/,
  },
  {
    name: 'a schema that is no Avro',
    value: ({ good, noAvroId }) => wireFormat(noAvroId, body(good)),
    reason: unreadable,
    cause: /schema \d+ cannot be read by \(it is JSON\)/,
  },
  {
    name: 'no key',
    keyless: true,
    value: ({ good }) => good,
    reason: { topology: 'null-key', 'global table': 'null-key', projection: 'null-key' },
    cause: /is keyed, and this record has no key/,
    notWhereCompacted: true,
  },
  {
    name: 'no value',
    value: () => null,
    reason: { topology: 'null-value', 'global table': 'null-value', projection: 'corrupt' },
    cause: /must have a value/,
    notWhereCompacted: true,
  },
];

interface Sent {
  readonly bad: Badness;
  readonly record: ProducedRecord;
  readonly offset: number;
}

/** A dead letter in a form that can be compared and looked at. */
interface Letter {
  readonly partition: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string | null>>;
}

const letterOf = ({ partition, timestamp, key, value, headers }: Omit<ConsumedRecord, 'topic' | 'offset'>): Letter => ({
  partition,
  timestamp,
  key: text(key),
  value: text(value),
  headers: Object.fromEntries(headers.map(([name, bytes]) => [name, text(bytes)])),
});

function letterTo(reader: Reader, { bad, record, offset }: Sent): Letter {
  const asSent = letterOf(record);
  const task = reader.task(record.partition);
  return {
    ...asSent,
    headers: {
      ...asSent.headers,
      reason: bad.reason[reader.kind],
      cause: expect.stringMatching(bad.cause),
      'origin-topic': record.topic,
      'origin-partition': String(record.partition),
      'origin-offset': String(offset),
      application: reader.application,
      task: typeof task === 'string' ? task : expect.stringMatching(task),
    },
  };
}

/** Whose letter of which record. */
const placeOf = ({ headers }: Letter): string =>
  `${headers.application} ${headers['origin-partition']}@${headers['origin-offset']?.padStart(8)} ${headers.reason}`;
const inOrder = (some: readonly Letter[]): readonly Letter[] =>
  some.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1)); // readers and partitions come in no order of their own

let kafka: KafkaPort;
let dlq: Fetcher;
const positions = new Map<string, number>();
const letters = new Map<string, Letter[]>();
const sent = new Map<string, Sent[]>();

const inputs = new Map(
  Object.values(topics)
    .filter((topic) => readers.has(topic.name))
    .map((topic) => [topic.name, topic as unknown as Topic<never>]), // what its values are is the manifest's to say
);
const partitionsOf = ({ name, partitions }: { readonly name: string; readonly partitions: number }): TopicPartition[] =>
  Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition }));
const deadLetterEnds = () => kafka.endOffsets([...inputs.values()].map(dlqOf).flatMap(partitionsOf));

async function inputOf(topic: Topic<never>, noAvroId: number): Promise<Input> {
  const entry = Object.values(manifest).find(({ name }): boolean => name === topic.name) as TopicEntry; // topics are made of it
  const [type = ''] = entry.records;
  const fullName = fullNameOf(entry.context, type);
  // In Avro's binary form zeros are empty strings, first branches and no items.
  const { value } = localType(fullName).decode(Buffer.alloc(1_024));
  const good = topic.valueSerde.serialize(topic.name, { ...value, type } as never); // just read by that very schema
  const [first, ...others] = standalone(fullName).fields ?? [];
  const fields = [{ name: first?.name, type: first?.type === 'string' ? 'int' : 'string' }, ...others];
  const incompatibleId = await registerSchema(registryUrl, `bad-input-${topic.name}`, {
    schema: JSON.stringify({ ...standalone(fullName), fields }),
  });
  return { topic, good, incompatibleId, noAvroId };
}

/** Every badness on every partition, so that whatever is sent afterwards comes behind some. */
const badRecordsOf = (input: Input): readonly { readonly bad: Badness; readonly record: ProducedRecord }[] =>
  partitionsOf(input.topic).flatMap((at) =>
    badnesses
      .filter((bad) => !bad.notWhereCompacted || input.topic.cleanup !== 'compact')
      .map((bad) => ({
        bad,
        record: {
          ...at,
          timestamp: Date.now(),
          key: bad.keyless ? null : utf8.encode(`bad-${randomUUID()}`),
          value: bad.value(input),
          headers: [
            ['traceparent', utf8.encode(`00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`)],
            ['sent', utf8.encode(bad.name)],
          ],
        },
      })),
  );

beforeAll(async () => {
  kafka = await connectKafka({ bootstrapServers: urls.KAFKA_URL, clientId: 'bad-input-test' });
  dlq = kafka.fetcher({
    isolation: 'read_committed',
    maxWaitMs: 100,
    onBatch: (batch) => {
      letters.set(batch.topic, [...(letters.get(batch.topic) ?? []), ...[...batch.records].map(letterOf)]);
      positions.set(partitionName(batch), batch.nextOffset);
    },
    onOutOfRange: () => {},
    onError: () => {},
  });
  const ends = await deadLetterEnds();
  for (const at of [...inputs.values()].map(dlqOf).flatMap(partitionsOf))
    dlq.assign(at, ends.get(partitionName(at)) ?? 0);
  const jsonSchema = JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' });
  const noAvroId = await registerSchema(registryUrl, 'bad-input-json', { schema: jsonSchema, schemaType: 'JSON' });
  const all = (await Promise.all([...inputs.values()].map((topic) => inputOf(topic, noAvroId)))).flatMap(badRecordsOf);
  const producer = await kafka.producer();
  const next = new Map(await producer.send(all.map(({ record }) => record)));
  await producer.close();
  for (const { bad, record } of all) {
    const offset = next.get(partitionName(record)) ?? -1;
    next.set(partitionName(record), offset + 1);
    sent.set(record.topic, [...(sent.get(record.topic) ?? []), { bad, record, offset }]);
  }
}, 30_000);

afterAll(async () => {
  admin[Symbol.dispose]();
  await dlq?.close();
  await kafka?.close();
});

const found = (topic: string): readonly Letter[] => inOrder(letters.get(`${topic}.dlq`) ?? []);
const expected = (topic: string): readonly Letter[] =>
  inOrder((readers.get(topic) ?? []).flatMap((reader) => (sent.get(topic) ?? []).map((one) => letterTo(reader, one))));

test('every input of a topology or a projection is a topic of the manifest', () => {
  expect([...readers.keys()].filter((name) => !inputs.has(name))).toEqual([]);
  expect(readers.get(topics.booksState.name)?.map((reader) => reader.kind)).toContain('global table');
  expect(readers.get(topics.ordersEvents.name)?.length).toBeGreaterThanOrEqual(3); // order-view, notifications, the orders projection
});

describe('what cannot be read ends in the dead-letter topic, once for each reader, with the cause', () => {
  test.each([...readers.keys()])('%s', async (topic) => {
    await eventually(`the dead letters of ${topic}`, async () => found(topic).length >= expected(topic).length).catch(
      () => undefined, // what is missing is told by the next line
    );
    expect(found(topic).map(placeOf)).toEqual(expected(topic).map(placeOf));
    expect(found(topic)).toEqual(expected(topic));
  });

  test.each([...inputs.values()].filter(({ cleanup }) => cleanup === 'compact'))(
    '$name is compacted, so the broker itself keeps records without a key off it',
    async ({ name: topic }) => {
      const producer = await kafka.producer();
      const record = { topic, partition: 0, timestamp: Date.now(), key: null, value: utf8.encode('x'), headers: [] };
      await expect(producer.send([record])).rejects.toThrow(/Compacted topic cannot accept message without key/);
      await producer.close();
    },
  );

  test('behind all of it an order goes from PLACED to CONFIRMED, and its buyer is told', async () => {
    const book = await newBook(admin, 5, 1_250);
    using shopper = await ShopClient.shopper(origin, 5_000);
    const { order, userErrors } = await shopper.buy(book, 2);
    expect(userErrors).toEqual([]);
    expect(order?.status).toBe('CONFIRMED');
    const steps: string[] = [];
    for await (const { data } of shopper.subscribe<{ orderTimeline: { type: string } }>(
      'subscription ($id: ID!) { orderTimeline(orderId: $id) { type } }',
      { id: order?.id },
    )) {
      steps.push(data?.orderTimeline.type ?? '');
      if (steps.at(-1) === 'CONFIRMED') break;
    }
    expect(steps[0]).toBe('PLACED');
    await eventually('the notification', async () => {
      const { viewer } = await shopper.ask<{ viewer: { unreadCount: number } }>('{ viewer { unreadCount } }');
      return viewer.unreadCount > 0;
    });
  });

  test('and no letter has come twice', async () => {
    const ends = await deadLetterEnds();
    await eventually('the dead-letter topics are read to their ends', async () =>
      [...ends].every(([name, end]) => end === 0 || (positions.get(name) ?? 0) >= end),
    );
    for (const topic of readers.keys()) expect(found(topic).map(placeOf)).toEqual(expected(topic).map(placeOf));
  });
});

describe('a schema that was registered after the start is learnt', () => {
  const send = async <V>(topic: Topic<V>, key: string, value: Uint8Array): Promise<void> => {
    const producer = await kafka.producer();
    const bytes = utf8.encode(key);
    const partition = partitionForKey(bytes, topic.partitions);
    await producer.send([{ topic: topic.name, partition, timestamp: Date.now(), key: bytes, value, headers: [] }]);
    await producer.close();
  };

  test('by a topology: copies come in by a newer Restock', async () => {
    const newer = await registerNewer(registryUrl, 'stockCommands', 'Restock', 'supplier');
    const { id: bookId } = await newBook(admin, 0, 1_250);
    const commandId = randomUUID();
    const meta = {
      eventId: commandId,
      commandId,
      correlationId: commandId,
      causationId: commandId,
      actor: 'bad-input-test',
      occurredAt: Date.now(),
    };
    const restock = { meta, payloadHash: 'none', bookId, quantity: 7, reason: 'a newer writer' };
    await send(topics.stockCommands, bookId, newer.encode(restock));
    await eventually('seven copies are on the shelf', async () => {
      const { admin: root } = await admin.ask<{ admin: { stock: { onHand: number } } }>(
        'query ($bookId: ID!) { admin { stock(bookId: $bookId) { onHand } } }',
        { bookId },
      );
      return root.stock.onHand === 7;
    });
  });

  test('by a projection: a newer LogRecorded is in the log', async () => {
    const newer = await registerNewer(registryUrl, 'logs', 'LogRecorded', 'host');
    const message = `from a newer writer: ${randomUUID()}`;
    const line = {
      time: Date.now(),
      level: 'info',
      service: 'bad-input-test',
      instance: 'one',
      traceId: null,
      orderId: null,
      event: 'tested',
      message,
      fields: {},
    };
    await send(topics.logs, 'bad-input-test', newer.encode(line));
    await eventually('the line is found', async () => {
      const { admin: root } = await admin.ask<{ admin: { logs: { edges: readonly { node: { message: string } }[] } } }>(
        'query ($search: String) { admin { logs(first: 1, search: $search) { edges { node { message } } } } }',
        { search: message },
      );
      return root.logs.edges[0]?.node.message === message;
    });
  });
});
