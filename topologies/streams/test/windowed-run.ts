import fc from 'fast-check';
import {
  type DriverOptions,
  Serdes,
  type Topology,
  TopologyTestDriver,
  type Windowed,
  type WindowedSerde,
} from '../index.ts';
import type { CrashPoint } from './driven-application.ts';

/** A record for the topic `in`, or for another one; and how the application dies over it. */
export interface Sent {
  readonly topic?: string;
  readonly key: string | null;
  readonly value: number | null;
  readonly timestamp: number;
  /** `idle`: killed before it, with nothing to do. */
  readonly crash?: CrashPoint | 'idle' | null;
}

/** A windowed row as text, `k@0-10=3 (7)`; sessions likewise, with their last record's time. */
export const row = (key: string, startMs: number, endMs: number, value: unknown, timestamp: number): string =>
  `${key}@${startMs}-${endMs}=${value} (${timestamp})`;

export const inputs = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.integer });

/** Keys of which one begins with another, close times, values of both signs; nulls now and then. */
export const sent = (latest: number, topics: readonly string[] = ['in']): fc.Arbitrary<Sent> =>
  fc.record({
    topic: fc.constantFrom(...topics),
    key: fc.constantFrom('a', 'ab', 'b'),
    value: fc.option(fc.integer({ min: -9, max: 9 }), { freq: 9 }),
    timestamp: fc.nat(latest),
    crash: fc.constantFrom(null, null, null, 'idle' as const, 'before-commit' as const, 'after-commit' as const),
  });

/** Pipes records through a topology that writes windowed rows to `out`. */
export class WindowedRun implements Disposable {
  readonly driver: TopologyTestDriver;
  readonly #keySerde: WindowedSerde<string>;

  constructor(
    topology: Topology,
    keySerde: WindowedSerde<string>,
    records: readonly Sent[],
    options: DriverOptions = {},
  ) {
    this.driver = new TopologyTestDriver(topology, { onFailure: 'dead-letter', ...options });
    this.#keySerde = keySerde;
    for (const record of records) this.send(record);
  }

  send({ topic = 'in', key, value, timestamp, crash = null }: Sent): void {
    if (crash === 'idle') this.driver.crash();
    this.driver.inputTopic(inputs(topic)).send(key, value, timestamp);
    if (crash === 'before-commit' || crash === 'after-commit') this.driver.crash(crash);
    this.driver.run();
  }

  /** What came out since the last look. */
  rows(): readonly string[] {
    const topic = { name: 'out', keySerde: this.#keySerde, valueSerde: Serdes.json<unknown>() };
    return this.driver
      .outputTopic(topic)
      .readRecords()
      .map(({ key, value, timestamp }) => this.#row(key, value, timestamp));
  }

  drops(reason: string): number {
    return this.driver.drops.filter((drop) => drop.reason === reason).length;
  }

  #row(key: Windowed<string> | null, value: unknown, timestamp: number): string {
    if (key === null) throw new Error('a windowed row has no key');
    return row(key.key, key.window.startMs, key.window.endMs, value, timestamp);
  }

  [Symbol.dispose](): void {
    this.driver[Symbol.dispose]();
  }
}
