import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CrashPoint, TopologyTestDriver } from '../index.ts';
import { MemoryStorage } from '../state/memory-storage.ts';
import { kinds } from '../test/kinds-of-topology.ts';
import { calm, type Played, playedTo, text, told } from '../test/played.ts';

type Crash = CrashPoint | 'idle' | null;

/** Delivers one record after the other, also those of internal topics, and crashes as `crash` says before or over each. */
function play(driver: TopologyTestDriver, records: readonly Played[], crash: () => Crash) {
  for (const { topic, key, value, timestamp } of records) {
    driver.inputTopic(text(topic)).send(key, value, timestamp);
    while (driver.waiting().length > 0) {
      const now = crash();
      if (now === 'idle') driver.crash();
      else if (now !== null) driver.crash(now);
      else driver.step(([first]) => first ?? never());
    }
  }
  return told(driver);
}

function never(): never {
  throw new Error('something was waiting');
}

/** Disks that outlive a crash, or that go with it. */
const storageOf = (keepsDisk: boolean) => {
  if (!keepsDisk) return {};
  const disks = new Map<string, MemoryStorage>();
  return {
    storage: (_application: string, task: string) => {
      const disk = disks.get(task) ?? new MemoryStorage();
      disks.set(task, disk);
      return disk;
    },
  };
};

const crashes = fc.infiniteStream(
  fc.constantFrom<Crash>(null, null, null, null, 'idle', 'before-commit', 'after-commit'),
);
const records = playedTo(['a', 'b'], { maxLength: 30 }).map(calm);

test.each(kinds)('a crash at any moment, with its disk or without, changes no answer: $name', ({ topology }) => {
  fc.assert(
    fc.property(records, crashes, fc.boolean(), fc.constantFrom(1, 3), (all, stream, keepsDisk, partitions) => {
      using undisturbed = new TopologyTestDriver(topology, { partitions });
      using driver = new TopologyTestDriver(topology, { partitions, ...storageOf(keepsDisk) });
      const crash = (): Crash => stream.next().value ?? null;
      expect(play(driver, all, crash)).toEqual(play(undisturbed, all, () => null));
    }),
    { numRuns: 40 },
  );
});
