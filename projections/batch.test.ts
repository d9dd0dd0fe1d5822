import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import type { BooksEvent } from '@bookstream/schemas/types/books';
import type { NotificationsEvent } from '@bookstream/schemas/types/notifications';
import type { ConsumedRecord } from '@bookstream/streams/kafka/port';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { decode, fold, type Held, keysOf, tablesOf } from './batch.ts';
import { books, catalogue } from './catalogue/projection.ts';
import { ContentHash } from './content-hash.ts';
import { notifications } from './notifications/projection.ts';
import { orders } from './orders/projection.ts';
import { table } from './projection.ts';
import { fromJson, toJson } from './row.ts';
import { bookCreated, orderView, priceChanged } from './test/events.ts';

beforeAll(useLocalSchemas);

const { name, keySerde, valueSerde } = topics.booksEvents;

const record = (offset: number, event: BooksEvent): ConsumedRecord => ({
  topic: name,
  partition: 0,
  offset,
  timestamp: 1,
  key: keySerde.serialize(name, event.bookId),
  value: valueSerde.serialize(name, event),
  headers: [],
});

const tables = tablesOf(catalogue, name);

/** Folds records in batches that end where `cuts` say, over rows that stay between batches, as a sink holds them. */
function inBatches(records: readonly ConsumedRecord[], cuts: readonly number[], positions: boolean): Map<string, Held> {
  const rows = new Map<string, Held>();
  let from = 0;
  for (const to of [...cuts, records.length]) {
    const { decoded } = decode(tables, records.slice(from, to));
    for (const [key, held] of fold(decoded, new Map([[books, rows]])).changed.get(books) ?? []) {
      rows.set(key, positions ? held : { ...held, pos: -1 });
    }
    from = to;
  }
  return rows;
}

const history = fc
  .array(fc.record({ book: fc.nat(3), minor: fc.bigInt(1n, 9_999n) }), { maxLength: 40 })
  .map((moves) => {
    const versions = new Map<number, number>();
    return moves.map(({ book, minor }, offset) => {
      const version = (versions.get(book) ?? 0) + 1;
      versions.set(book, version);
      return record(
        offset,
        version === 1 ? bookCreated(`b${book}`, `Title ${book}`, minor) : priceChanged(`b${book}`, version, minor),
      );
    });
  });

test('wherever batches are cut, the rows are the same', () => {
  fc.assert(
    fc.property(history, fc.array(fc.nat(40)), (records, cuts) => {
      const sorted = cuts.map((cut) => Math.min(cut, records.length)).sort((a, b) => a - b);
      expect(inBatches(records, sorted, false)).toEqual(inBatches(records, [], false));
    }),
  );
});

test('with positions a repeat changes nothing, from wherever it begins', () => {
  fc.assert(
    fc.property(history, fc.nat(40), (records, from) => {
      const once = inBatches(records, [], true);
      const { decoded } = decode(tables, records.slice(Math.min(from, records.length)));
      expect(fold(decoded, new Map([[books, once]])).changed.size).toBe(0);
    }),
  );
});

test('a record that cannot be read, or whose fold throws, is told apart and changes no row', () => {
  const good = record(0, bookCreated('b', 'Emma'));
  const corrupt = { ...record(1, bookCreated('b', 'Emma')), value: new Uint8Array([9, 9]) };
  const orphan = record(2, priceChanged('never', 2, 5n));
  const empty = { ...record(3, bookCreated('b', 'Emma')), value: null };
  const keyless = { ...record(4, bookCreated('keyless', 'Emma')), key: null };
  const { decoded, bad } = decode(tables, [good, corrupt, orphan, empty, keyless]);
  expect(bad.map(({ record, reason }) => [record.offset, reason])).toEqual([
    [1, 'corrupt'],
    [3, 'corrupt'],
    [4, 'null-key'],
  ]);
  expect(keysOf(decoded).get(books)).toEqual(['b', 'never']);
  const folded = fold(decoded, new Map());
  expect(folded.bad.map(({ record, reason }) => [record.offset, reason])).toEqual([[2, 'processing']]);
  expect([...(folded.changed.get(books)?.keys() ?? [])]).toEqual(['b']);
});

test('a tombstone of a compacted topic takes its row away', () => {
  const { name: topic } = topics.ordersView;
  const base = { topic, partition: 0, timestamp: 1, key: new TextEncoder().encode('o'), headers: [] };
  const view = { ...base, offset: 0, value: topics.ordersView.valueSerde.serialize(topic, orderView('o', 'u', 1)) };
  const { decoded, bad } = decode(tablesOf(orders, topic), [view, { ...base, offset: 1, value: null }]);
  expect(bad).toEqual([]);
  expect([...fold(decoded, new Map()).changed.values()].map((rows) => rows.get('o'))).toEqual([{ row: null, pos: 1 }]);
});

test('the content hash asks for the rows, not for their order, nor for that of their properties', () => {
  const hash = (rows: readonly object[]) => {
    const content = new ContentHash();
    for (const row of rows) content.add(row);
    return content.hex;
  };
  const rows = Array.from({ length: 600 }, (_, index) => ({ id: String(index), minor: BigInt(index) }));
  expect(hash(rows)).toBe(hash([...rows].reverse().map(({ id, minor }) => ({ minor, id }))));
  expect(hash(rows)).not.toBe(hash(rows.with(300, { id: '300', minor: 301n })));
  const [left, right] = [new ContentHash(), new ContentHash()];
  for (const row of rows.slice(0, 100)) left.add(row);
  for (const row of rows.slice(100)) right.add(row);
  left.merge(right);
  expect([left.hex, left.rows]).toEqual([hash(rows), 600]);
});

test('what Postgres cannot hold as JSON comes back as it went, save NUL', () => {
  const value = { lines: [{ unitPrice: { amountMinor: 12n, currency: 'EUR' }, title: 'a\u0000b' }], none: null };
  expect(fromJson(JSON.parse(toJson(value)))).toEqual({
    lines: [{ unitPrice: { amountMinor: 12n, currency: 'EUR' }, title: 'a\ufffdb' }],
    none: null,
  });
});

test("tables come in the projection's order, though the first record has rows in the last one only", () => {
  const [rows, inbox] = tablesOf(notifications, topics.notificationsEvents.name);
  const { meta } = bookCreated('b', 'Emma');
  const events: readonly NotificationsEvent[] = [
    { type: 'AllRead', meta, userId: 'u', version: 1 },
    {
      type: 'NotificationRaised',
      meta,
      userId: 'u',
      version: 2,
      notificationId: 'n',
      kind: 'k',
      orderId: null,
      title: 't',
      body: 'b',
    },
  ];
  const records = events.map((event, offset): ConsumedRecord => {
    const { name: topic, valueSerde: serde } = topics.notificationsEvents;
    const bytes = serde.serialize(topic, event);
    return {
      topic,
      partition: 0,
      offset,
      timestamp: 1,
      key: keySerde.serialize(topic, 'u'),
      value: bytes,
      headers: [],
    };
  });
  const { decoded } = decode(
    [rows, inbox].filter((table) => table !== undefined),
    records,
  );
  expect([...fold(decoded, new Map()).changed.keys()]).toEqual([rows, inbox]);
});

test('rows that never change cannot be taken away by a tombstone', () => {
  const { name, topic, columns } = orders.tables[0] ?? {};
  const options = { name, topic, columns, key: 'orderId', keys: () => [], fold: () => null };
  expect(() => table({ ...options, appendOnly: true, tombstones: true } as never)).toThrow(TypeError);
});
