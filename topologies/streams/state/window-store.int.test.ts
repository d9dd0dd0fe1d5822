import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type EmitStrategy,
  Serdes,
  SessionWindows,
  SlidingWindows,
  StreamsBuilder,
  TimeWindows,
  WindowedSerdes,
} from '../index.ts';
import { inputs, sent, WindowedRun } from '../test/windowed-run.ts';
import { LmdbStorage } from './lmdb-storage.ts';

const add = (_key: string, value: number, sum: number) => sum + value;
const options = { store: 'sums', valueSerde: Serdes.integer };

const kinds = {
  hopping: TimeWindows.ofSizeAndGrace(10, 5).advanceBy(4),
  sliding: SlidingWindows.ofTimeDifferenceAndGrace(7, 5),
  session: SessionWindows.ofInactivityGapAndGrace(5, 5),
};

function topologyOf(windows: (typeof kinds)[keyof typeof kinds], strategy: EmitStrategy) {
  const builder = new StreamsBuilder();
  const grouped = builder.stream(inputs('in')).groupByKey();
  const table =
    windows instanceof SessionWindows
      ? grouped
          .windowedBy(windows)
          .emitStrategy(strategy)
          .aggregate<number>(
            () => 0,
            add,
            (_key, one, other) => one + other,
            options,
          )
      : grouped
          .windowedBy(windows)
          .emitStrategy(strategy)
          .aggregate<number>(() => 0, add, options);
  table.toStream().to('out', { valueSerde: Serdes.json() });
  return builder.build();
}

test.each(['hopping', 'sliding', 'session'] as const)(
  '%s windows on disk are those in memory, killed at any moment',
  async (kind) => {
    const windows = kinds[kind];
    const keySerde =
      kind === 'session'
        ? WindowedSerdes.sessionWindowed(Serdes.string)
        : WindowedSerdes.timeWindowed(Serdes.string, kind === 'hopping' ? 10 : 7);
    await fc.assert(
      fc.asyncProperty(fc.array(sent(60), { maxLength: 30 }), async (records) => {
        const folder = mkdtempSync(join(tmpdir(), 'windows-'));
        const disks = new Map<string, LmdbStorage>();
        const storage = (application: string, task: string) => {
          const name = `${application}-${task}`;
          const disk = disks.get(name) ?? new LmdbStorage(join(folder, name));
          disks.set(name, disk);
          return disk;
        };
        try {
          for (const strategy of ['onWindowUpdate', 'onWindowClose'] as const) {
            const topology = topologyOf(windows, strategy);
            const applicationId = strategy;
            using onDisk = new WindowedRun(topology, keySerde, records, { applicationId, storage });
            using inMemory = new WindowedRun(topology, keySerde, records, { applicationId });
            expect(onDisk.rows()).toEqual(inMemory.rows());
          }
        } finally {
          for (const disk of disks.values()) await disk.close();
          rmSync(folder, { recursive: true });
        }
      }),
      { numRuns: 25 },
    );
  },
);
