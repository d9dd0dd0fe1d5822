import { isDeepStrictEqual } from 'node:util';
import { InvalidArgumentError, StreamsError, TaskFailedError, TopologyError, TopologyTestDriver } from '../index.ts';
import type { ConsumedRecord } from '../kafka/port.ts';
import { type BuiltCase, buildCase, serdes, topicOf } from './build.ts';
import { type Case, type RecordedEntry, type RecordedRecord, UnsupportedError, type Value } from './case.ts';
import { type AnyKey, type Brackets, rendered } from './keys.ts';

export type Verdict =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly difference: string }
  /** Nothing was compared: the case needs what the library does not have. */
  | { readonly kind: 'unsupported'; readonly what: string };

const passed: Verdict = { kind: 'passed' };
const failed = (difference: string): Verdict => ({ kind: 'failed', difference });

/** Kafka Streams' names of what may be thrown, and ours. */
const errorNames: Readonly<Record<string, (error: unknown) => boolean>> = {
  TopologyException: (error) => error instanceof TopologyError,
  IllegalArgumentException: (error) => error instanceof InvalidArgumentError,
  StreamsException: (error) => error instanceof TaskFailedError,
};

/** Builds the topology of a case, pipes its input and compares what came out with what Kafka Streams gave. */
export function runCase(one: Case): Verdict {
  const { expected } = one;
  let built: BuiltCase;
  try {
    built = buildCase(one.topology);
  } catch (error) {
    if (error instanceof UnsupportedError) return { kind: 'unsupported', what: error.message };
    if (!(error instanceof StreamsError)) throw error;
    if (expected.phase !== 'build') return failed(`could not be built: ${error.message}`);
    return expected.error !== undefined && errorNames[expected.error]?.(error)
      ? passed
      : failed(`expected ${expected.error}, got ${error.name}: ${error.message}`);
  }
  if (expected.phase === 'build') return failed(`was built, but ${expected.error} was expected`);

  using driver = new TopologyTestDriver(built.topology, { startWallClockMs: 0 });
  const output = outputsOf(driver, one);
  for (const [index, input] of one.input.entries()) {
    const fails = expected.phase === 'run' && expected.atInput === index;
    try {
      if (!('advanceWallClock' in input)) {
        driver.inputTopic(topicOf(input.topic)).send(input.key, input.value, input.timestamp);
      }
      output.record = true;
      if ('advanceWallClock' in input) driver.advanceWallClock(input.advanceWallClock);
      else driver.run();
      output.record = false;
      if (fails) return failed(`input ${index} was processed, but ${expected.error} was expected`);
    } catch (error) {
      if (!(error instanceof TaskFailedError)) throw error;
      if (!fails) return failed(`input ${index} failed: ${error.message}`);
      break;
    }
  }
  return (
    difference('output', expected.output ?? [], output.records) ??
    Object.entries(expected.stores ?? {})
      .map(([name, entries]) => difference(`store ${name}`, entries, entriesOf(driver, built, name)))
      .find((verdict) => verdict !== null) ??
    passed
  );
}

interface Output {
  readonly records: RecordedRecord[];
  /** Off while the input itself is sent: it may go to a topic that the topology writes to. */
  record: boolean;
}

/** What `to` steps produce, over all their topics in the order of production. */
function outputsOf(driver: TopologyTestDriver, one: Case): Output {
  const output: Output = { records: [], record: false };
  const sinks = new Set(one.topology.flatMap((step) => (step.op === 'to' ? [step.topic] : [])));
  driver.broker.onAppend = ({ topic, key, value, timestamp }: ConsumedRecord) => {
    if (!output.record || !sinks.has(topic)) return;
    output.records.push({
      topic,
      key: key === null ? null : rendered(serdes.keySerde.deserialize(topic, key), []),
      value: value === null ? null : serdes.valueSerde.deserialize(topic, value),
      timestamp,
    });
  };
  return output;
}

function entriesOf(driver: TopologyTestDriver, built: BuiltCase, name: string): readonly RecordedEntry[] {
  const plain = (value: Value | bigint): Value => (typeof value === 'bigint' ? Number(value) : value);
  const brackets = built.brackets.get(name) ?? [];
  const sorted = <E extends readonly [AnyKey, unknown]>(rows: Iterable<E>): E[] =>
    [...rows].sort(([a], [b]) => orderOf(a, b, brackets));
  if (built.plainStores.has(name)) {
    const rows = driver.getKeyValueStore<AnyKey, Value>(name).all();
    return sorted(rows).map(([key, value]) => ({ key: rendered(key, brackets), value }));
  }
  if (built.windowStores.has(name) && brackets[0] === ']') {
    const rows = driver.getSessionStore<AnyKey, Value | bigint>(name).all();
    return sorted(rows).map(([key, value]) => ({ key: rendered(key, brackets), value: plain(value) }));
  }
  const rows = built.windowStores.has(name)
    ? driver.getTimestampedWindowStore<AnyKey, Value | bigint>(name).all()
    : built.versionedStores.has(name)
      ? driver.getVersionedKeyValueStore<AnyKey, Value | bigint>(name).all()
      : driver.getTimestampedKeyValueStore<AnyKey, Value | bigint>(name).all();
  return sorted(rows).map(([key, { value, timestamp }]) => ({
    key: rendered(key, brackets),
    value: plain(value),
    timestamp,
  }));
}

/** By key, then by the start of the window, then by its end. */
function orderOf(a: AnyKey, b: AnyKey, brackets: Brackets): number {
  if (typeof a === 'string' || typeof b === 'string') {
    const [one, other] = [rendered(a, brackets), rendered(b, brackets)];
    return one < other ? -1 : one > other ? 1 : 0;
  }
  return (
    orderOf(a.key, b.key, brackets.slice(1)) || a.window.startMs - b.window.startMs || a.window.endMs - b.window.endMs
  );
}

function difference(what: string, expected: readonly unknown[], actual: readonly unknown[]): Verdict | null {
  if (isDeepStrictEqual(expected, actual)) return null;
  const line = (entry: unknown) => (entry === undefined ? '(nothing)' : JSON.stringify(entry));
  const first = expected.findIndex((entry, index) => !isDeepStrictEqual(entry, actual[index]));
  const at = first < 0 ? expected.length : first;
  return failed(
    `${what}, entry ${at} of ${expected.length} (got ${actual.length}):\n    expected ${line(expected[at])}\n    got      ${line(actual[at])}`,
  );
}
