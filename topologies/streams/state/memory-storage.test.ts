import { expect, test } from 'vitest';
import { MemoryStorage } from './memory-storage.ts';

test('a row does not keep the answer alive that it was fetched in', () => {
  const answer = new Uint8Array(1 << 20);
  const storage = new MemoryStorage();
  storage.write({ rows: new Map([['s', [[answer.subarray(5, 6), answer.subarray(7, 9)]]]]), metadata: new Map() });
  const spec = {
    name: 's',
    kind: 'key-value',
    persistent: false,
    logged: true,
    retentionMs: null,
    changelogConfig: {},
  } as const;
  const [row] = [...storage.store(spec).range(null, null)];
  expect([row?.[0], row?.[1]].map((bytes) => bytes?.buffer.byteLength)).toEqual([1, 2]);
});
