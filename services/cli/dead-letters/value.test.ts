import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import { expect, test } from 'vitest';
import { asJson, decodeValue, hexDump } from './value.ts';

useLocalSchemas();
const meta = {
  ...{ eventId: 'e', commandId: 'c', correlationId: 'c', causationId: 'c', actor: 'admin', occurredAt: 1 },
};

test('a value is read as its topic reads it; what cannot be read says why', async () => {
  const { name } = topics.stockCommands;
  const restock = { type: 'Restock', meta, payloadHash: 'h', bookId: 'b', quantity: 7, reason: 'r' } as const;
  const bytes = topics.stockCommands.valueSerde.serialize(name, restock);
  expect(await decodeValue(name, bytes, null)).toMatchObject({ value: { type: 'Restock', bookId: 'b', quantity: 7 } });
  expect(await decodeValue(name, bytes.subarray(0, -1), null)).toEqual({
    problem: expect.stringMatching(/bytes end before/),
  });
  expect(await decodeValue(name, bytes, 'the registry is away')).toEqual({ problem: 'the registry is away' });
  expect(await decodeValue('elsewhere', bytes, null)).toEqual({ problem: 'elsewhere is no topic of the contract' });
});

test('money is written, though JSON has no whole numbers of its size', () => {
  expect(asJson({ amount: { minor: 940n } })).toContain('"minor": "940"');
});

test('bytes are told as hexdump does, and of long ones the beginning', () => {
  expect(hexDump(new TextEncoder().encode('{"not":"avro"} é'))).toBe(
    '00000000  7b 22 6e 6f 74 22 3a 22 61 76 72 6f 22 7d 20 c3  {"not":"avro"} .\n' +
      '00000010  a9                                               .',
  );
  const lines = hexDump(new Uint8Array(2_000)).split('\n');
  expect([lines.length, lines.at(-1)]).toEqual([65, '… 976 bytes more']);
});
