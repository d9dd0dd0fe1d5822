import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  InvalidArgumentError,
  type ProcessorContext,
  Serdes,
  StreamsBuilder,
  type StreamTableJoinOptions,
  TopologyTestDriver,
  UnnamedOperatorError,
} from '../../index.ts';
import { MemoryStorage } from '../../state/memory-storage.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });

const joined = (graceMs: number, historyMs: number, left: boolean) => {
  const builder = new StreamsBuilder();
  const table = builder.table(text('rows'), { store: 'rows', versionedMs: historyMs });
  const stream = builder.stream(text('in'));
  const options = { as: 'wait', graceMs };
  const out = left
    ? stream.leftJoin(table, (value, row) => `${value}+${row}`, options)
    : stream.join(table, (value, row) => `${value}+${row}`, options);
  out.to(text('out'));
  return builder.build();
};

interface Event {
  readonly topic: 'in' | 'rows';
  readonly key: string;
  readonly value: string | null;
  readonly timestamp: number;
}

/** Every record waits in a list that is sorted anew for each look; every version of every row is remembered. */
function oracle(events: readonly Event[], graceMs: number, historyMs: number, left: boolean): readonly unknown[] {
  const versions: Event[] = [];
  let waiting: Event[] = [];
  let [newestRow, streamTime] = [-1, -1];
  const out: unknown[] = [];
  const rowOf = ({ key, timestamp }: Event): string | null => {
    const all = versions.filter((version) => version.key === key).sort((a, b) => a.timestamp - b.timestamp);
    const found = all.filter((version) => version.timestamp <= timestamp).at(-1);
    if (timestamp < newestRow - historyMs && found !== all.at(-1)) return null;
    return found?.value ?? null;
  };
  const join = (event: Event) => {
    const row = rowOf(event);
    if (left || row !== null) out.push([event.key, `${event.value}+${row}`, event.timestamp]);
  };
  for (const event of events) {
    if (event.topic === 'rows') {
      if (event.timestamp < newestRow - historyMs) continue;
      newestRow = Math.max(newestRow, event.timestamp);
      const same = versions.findIndex((one) => one.key === event.key && one.timestamp === event.timestamp);
      if (same >= 0) versions.splice(same, 1);
      versions.push(event);
      continue;
    }
    if (event.value === null) continue;
    if (event.timestamp < streamTime - graceMs) {
      join(event);
      continue;
    }
    streamTime = Math.max(streamTime, event.timestamp);
    waiting.push(event);
    const order = (a: Event, b: Event) => a.timestamp - b.timestamp || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
    waiting.sort(order);
    for (const one of waiting) if (one.timestamp <= streamTime - graceMs) join(one);
    waiting = waiting.filter((one) => one.timestamp > streamTime - graceMs);
  }
  return out;
}

const event = fc.record({
  topic: fc.constantFrom('in', 'rows'),
  key: fc.constantFrom('a', 'ab', 'b'),
  value: fc.option(fc.constantFrom('x', 'y', 'z')),
  timestamp: fc.nat({ max: 60 }),
  crash: fc.constantFrom(null, null, 'before-commit', 'after-commit', 'idle'),
});

test('joins what a plain list of versions and of waiting records joins, whenever it crashes', () => {
  const setting = fc.record({
    events: fc.array(event, { maxLength: 50 }),
    graceMs: fc.nat({ max: 25 }),
    moreMs: fc.nat({ max: 40 }),
    left: fc.boolean(),
    keepsDisk: fc.boolean(),
  });
  fc.assert(
    fc.property(setting, ({ events, graceMs, moreMs, left, keepsDisk }) => {
      const disk = new MemoryStorage();
      const options = keepsDisk ? { storage: () => disk } : {};
      using driver = new TopologyTestDriver(joined(graceMs, graceMs + moreMs, left), options);
      for (const { topic, key, value, timestamp, crash } of events) {
        driver.inputTopic(text(topic)).send(key, value, timestamp);
        if (crash === 'before-commit' || crash === 'after-commit') driver.crash(crash);
        driver.run();
        if (crash === 'idle') driver.crash();
      }
      const out = driver.outputTopic(text('out')).readRecords();
      expect(out.map(({ key, value, timestamp }) => [key, value, timestamp])).toEqual(
        oracle(events as readonly Event[], graceMs, graceMs + moreMs, left), // topics are one of the two
      );
    }),
    { numRuns: 200 },
  );
}, 30_000);

