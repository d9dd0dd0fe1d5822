import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DriverOptions, Serdes, StreamsBuilder, TopologyTestDriver } from '../index.ts';
import { LmdbStorage } from './lmdb-storage.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });

/** A table with a history, a stream that waits for its rows, and a table whose updates are held back. */
function topology() {
  const builder = new StreamsBuilder();
  const rows = builder.table(text('rows'), { store: 'rows', versionedMs: 20 });
  builder
    .stream(text('in'))
    .leftJoin(rows, (value, row) => `${value}+${row}`, { as: 'wait', graceMs: 10 })
    .to(text('joined'));
  builder
    .table(text('updates'), { store: 'updates' })
    .suppress({ until: 'timeLimit', limitMs: 15, maxRecords: 2, as: 'hold' })
    .toStream()
    .to(text('held'));
  return builder.build();
}

const record = fc.record({
  topic: fc.constantFrom('rows', 'in', 'updates'),
  key: fc.constantFrom('', 'a', 'a\0', 'b'),
  value: fc.option(fc.constantFrom('', 'x', 'y')),
  timestamp: fc.nat({ max: 60 }),
  crash: fc.constantFrom(null, null, 'before-commit', 'after-commit', 'idle'),
});

test('histories and what is held back are on disk what they are in memory, killed at any moment', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 40 }), async (records) => {
      const folder = mkdtempSync(join(tmpdir(), 'histories-'));
      const disks = new Map<string, LmdbStorage>();
      const storage = (_application: string, task: string) => {
        const disk = disks.get(task) ?? new LmdbStorage(join(folder, task));
        disks.set(task, disk);
        return disk;
      };
      const run = (options: DriverOptions, crashes: boolean) => {
        using driver = new TopologyTestDriver(topology(), options);
        for (const { topic, key, value, timestamp, crash } of records) {
          driver.inputTopic(text(topic)).send(key, value, timestamp);
          if (crashes && crash !== null && crash !== 'idle') driver.crash(crash);
          driver.run();
          if (crashes && crash === 'idle') driver.crash();
        }
        return {
          rows: [...driver.getVersionedKeyValueStore('rows').all()],
          joined: driver.outputTopic(text('joined')).readRecords(),
          held: driver.outputTopic(text('held')).readRecords(),
        };
      };
      try {
        expect(run({ storage }, true)).toEqual(run({}, false));
      } finally {
        for (const disk of disks.values()) await disk.close();
        rmSync(folder, { recursive: true });
      }
    }),
    { numRuns: 40 },
  );
});
