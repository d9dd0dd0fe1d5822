import { expect, test } from 'vitest';
import type { Header } from '../kafka/port.ts';
import { deadLetterOf, productionLetterOf, readDeadLetter } from './dead-letter.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const headers: readonly Header[] = [
  ['trace', bytes('t')],
  ['reason', bytes("the record's own")],
  ['task', bytes('1_1')],
];
const record = { topic: 'in', partition: 3, offset: 17, timestamp: 5, key: bytes('k'), value: bytes('v'), headers };
const writer = { application: 'app', task: '0_3' };

test('a letter is read back as it was written, and the headers of the record are its own again', () => {
  const letter = { ...deadLetterOf(record, 'malformed', new Error('bad bytes'), writer), offset: 2 };
  expect(readDeadLetter(letter)).toEqual({
    at: { topic: 'in.dlq', partition: 3, offset: 2 },
    timestamp: 5,
    key: record.key,
    value: record.value,
    headers,
    reason: 'malformed',
    cause: 'bad bytes',
    origin: { topic: 'in', partition: 3, offset: 17 },
    application: 'app',
    task: '0_3',
    target: null,
    valueBytes: null,
  });
});

test('a letter of what cannot be sent tells where it was to go, and one that was cut how long it was', () => {
  const large = { ...record, topic: 'out', value: Buffer.alloc(5_000) };
  const origin = { topic: 'in', partition: 3 };
  const letter = productionLetterOf(large, 'too large', origin, {
    ...writer,
    limits: { maxBytesOf: () => 2_000, takesTime: () => true },
  });
  expect(readDeadLetter({ ...letter, offset: 0 })).toMatchObject({
    reason: 'production',
    origin: null,
    target: 'out',
    valueBytes: 5_000,
    headers,
  });
});

test('what the record has among its own headers under names of a letter stays its own', () => {
  const own: readonly Header[] = [...headers, ['record-timestamp', bytes('7')], ['value-bytes', bytes('8')]];
  const letter = deadLetterOf({ ...record, headers: own }, 'failed', new Error('no'), writer);
  expect(readDeadLetter({ ...letter, offset: 0 })).toMatchObject({ timestamp: 5, valueBytes: null, headers: own });
});

test('a record that is no letter has no reason', () => {
  expect(readDeadLetter({ ...record, headers: [] })).toMatchObject({ reason: '', application: '', origin: null });
});
