import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RecordList } from '../test/record-list.ts';
import { ByteWriter } from './bytes.ts';
import { type ConsumedRecord, type Header, type ProducedRecord, partitionName } from './port.ts';
import { cutIntoRounds, encodeRound } from './produce-rounds.ts';
import { readBatches } from './record-batch.ts';
import { RecordPack, RecordPacks } from './record-pack.ts';

const bytes = fc.uint8Array({ maxLength: 90 });
const header: fc.Arbitrary<Header> = fc.tuple(fc.string({ maxLength: 5 }), bytes);
const anyRecord: fc.Arbitrary<ProducedRecord> = fc.record({
  topic: fc.constantFrom('a', 'b'),
  partition: fc.nat({ max: 2 }),
  timestamp: fc.integer({ min: -1, max: 2 ** 45 }),
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(header, { maxLength: 2 }),
});

const plain = (record: ProducedRecord | ConsumedRecord): unknown => ({
  topic: record.topic,
  partition: record.partition,
  timestamp: record.timestamp,
  key: record.key && Array.from(record.key),
  value: record.value && Array.from(record.value),
  headers: record.headers.map(([name, value]) => [name, Array.from(value)]),
});

const add = (to: RecordPack | RecordList, { topic, partition, timestamp, key, value, headers }: ProducedRecord): void =>
  to.append(topic, partition, timestamp, key, value, headers);

describe('packed records', () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: anyRecord },
    fc.record({ keep: fc.double({ min: 0, max: 1, noNaN: true }) }),
    { weight: 1, arbitrary: fc.constant('clear' as const) },
  );

  test('are those of a plain list, whatever is appended, taken back and cleared', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const [pack, list] = [new RecordPack(), new RecordList()];
        for (const one of steps) {
          for (const to of [pack, list]) {
            if (one === 'clear') to.clear();
            else if ('keep' in one) to.takeBack(Math.floor(one.keep * to.length));
            else add(to, one);
          }
          expect(pack.length).toBe(list.length);
        }
        expect([...pack].map(plain)).toEqual([...list].map(plain));
      }),
    );
  });

  test('have bytes of their own when they are read: what comes later overwrites none', () => {
    const pack = new RecordPack();
    const record = { topic: 'a', partition: 0, timestamp: 0, key: null, headers: [] };
    add(pack, { ...record, value: Uint8Array.of(1) });
    const [read] = pack;
    pack.clear();
    add(pack, { ...record, value: Uint8Array.of(2) });
    expect(read?.value).toEqual(Uint8Array.of(1));
  });
});

describe('rounds', () => {
  /** What stands in the log of each partition after all rounds, with the sequence numbers that the broker would check. */
  function sent(packs: readonly RecordPack[], maxBytes: number) {
    const slab = new ByteWriter(16);
    const logs = new Map<string, unknown[]>();
    const sequences = new Map<string, number>();
    const sizes: number[] = [];
    for (const round of cutIntoRounds(new RecordPacks(packs), () => maxBytes)) {
      slab.reset();
      const stamp = { producerId: 1, producerEpoch: 0, transactional: true };
      const batches = encodeRound(slab, round, stamp, sequences);
      expect(new Set(batches.map(partitionName)).size).toBe(batches.length); // a request takes one batch of each
      for (const { topic, partition, batch } of batches) {
        const { records } = readBatches(topic, partition, Buffer.from(batch), 0, null);
        const log = logs.get(partitionName({ topic, partition })) ?? [];
        expect(Buffer.from(batch).readInt32BE(53)).toBe(log.length); // the broker wants sequence numbers without a gap
        log.push(...[...records].map(plain));
        logs.set(partitionName({ topic, partition }), log);
        if (records.length > 1) sizes.push(batch.length);
      }
    }
    return { logs, sizes };
  }

  test('hold the records of each partition in order, pack after pack, in batches no larger than they may be', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(anyRecord, { maxLength: 30, size: 'max' }), { maxLength: 3 }),
        fc.integer({ min: 100, max: 2_000 }),
        (tasks, maxBytes) => {
          const packs = tasks.map((records) => {
            const pack = new RecordPack();
            for (const record of records) add(pack, record);
            return pack;
          });
          const { logs, sizes } = sent(packs, maxBytes);
          const wanted = Map.groupBy(tasks.flat(), partitionName);
          expect(new Set(logs.keys())).toEqual(new Set(wanted.keys()));
          for (const [name, records] of wanted) expect(logs.get(name)).toEqual(records.map(plain));
          for (const size of sizes) expect(size).toBeLessThanOrEqual(maxBytes);
        },
      ),
    );
  });
});
