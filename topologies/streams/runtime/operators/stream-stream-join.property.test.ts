import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JoinWindows, StreamsBuilder, TopologyTestDriver } from '../../index.ts';
import { type Played, play, playedTo, send, type Told, text, told } from '../../test/played.ts';

type Type = 'inner' | 'left' | 'outer';

/** What a side does not let through to the join; an unfiltered one of an inner join needs no changelog. */
type Filtered = readonly string[];
const filteredOf = fc.constantFrom<Filtered>([], ['left'], ['left', 'right']);

/** Filters take out what begins with x; what holds a forbidden number fails below the join. */
function joined(type: Type, windows: JoinWindows, filtered: Filtered, refused = '!') {
  const builder = new StreamsBuilder();
  const [left, right] = ['left', 'right'].map((topic) => {
    const stream = builder.stream(text(topic));
    return filtered.includes(topic) ? stream.filter((_key, value) => value === null || !value.startsWith('x')) : stream;
  });
  if (left === undefined || right === undefined) throw new Error('there are two');
  const both = (one: string | null, other: string | null) => `${one}+${other}`;
  const options = { as: 'pairs' };
  const result =
    type === 'inner'
      ? left.join(right, both, windows, options)
      : type === 'left'
        ? left.leftJoin(right, both, windows, options)
        : left.outerJoin(right, both, windows, options);
  result
    .peek((_key, pair) => {
      if (pair.includes(refused)) throw new Error(`${pair} is refused`);
    })
    .to(text('out'));
  return builder.build();
}

interface Kept {
  readonly isLeft: boolean;
  readonly key: string;
  readonly value: string;
  readonly timestamp: number;
  met: boolean;
  /** As one that met nobody: nobody may meet it any more. */
  told: boolean;
}

/** Every record against all that came before it. */
function nestedLoop(
  type: Type,
  { beforeMs, afterMs, graceMs }: JoinWindows,
  filtered: Filtered,
  records: readonly Played[],
) {
  const kept: Kept[] = [];
  const out: Told[] = [];
  let newest = -1;
  let late = 0;
  const preserved = (isLeft: boolean) => type === 'outer' || (type === 'left' && isLeft);
  const pair = (isLeft: boolean, own: string, other: string | null) => (isLeft ? `${own}+${other}` : `${other}+${own}`);
  const isOver = (isLeft: boolean, timestamp: number) =>
    timestamp + Math.max(0, isLeft ? afterMs : beforeMs) + graceMs < newest;
  for (const { topic, key, value, timestamp } of records) {
    const isLeft = topic === 'left';
    if (value === null || (filtered.includes(topic) && value.startsWith('x'))) continue;
    if (key === null) {
      if (preserved(isLeft)) out.push([null, pair(isLeft, value, null), timestamp]);
      continue;
    }
    newest = Math.max(newest, timestamp);
    if (isOver(isLeft, timestamp)) {
      late += 1;
      continue;
    }
    const alone = kept.filter(
      (one) => preserved(one.isLeft) && !one.met && !one.told && isOver(one.isLeft, one.timestamp),
    );
    const order = (a: Kept, b: Kept) =>
      a.timestamp - b.timestamp || Number(a.isLeft) - Number(b.isLeft) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
    for (const one of alone.sort(order)) {
      one.told = true;
      out.push([one.key, pair(one.isLeft, one.value, null), one.timestamp]);
    }
    const own: Kept = { isLeft, key, value, timestamp, met: false, told: false };
    const partners = kept.filter((one) => {
      if (one.isLeft === isLeft || one.key !== key || one.told) return false;
      const ahead = isLeft ? one.timestamp - timestamp : timestamp - one.timestamp;
      return -beforeMs <= ahead && ahead <= afterMs;
    });
    for (const one of partners.sort((a, b) => a.timestamp - b.timestamp)) {
      own.met = one.met = true;
      out.push([key, pair(isLeft, value, one.value), Math.max(timestamp, one.timestamp)]);
    }
    kept.push(own);
  }
  return { out, late };
}

const windowsOf = fc
  .record({ from: fc.integer({ min: -12, max: 4 }), length: fc.nat(14), grace: fc.nat(10) })
  .map(({ from, length, grace }) => JoinWindows.of(-from, from + length, grace));
const records = playedTo(['left', 'right'], { keys: ['a', 'ab'], nullKeys: true });

describe.each<Type>(['inner', 'left', 'outer'])('two streams, %s join', (type) => {
  test('is a nested loop over all records, with ties, out of order and late, and with crashes at any moment', () => {
    fc.assert(
      fc.property(windowsOf, filteredOf, records, (windows, filtered, all) => {
        using driver = new TopologyTestDriver(joined(type, windows, filtered));
        send(driver, all);
        const expected = nestedLoop(type, windows, filtered, all);
        expect(told(driver)).toEqual(expected.out);
        if (all.every(({ crash }) => crash === null)) {
          expect(driver.drops.filter(({ reason }) => reason === 'late')).toHaveLength(expected.late);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('a record that fails below leaves nothing in it, not even its time', () => {
    fc.assert(
      fc.property(windowsOf, filteredOf, records, fc.integer({ min: 0, max: 9 }), (windows, filtered, all, digit) => {
        const topology = joined(type, windows, filtered, String(digit));
        using driver = new TopologyTestDriver(topology, { onFailure: 'dead-letter' });
        const refused = new Set(
          all.filter((record) => {
            const before = driver.broker.records(`${record.topic}.dlq`).length;
            send(driver, [record]);
            return driver.broker.records(`${record.topic}.dlq`).length > before;
          }),
        );
        const others = all.filter((record) => !refused.has(record));
        expect(told(driver)).toEqual(play(topology, others, { onFailure: 'dead-letter' }));
      }),
      { numRuns: 100 },
    );
  });
});
