import { setTimeout as sleep } from 'node:timers/promises';
import {
  concatMap,
  delay,
  EMPTY,
  filter,
  finalize,
  from,
  map,
  type OperatorFunction,
  of,
  startWith,
  take,
  tap,
  throwError,
} from 'rxjs';
import { expect, expectTypeOf, test } from 'vitest';
import {
  type KStream,
  PipeRuleError,
  Serdes,
  type StreamRecord,
  StreamsBuilder,
  TaskFailedError,
  TopologyTestDriver,
} from '../../index.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
type Text = StreamRecord<string, string>;

const piping = (segment: OperatorFunction<Text, Text>) => {
  const builder = new StreamsBuilder();
  builder.stream(text('in')).pipe(segment, { as: 'piped' }).to(text('out'));
  return builder.build();
};
const put = (driver: TopologyTestDriver, ...values: string[]): void => {
  for (const value of values) driver.inputTopic(text('in')).pipeInput('k', value, 5);
};
const out = (driver: TopologyTestDriver) => driver.outputTopic(text('out')).readValues();
const thrownBy = (action: () => unknown): unknown => {
  try {
    action();
  } catch (error) {
    return error;
  }
  return null;
};

test('operators that give several records, one, or none, in the order of the input', () => {
  const words = concatMap((record: Text) => from(record.value.split(' ').map((value) => ({ ...record, value }))));
  using driver = new TopologyTestDriver(
    piping((source) =>
      source.pipe(
        words,
        filter(({ value }) => value !== 'no'),
      ),
    ),
  );
  put(driver, 'a b', 'no', 'no c');
  expect(out(driver)).toEqual(['a', 'b', 'c']);
  expect(driver.broker.committed('test', [{ topic: 'in', partition: 0 }])).toMatchObject([{ offset: 3 }]);
});

test('any number of operators, with the types of what goes from one to the next', () => {
  const builder = new StreamsBuilder();
  const seen: string[] = [];
  const stream = builder.stream(text('in'));
  const one = stream.pipe(map((record) => ({ ...record, value: record.value.length })));
  const many = stream.pipe(
    map(({ value, ...record }) => ({ record, letters: [...value] })),
    tap(({ letters }) => seen.push(letters.join('-'))),
    filter(({ letters }) => letters.length > 1),
    map(({ record, letters }) => ({ ...record, key: letters.length, value: letters })),
    { as: 'letters' },
  );
  expectTypeOf(one).toEqualTypeOf<KStream<string, number>>();
  expectTypeOf(many).toEqualTypeOf<KStream<number, string[]>>();
  one.to({ name: 'out', keySerde: Serdes.string, valueSerde: Serdes.integer });
  many.to({ name: 'letters-out', keySerde: Serdes.integer, valueSerde: Serdes.json<string[]>() });
  using driver = new TopologyTestDriver(builder.build());
  put(driver, 'ab', 'c');
  expect(seen).toEqual(['a-b', 'c']);
  const letters = { name: 'letters-out', keySerde: Serdes.integer, valueSerde: Serdes.json<string[]>() };
  expect(driver.outputTopic(letters).readKeyValues()).toEqual([[2, ['a', 'b']]]);
  // @ts-expect-error a segment gives records, not their values
  stream.pipe(map((record) => record.value));
});

test('what an operator throws goes to the handler with its record, and the next record finds a fresh segment', () => {
  let subscribed = 0;
  const refusing = (source: Parameters<OperatorFunction<Text, Text>>[0]) => {
    subscribed += 1;
    return source.pipe(
      concatMap((record) => of(record, { ...record, value: `${record.value}!` })),
      tap(({ value }) => {
        if (value === 'bad!') throw new Error('bad is refused');
      }),
    );
  };
  using driver = new TopologyTestDriver(piping(refusing), { onFailure: 'dead-letter' });
  put(driver, 'a', 'bad', 'b');
  expect(out(driver)).toEqual(['a', 'a!', 'b', 'b!']);
  expect(driver.outputTopic(text('in.dlq')).readValues()).toEqual(['bad']);
  expect(driver.drops).toMatchObject([{ node: 'piped', reason: 'failed', record: { offset: 1 } }]);
  expect(subscribed).toBe(2);
});

test('an error without a handler stops the task at its record', () => {
  using driver = new TopologyTestDriver(piping(concatMap(() => throwError(() => new Error('no')))));
  expect(() => put(driver, 'a')).toThrow(/in-0@0.*piped: no/);
});

test('a completion fails the task, also where failures are dead letters', () => {
  using driver = new TopologyTestDriver(piping(take(1)), { onFailure: 'dead-letter' });
  const error = thrownBy(() => put(driver, 'a'));
  expect(error).toBeInstanceOf(TaskFailedError);
  expect(error).toMatchObject({ cause: expect.any(PipeRuleError), offset: 0 });
  expect(String(error)).toMatch(/piped: a piped operator completed.*Use a store-backed operator/);
  expect(out(driver)).toEqual([]);
  expect(driver.broker.records('in.dlq')).toEqual([]);
});

test('a segment that ends before a record comes does not start', () => {
  expect(() => new TopologyTestDriver(piping(() => EMPTY))).toThrow(/piped: a piped operator completed/);
});

test('an emission on a timer fails the task at once, whatever the handler says, and names node and cure', async () => {
  using driver = new TopologyTestDriver(piping(delay(1)), { onFailure: 'continue' });
  put(driver, 'a');
  expect(out(driver)).toEqual([]);
  await sleep(15);
  const error = thrownBy(() => driver.run());
  expect(error).toMatchObject({ cause: expect.any(PipeRuleError), topic: null });
  expect(String(error)).toMatch(/piped: .*emitted outside the call of its record.*mapAsync or a punctuator/);
});

test('an error on a timer is not put on the next record', async () => {
  const late = concatMap((record: Text) => from(sleep(1).then(() => Promise.reject<Text>(new Error(record.value)))));
  using driver = new TopologyTestDriver(piping(late), { onFailure: 'dead-letter' });
  put(driver, 'a');
  await sleep(15);
  const error = thrownBy(() => put(driver, 'b'));
  expect(error).toMatchObject({ cause: { code: 'PIPE_RULE', cause: { message: 'a' } }, topic: null });
  expect(driver.broker.records('in.dlq')).toEqual([]);
});

test('an emission on subscription belongs to no record', () => {
  const first = { key: 'k', value: 'first', timestamp: 0, headers: [] };
  expect(() => new TopologyTestDriver(piping(startWith(first)))).toThrow(/piped: .*emitted outside the call/);
});

test.each<[string, OperatorFunction<Text, Text>]>([
  ['throws when it is subscribed', () => throwError(() => new Error('no'))],
  [
    'throws when it is made',
    () => {
      throw new Error('no');
    },
  ],
])('a segment that %s does not start', (_what, segment) => {
  expect(() => new TopologyTestDriver(piping(segment))).toThrow(/piped: .*/);
});

test('a segment hears when its task is closed; what it throws then is told by name', () => {
  const ended: string[] = [];
  const driver = new TopologyTestDriver(
    piping(
      finalize(() => {
        ended.push('piped');
        throw new Error('no');
      }),
    ),
  );
  expect(() => driver[Symbol.dispose]()).toThrow(/^piped: .*: no$/s);
  expect(ended).toEqual(['piped']);
});
