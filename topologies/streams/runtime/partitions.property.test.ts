import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TopologyTestDriver } from '../index.ts';
import { partitionForKey } from '../kafka/partitioner.ts';
import { type Kind, kinds } from '../test/kinds-of-topology.ts';
import { calm, type Played, playedTo, send, text } from '../test/played.ts';

const partitions = 3;
const keys = ['a', 'ab', 'b', 'c', 'd', 'e', 'f'];
const records = playedTo(['a', 'b'], { keys }).map(calm);

function results({ topology }: Kind, all: readonly Played[], count: number) {
  using driver = new TopologyTestDriver(topology, { partitions: count });
  send(driver, all);
  return driver.outputTopic(text('out')).readRecords();
}

const partitionOf = (key: string): number => partitionForKey(new TextEncoder().encode(key), partitions);

const scoped = (scope: 'own' | 'key') => kinds.filter((kind) => kind.scope.includes(scope));

test('the keys go to all partitions', () => {
  expect(new Set(keys.map(partitionOf)).size).toBe(partitions);
});

test.each(kinds)('$name says something', (kind) => {
  const all = fc.sample(records, { seed: 1, numRuns: 20 }).flat();
  expect(results(kind, all, partitions)).not.toEqual([]);
});

describe('a partition gives what its own records give alone', () => {
  test.each(scoped('own'))('$name', (kind) => {
    fc.assert(
      fc.property(records, (all) => {
        const together = results(kind, all, partitions);
        for (let partition = 0; partition < partitions; partition += 1) {
          const own = all.filter(
            ({ topic, key }) => kind.globals?.includes(topic) || (key !== null && partitionOf(key) === partition),
          );
          const mine = together.filter((record) => record.partition === partition);
          expect(mine.map((record) => ({ ...record, partition: 0 }))).toEqual(results(kind, own, 1));
        }
      }),
      { numRuns: 15 },
    );
  });
});

describe('what hangs on no other key is told of each key in the same order, on one partition and on several', () => {
  const byKey = (kind: Kind, all: readonly Played[], count: number) =>
    Map.groupBy(
      results(kind, all, count).map((record) => ({ ...record, partition: 0 })),
      ({ key }) => key,
    );

  test.each(scoped('key'))('$name', (kind) => {
    fc.assert(
      fc.property(records, (all) => {
        expect(byKey(kind, all, partitions)).toEqual(byKey(kind, all, 1));
      }),
      { numRuns: 20 },
    );
  });
});
