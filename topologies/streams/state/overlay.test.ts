import fc from 'fast-check';
import { expect, test } from 'vitest';
import { prefixEnd } from './bytes.ts';
import { MemoryStorage } from './memory-storage.ts';
import { Overlay } from './overlay.ts';
import { UndoLog } from './undo-log.ts';

const spec = {
  name: 's',
  kind: 'key-value',
  persistent: false,
  logged: true,
  retentionMs: null,
  changelogConfig: {},
} as const;

const bound = fc.option(fc.nat({ max: 9 }));
const rows = fc.array(fc.tuple(fc.nat({ max: 9 }), fc.option(fc.nat({ max: 9 }))), { maxLength: 8 });

test('the first row is the first one of the range, over committed, frozen and new rows', () => {
  fc.assert(
    fc.property(rows, rows, rows, bound, bound, fc.boolean(), (committed, frozen, active, from, to, reverse) => {
      const storage = new MemoryStorage();
      const bytes = (n: number | null) => (n === null ? null : Uint8Array.of(n));
      const written = committed.map(([key, value]) => [Uint8Array.of(key), bytes(value)] as const);
      storage.write({ rows: new Map([['s', written]]), metadata: new Map() });
      const overlay = new Overlay(storage.store(spec), new UndoLog());
      for (const [key, value] of frozen) overlay.put(Uint8Array.of(key), bytes(value), 0);
      overlay.takeDirty();
      for (const [key, value] of active) overlay.put(Uint8Array.of(key), bytes(value), 0);
      const [first = null] = [...overlay.range(bytes(from), bytes(to), reverse)];
      expect(overlay.first(bytes(from), bytes(to), reverse)).toEqual(first);
    }),
  );
});

test('the end of a prefix is no part of the prefix, also where that is a Buffer', () => {
  const prefix = Buffer.from([1, 2]);
  expect([...(prefixEnd(prefix) ?? [])]).toEqual([1, 3]);
  expect([...prefix]).toEqual([1, 2]);
});

test('a change that is told keeps no more than its own bytes, though its key was a view of what was fetched', () => {
  const overlay = new Overlay(new MemoryStorage().store(spec), new UndoLog());
  overlay.put(new Uint8Array(1 << 20).fill(7).subarray(10, 13), Uint8Array.of(1), 5);
  overlay.takeDirty();
  const changes = [...overlay.frozenChanges()];
  expect(changes).toEqual([{ key: Uint8Array.of(7, 7, 7), old: null, value: Uint8Array.of(1), timestamp: 5 }]);
  expect(changes[0]?.key.buffer.byteLength).toBe(3);
});
