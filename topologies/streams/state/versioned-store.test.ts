import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InvalidArgumentError, Serdes, Stores, type VersionedKeyValueStore } from '../index.ts';
import { SingleStore } from '../test/single-store.ts';

const opened = (historyRetentionMs: number) =>
  new SingleStore<VersionedKeyValueStore<string, string>>(
    Stores.versionedKeyValue({
      name: 'v',
      keySerde: Serdes.string,
      valueSerde: Serdes.string,
      historyRetentionMs,
    }),
  );

/** Every version that was ever accepted. */
class PlainVersions {
  readonly #versions = new Map<string, { readonly value: string | null; readonly timestamp: number }[]>();
  readonly #retentionMs: number;
  #newest = -1;

  constructor(retentionMs: number) {
    this.#retentionMs = retentionMs;
  }

  get horizon(): number {
    return this.#newest - this.#retentionMs;
  }

  put(key: string, value: string | null, timestamp: number): string {
    if (timestamp < this.horizon) return 'expired';
    this.#newest = Math.max(this.#newest, timestamp);
    const others = (this.#versions.get(key) ?? []).filter((version) => version.timestamp !== timestamp);
    const all = [...others, { value, timestamp }].sort((a, b) => a.timestamp - b.timestamp);
    this.#versions.set(key, all);
    return all.at(-1)?.timestamp === timestamp ? 'latest' : 'out-of-order';
  }

  get(key: string, asOf: number | undefined): unknown {
    const versions = this.#versions.get(key) ?? [];
    const found = versions.filter(({ timestamp }) => asOf === undefined || timestamp <= asOf).at(-1);
    if (found === undefined || found.value === null) return null;
    const forgotten = asOf !== undefined && asOf < this.horizon && found !== versions.at(-1);
    return forgotten ? null : found;
  }

  all(): unknown {
    return [...this.#versions.keys()].sort().flatMap((key) => {
      const latest = this.get(key, undefined);
      return latest === null ? [] : [[key, latest]];
    });
  }
}

// Keys that begin with one another, also with the bytes that keys and times are told apart by.
const keys = ['', 'a', 'a\0', 'a\0\0', 'a\0\u{7f}', 'ab', 'b'];
const key = fc.constantFrom(...keys);
/** Mostly growing, so that much is forgotten, and enough rows that a sweep does not reach them all. */
const time = fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 40 }));
const write = fc.record({
  key,
  time,
  value: fc.option(fc.constantFrom('', 'x', 'y')),
  after: fc.nat({ max: 199 }).map((n) => (n === 0 ? 'restart' : n < 20 ? 'commit' : 'go on')),
  failsFirst: fc.boolean(),
});

test('answers as a plain list of versions does, over commits, restarts and records that failed', () => {
  fc.assert(
    fc.property(fc.nat({ max: 300 }), fc.array(write, { maxLength: 600, size: 'max' }), (retentionMs, writes) => {
      const kept = opened(retentionMs);
      const plain = new PlainVersions(retentionMs);
      const compare = (name: string, asOf: number | undefined) =>
        expect(kept.store.get(name, asOf)).toEqual(plain.get(name, asOf));
      writes.forEach((one, at) => {
        const timestamp = Math.max(0, Math.floor((at * one.time[0]) / 400) + at - one.time[1]);
        if (one.failsFirst) kept.rolledBack(() => kept.store.put(one.key, 'failed', timestamp + 50));
        expect(kept.store.put(one.key, one.value, timestamp)).toBe(plain.put(one.key, one.value, timestamp));
        if (one.after === 'commit') kept.commit();
        if (one.after === 'restart') kept.restart();
        for (const asOf of [undefined, timestamp - 1, timestamp, timestamp + 1]) compare(one.key, asOf);
        for (const name of keys) for (const near of [-1, 0, 1]) compare(name, plain.horizon + near);
      });
      expect([...kept.store.all()]).toEqual(plain.all());
      for (const name of keys) for (let asOf = -1; asOf < 1_300; asOf += 7) compare(name, asOf);
    }),
    { numRuns: 25 },
  );
}, 60_000);

test('what nobody can see any more leaves store and changelog, also of keys that are not written again', () => {
  const kept = opened(100);
  for (let n = 0; n < 300; n++) {
    kept.store.put(`once-${n}`, 'v', n);
    kept.store.put(`once-${n}`, null, n + 1);
  }
  for (let n = 0; n < 5_000; n++) kept.store.put('again', String(n), 1_000 + n);
  kept.commit();
  // One version of each ms that can be looked up, the one before them, the newest time, and what the next sweep will find.
  expect(kept.rows).toBeLessThanOrEqual(102 + 64);
  expect(kept.store.get('again', 5_950)?.value).toBe('4950');
});

test('a deleted row stays deleted while its history is removed part by part', () => {
  const { store } = opened(1_000);
  for (let time = 1; time <= 310; time++) store.put('k', time === 310 ? null : 'v', time);
  for (let n = 0; n < 640; n++) {
    store.put('z', 'v', 10_000);
    expect([store.get('k'), store.get('k', 9_000)]).toEqual([null, null]);
  }
});

test('a delete tells what was valid then', () => {
  const { store } = opened(10);
  store.put('k', 'a', 1);
  store.put('k', 'b', 5);
  expect(store.delete('k', 3)).toEqual({ value: 'a', timestamp: 1 });
  expect([store.get('k', 3), store.get('k', 4), store.get('k')]).toEqual([null, null, { value: 'b', timestamp: 5 }]);
});

test('a history and times below zero are refused', () => {
  expect(() => opened(-1)).toThrow(InvalidArgumentError);
  expect(() => opened(1).store.put('k', 'v', -1)).toThrow(/a version of -1 ms/);
});