test('a record without a value is dropped, and so is one without a key by an inner join; a left join waits for no row of it', () => {
  for (const left of [true, false]) {
    using driver = new TopologyTestDriver(joined(10, 10, left));
    const input = driver.inputTopic(text('in'));
    input.pipeInput('k', null, 50);
    input.pipeInput('k', 'v', 45);
    input.pipeInput(null, 'v', 46);
    expect(driver.outputTopic(text('out')).readKeyValues()).toEqual(left ? [[null, 'v+null']] : []);
    expect(driver.drops.map(({ node, reason }) => [node, reason])).toEqual([
      ['wait', 'null-value'],
      ...(left ? [] : [['wait', 'null-key']]),
    ]);
  }
});

test('a record that waited goes on with its own headers and offset, also after a crash', () => {
  const seen: unknown[] = [];
  const builder = new StreamsBuilder();
  builder
    .stream(text('in'))
    .leftJoin(builder.table(text('rows'), { store: 'rows', versionedMs: 10 }), (value) => value, {
      as: 'wait',
      graceMs: 10,
    })
    .process<string, string>(
      () => {
        let context: ProcessorContext<string, string>;
        return {
          init(given) {
            context = given;
          },
          process: ({ value }) => void seen.push([value, context.recordMetadata()?.offset, context.headers]),
        };
      },
      { as: 'see' },
    );
  using driver = new TopologyTestDriver(builder.build());
  const bytes = new TextEncoder().encode('k');
  driver.broker.append([
    { topic: 'in', partition: 0, timestamp: 5, key: bytes, value: bytes, headers: [['trace', bytes]] },
  ]);
  driver.run();
  driver.crash();
  driver.inputTopic(text('in')).pipeInput('l', 'w', 15);
  expect(seen).toEqual([['k', 0, [['trace', bytes]]]]);
});

test('a record that fails leaves nothing waiting, and what it had released waits again', () => {
  const builder = new StreamsBuilder();
  const stream = builder.stream(text('in'));
  const table = builder.table(text('rows'), { store: 'rows', versionedMs: 10 });
  stream.leftJoin(table, (value, row) => `${value}+${row}`, { as: 'wait', graceMs: 10 }).to(text('out'));
  stream.peek((_key, value) => {
    if (value === 'bad') throw new Error('no');
  });
  using driver = new TopologyTestDriver(builder.build(), { onFailure: 'dead-letter' });
  const input = driver.inputTopic(text('in'));
  input.pipeInput('k', 'a', 0);
  input.pipeInput('k', 'bad', 90);
  driver.inputTopic(text('rows')).pipeInput('k', 'row', 0);
  input.pipeInput('k', 'b', 9);
  expect(driver.outputTopic(text('out')).isEmpty).toBe(true);
  input.pipeInput('k', 'c', 10);
  expect(driver.outputTopic(text('out')).readValues()).toEqual(['a+row']);
});

test('a shorter grace after a restart releases what the longer one had kept', () => {
  const disk = new MemoryStorage();
  const options = { storage: () => disk };
  const before = new TopologyTestDriver(joined(50, 100, true), options);
  before.inputTopic(text('in')).pipeInput('k', 'a', 10);
  before.inputTopic(text('in')).pipeInput('k', 'b', 40);
  const changelog = before.broker.records('test-wait-buffer-changelog');
  before[Symbol.dispose]();
  using after = new TopologyTestDriver(joined(5, 100, true), options);
  after.broker.createTopic('test-wait-buffer-changelog', 1);
  after.broker.append(changelog);
  after.inputTopic(text('in')).pipeInput('k', 'c', 41);
  expect(after.outputTopic(text('out')).readValues()).toEqual(['a+null']);
});

test('a grace without a name, a history or a history that is long enough is refused while it is built', () => {
  const building = (options: StreamTableJoinOptions<string, string>, versionedMs?: number) => () => {
    const builder = new StreamsBuilder();
    const table = builder.table(text('rows'), { store: 'rows', ...(versionedMs === undefined ? {} : { versionedMs }) });
    builder.stream(text('in')).join(table, (value) => value, options);
  };
  expect(building({ graceMs: 5 }, 5)).toThrow(UnnamedOperatorError);
  expect(building({ as: 'wait', graceMs: 5 })).toThrow(InvalidArgumentError);
  expect(building({ as: 'wait', graceMs: 6 }, 5)).toThrow(/keeps 5 ms of history.*at least the grace/);
  expect(building({ as: 'wait', graceMs: -1 }, 5)).toThrow(InvalidArgumentError);
  expect(building({ as: 'wait', graceMs: 5 }, 5)).not.toThrow();
});
