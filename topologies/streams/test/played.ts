import fc from 'fast-check';
import { type DriverOptions, Serdes, type Topology, TopologyTestDriver } from '../index.ts';
import type { CrashPoint } from './driven-application.ts';

/** A record for a topic of texts, and how the application dies over it. */
export interface Played {
  readonly topic: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: number;
  /** `idle`: killed before it, with nothing to do. */
  readonly crash: CrashPoint | 'idle' | null;
}

/** What came out on the topic `out`: key, value, time. */
export type Told = readonly [string | null, string | null, number];

export const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });

export interface PlayedOptions {
  readonly latest?: number;
  readonly maxLength?: number;
  readonly keys?: readonly string[];
  /** Null keys, now and then. */
  readonly nullKeys?: boolean;
}

/** Keys of which one begins with another, close times, nulls now and then. No two values are equal: a letter, and the record's number. */
export const playedTo = (
  topics: readonly string[],
  { latest = 40, maxLength = 40, keys = ['a', 'ab', 'b'], nullKeys = false }: PlayedOptions = {},
): fc.Arbitrary<readonly Played[]> =>
  fc
    .array(
      fc.record({
        topic: fc.constantFrom(...topics),
        key: fc.option(fc.constantFrom(...keys), { freq: nullKeys ? 15 : Number.MAX_SAFE_INTEGER }),
        value: fc.option(fc.constantFrom('x', 'y', 'z'), { freq: 6 }),
        timestamp: fc.nat(latest),
        crash: fc.constantFrom(
          null,
          null,
          null,
          null,
          'idle' as const,
          'before-commit' as const,
          'after-commit' as const,
        ),
      }),
      { maxLength },
    )
    .map((records) => records.map((one, n) => ({ ...one, value: one.value === null ? null : `${one.value}${n}` })));

export const calm = (records: readonly Played[]): readonly Played[] =>
  records.map((record) => ({ ...record, crash: null }));

/** Sends records one by one, each processed and committed before the next, with their crashes. */
export function send(driver: TopologyTestDriver, records: readonly Played[]): void {
  for (const { topic, key, value, timestamp, crash } of records) {
    if (crash === 'idle') driver.crash();
    driver.inputTopic(text(topic)).send(key, value, timestamp);
    if (crash === 'before-commit' || crash === 'after-commit') driver.crash(crash);
    driver.run();
  }
}

/** What a topology says to these records, in the order of production (with several partitions: of one after the other). */
export function play(topology: Topology, records: readonly Played[], options: DriverOptions = {}): readonly Told[] {
  using driver = new TopologyTestDriver(topology, options);
  send(driver, records);
  return told(driver);
}

export const told = (driver: TopologyTestDriver): readonly Told[] =>
  driver
    .outputTopic(text('out'))
    .readRecords()
    .map(({ key, value, timestamp }) => [key, value, timestamp]);
