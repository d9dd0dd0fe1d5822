import { expect, test } from 'vitest';
import { type Serde, Serdes, StreamsBuilder, TopologyTestDriver } from '../index.ts';
import { byteString } from '../state/bytes.ts';
import { MemoryStorage } from '../state/memory-storage.ts';
import type { RowWrite, StorageWrite, StoreSpec } from '../state/state-store.ts';

/** Finds rows by the bytes of their keys, as a disk does, and not by the names that come along. */
class StorageByBytes extends MemoryStorage {
  override store(spec: StoreSpec) {
    const rows = super.store(spec);
    const { keys, range, count, ofGroup } = rows;
    return {
      get: (key: Uint8Array) => rows.get(key, byteString(key)),
      ofGroup: ofGroup.bind(rows),
      keys: keys.bind(rows),
      range: range.bind(rows),
      count: count.bind(rows),
    };
  }

  override write({ rows, metadata }: StorageWrite): void {
    const unnamed = [...rows].map(
      ([store, list]) => [store, Array.from(list, ([key, value]): RowWrite => [key, value])] as const,
    );
    super.write({ rows: new Map(unnamed), metadata });
  }
}

const utf8 = new TextEncoder();
const erased = <T>(serde: Serde<T>): Serde<unknown> => serde as Serde<unknown>; // what it reads is only compared

/** What other producers write for one key, or for keys that are easily taken for one another. */
const forms: readonly (readonly [string, Serde<unknown>, readonly Uint8Array[]])[] = [
  ['numbers as JSON', erased(Serdes.json<number>()), ['1', '1.0', ' 1', '-0', '0'].map((text) => utf8.encode(text))],
  ['text as JSON', erased(Serdes.json<string>()), ['"a"', '"\\u0061"', '"b"'].map((text) => utf8.encode(text))],
  ['text with and without a byte order mark', erased(Serdes.string), ['a', '\ufeffa'].map((text) => utf8.encode(text))],
  [
    'whole numbers that a double does not tell apart',
    erased(Serdes.integer),
    [0n, 1n].map((more) => Serdes.long.serialize('', 2n ** 60n + more)),
  ],
];

test.each(forms)('%s: every row of a table is found by its key, and no key has two', (_name, keySerde, keys) => {
  const builder = new StreamsBuilder();
  const topic = { name: 'in', keySerde, valueSerde: Serdes.string };
  builder.stream(topic).groupByKey().count({ store: 'counts' });
  using driver = new TopologyTestDriver(builder.build(), { storage: () => new StorageByBytes() });
  const input = driver.inputTopic(topic);
  for (const key of [...keys, ...keys]) {
    input.sendBytes(key, utf8.encode('x'));
    driver.run();
  }
  input.sendBytes(null, utf8.encode('x')); // the key that was read last is none of them
  driver.run();
  const counts = driver.getKeyValueStore<unknown, { value: bigint }>('counts');
  const rows = [...counts.all()];
  expect(new Set(rows.map(([key]) => key)).size).toBe(rows.length);
  for (const [key, row] of rows) expect(counts.get(key)).toEqual(row);
  const readable = keys.length * 2 - driver.drops.filter(({ reason }) => reason === 'malformed').length;
  expect(rows.reduce((sum, [, { value }]) => sum + Number(value), 0)).toBe(readable);
});
