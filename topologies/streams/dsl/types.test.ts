import { map } from 'rxjs';
import { expectTypeOf, test } from 'vitest';
import {
  type CogroupedKStream,
  type GlobalKTable,
  JoinWindows,
  type KGroupedStream,
  type KGroupedTable,
  type KStream,
  type KTable,
  type Processor,
  type ProcessorContext,
  type Serde,
  Serdes,
  type SessionWindowedKStream,
  SessionWindows,
  Stores,
  type StreamRecord,
  StreamsBuilder,
  type TimeWindowedCogroupedKStream,
  type TimeWindowedKStream,
  TimeWindows,
  type TopicLike,
  TopologyTestDriver,
  type Windowed,
} from '../index.ts';

/**
 * What the compiler knows after each operator; `tsc` checks it, vitest only runs it. Keys and values have types of their own, so that none
 * can pass for another.
 */
interface UserId {
  readonly user: string;
}
interface BookId {
  readonly book: string;
}
interface Click {
  readonly page: string;
  readonly ms: number;
}
interface User {
  readonly name: string;
  readonly favourite: BookId | null;
}
interface Book {
  readonly title: string;
}

const userId = Serdes.json<UserId>();
const bookId = Serdes.json<BookId>();
const topic = <K, V>(name: string, keySerde: Serde<K>, valueSerde: Serde<V>): TopicLike<K, V> => ({
  name,
  keySerde,
  valueSerde,
});
const clicks = topic('clicks', userId, Serdes.json<Click>());
const users = topic('users', userId, Serdes.json<User>());
const books = topic('books', bookId, Serdes.json<Book>());

const sources = () => {
  const builder = new StreamsBuilder();
  return {
    builder,
    stream: builder.stream(clicks),
    table: builder.table(users, { store: 'users' }),
    others: builder.table(books, { store: 'books' }),
    everywhere: builder.globalTable(topic('everywhere', bookId, Serdes.json<Book>()), { store: 'everywhere' }),
  };
};

test('sources', () => {
  const { builder, stream, table, everywhere } = sources();
  expectTypeOf(stream).toEqualTypeOf<KStream<UserId, Click>>();
  expectTypeOf(table).toEqualTypeOf<KTable<UserId, User>>();
  expectTypeOf(everywhere).toEqualTypeOf<GlobalKTable<BookId, Book>>();
  const named = builder.stream('named', { keySerde: Serdes.string, valueSerde: Serdes.long });
  expectTypeOf(named).toEqualTypeOf<KStream<string, bigint>>();
  // @ts-expect-error a global table needs a store
  expectTypeOf(() => builder.globalTable(books, {})).toBeFunction();
});

test('stateless operators of streams', () => {
  const { stream } = sources();
  expectTypeOf(stream.filter((key, value) => key.user === value.page)).toEqualTypeOf<KStream<UserId, Click>>();
  const narrowed = stream
    .mapValues((value): string | null => value.page)
    .filter((_key, value): value is string => value !== null);
  expectTypeOf(narrowed).toEqualTypeOf<KStream<UserId, string>>();
  expectTypeOf(stream.filterNot(() => true)).toEqualTypeOf<KStream<UserId, Click>>();
  expectTypeOf(stream.map((key, value) => [key.user, value.ms] as const)).toEqualTypeOf<KStream<string, number>>();
  expectTypeOf(stream.mapValues((value) => value.ms)).toEqualTypeOf<KStream<UserId, number>>();
  expectTypeOf(stream.flatMap((key, value) => [[key.user, value.ms] as const])).toEqualTypeOf<
    KStream<string, number>
  >();
  expectTypeOf(stream.flatMapValues((value) => [value.ms])).toEqualTypeOf<KStream<UserId, number>>();
  expectTypeOf(stream.selectKey((key) => key.user)).toEqualTypeOf<KStream<string, Click>>();
  expectTypeOf(stream.peek(() => {})).toEqualTypeOf<KStream<UserId, Click>>();
  expectTypeOf(stream.merge(stream)).toEqualTypeOf<KStream<UserId, Click>>();
  expectTypeOf(stream.merge(stream.mapValues((value) => value.ms))).toEqualTypeOf<KStream<UserId, Click | number>>();
  // @ts-expect-error streams of other keys do not merge
  stream.merge(stream.selectKey((key) => key.user));
  const piped = stream.pipe(
    map((record): StreamRecord<string, number> => ({ ...record, key: 'k', value: record.value.ms })),
  );
  expectTypeOf(piped).toEqualTypeOf<KStream<string, number>>();
});

test('branches are known by name', () => {
  const { stream } = sources();
  const branches = stream
    .split({ as: 'speed' })
    .branch('fast', (_key, value) => value.ms < 10)
    .defaultBranch('slow');
  expectTypeOf(branches).toEqualTypeOf<{
    readonly fast: KStream<UserId, Click>;
    readonly slow: KStream<UserId, Click>;
  }>();
  const only = stream
    .split({ as: 'some' })
    .branch('fast', () => true)
    .noDefaultBranch();
  // @ts-expect-error there is no such branch
  expectTypeOf(only.slow).toBeUndefined();
});

test('processors', () => {
  const { builder, stream } = sources();
  builder.addStateStore(Stores.keyValue({ name: 's', keySerde: Serdes.string, valueSerde: Serdes.long }));
  const supplier = (): Processor<UserId, Click, string, number> => {
    let context: ProcessorContext<string, number>;
    return {
      init: (given) => {
        context = given;
      },
      process: ({ key, value }) => context.forward({ key: key.user, value: value.ms }),
    };
  };
  expectTypeOf(stream.process(supplier, { stores: ['s'] })).toEqualTypeOf<KStream<string, number>>();
  const values = (): Processor<UserId, Click, UserId, number> => ({ process: () => {} });
  expectTypeOf(stream.processValues(values)).toEqualTypeOf<KStream<UserId, number>>();
  // @ts-expect-error a processor of other records
  stream.mapValues((value) => value.ms).processValues(values);
});

test('by key', () => {
  const { stream } = sources();
  expectTypeOf(stream.repartition({ as: 'again' })).toEqualTypeOf<KStream<UserId, Click>>();
  expectTypeOf(stream.groupByKey()).toEqualTypeOf<KGroupedStream<UserId, Click>>();
  const grouped = stream.groupBy((_key, value) => value.page, { as: 'by-page', keySerde: Serdes.string });
  expectTypeOf(grouped).toEqualTypeOf<KGroupedStream<string, Click>>();
  expectTypeOf(stream.toTable({ store: 'latest' })).toEqualTypeOf<KTable<UserId, Click>>();
  // @ts-expect-error a serde of another key
  expectTypeOf(() => stream.groupBy((_key, value) => value.page, { keySerde: Serdes.long })).toBeFunction();
});

test('aggregations', () => {
  const { stream, table } = sources();
  const grouped = stream.groupByKey();
  expectTypeOf(grouped.count({ store: 'n' })).toEqualTypeOf<KTable<UserId, bigint>>();
  expectTypeOf(grouped.reduce((a, b) => (a.ms > b.ms ? a : b), { store: 'slowest' })).toEqualTypeOf<
    KTable<UserId, Click>
  >();
  const sums = grouped.aggregate(
    () => 0,
    (key, value, sum) => {
      expectTypeOf(key).toEqualTypeOf<UserId>();
      expectTypeOf(value).toEqualTypeOf<Click>();
      return sum + value.ms;
    },
    { store: 'sums', valueSerde: Serdes.integer },
  );
  expectTypeOf(sums).toEqualTypeOf<KTable<UserId, number>>();
  // @ts-expect-error what it keeps needs a name
  expectTypeOf(() => grouped.count({})).toBeFunction();
  // @ts-expect-error a serde of another value
  expectTypeOf(() => grouped.reduce((a) => a, { store: 'x', valueSerde: Serdes.string })).toBeFunction();

  const byName = table.groupBy((key, value) => [value.name, key] as const, {
    as: 'by-name',
    keySerde: Serdes.string,
    valueSerde: userId,
  });
  expectTypeOf(byName).toEqualTypeOf<KGroupedTable<string, UserId>>();
  expectTypeOf(byName.count({ store: 'names' })).toEqualTypeOf<KTable<string, bigint>>();
  const all = byName.aggregate(
    () => '',
    (_name, user, text) => text + user.user,
    (_name, user, text) => text.replace(user.user, ''),
    { store: 'all', valueSerde: Serdes.string },
  );
  expectTypeOf(all).toEqualTypeOf<KTable<string, string>>();
});

test('operators of tables', () => {
  const { table } = sources();
  expectTypeOf(table.filter((_key, value) => value.name !== '')).toEqualTypeOf<KTable<UserId, User>>();
  const fans = table.filter((_key, user): user is User & { favourite: BookId } => user.favourite !== null);
  expectTypeOf(fans).toEqualTypeOf<KTable<UserId, User & { favourite: BookId }>>();
  expectTypeOf(table.filterNot(() => true)).toEqualTypeOf<KTable<UserId, User>>();
  expectTypeOf(table.mapValues((value) => value.name)).toEqualTypeOf<KTable<UserId, string>>();
  expectTypeOf(table.mapValues((value) => value.favourite)).toEqualTypeOf<KTable<UserId, BookId>>(); // null deletes
  expectTypeOf(table.transformValues((_key, value) => value?.name ?? 'nobody')).toEqualTypeOf<KTable<UserId, string>>();
  expectTypeOf(table.toStream()).toEqualTypeOf<KStream<UserId, User>>();
});

test('windows and cogroup: rows have windowed keys', () => {
  const { stream } = sources();
  const grouped = stream.groupByKey();
  const windowed = grouped.windowedBy(TimeWindows.ofSizeAndGrace(10, 0));
  expectTypeOf(windowed).toEqualTypeOf<TimeWindowedKStream<UserId, Click>>();
  expectTypeOf(windowed.count({ store: 'w1' })).toEqualTypeOf<KTable<Windowed<UserId>, bigint>>();
  const slowest = windowed.reduce((a, b) => (a.ms > b.ms ? a : b), { store: 'w2' });
  expectTypeOf(slowest).toEqualTypeOf<KTable<Windowed<UserId>, Click>>();
  const users = slowest.toStream().selectKey(({ key, window }) => {
    expectTypeOf(window.startMs).toEqualTypeOf<number>();
    return key;
  });
  expectTypeOf(users).toEqualTypeOf<KStream<UserId, Click>>();
  const final = slowest.suppress({ as: 'final', until: 'windowClose' });
  expectTypeOf(final).toEqualTypeOf<KTable<Windowed<UserId>, Click>>();
  const sessions = grouped.windowedBy(SessionWindows.ofInactivityGapAndGrace(5, 0));
  expectTypeOf(sessions).toEqualTypeOf<SessionWindowedKStream<UserId, Click>>();
  expectTypeOf(sessions.count({ store: 'w3' })).toEqualTypeOf<KTable<Windowed<UserId>, bigint>>();
  // @ts-expect-error a windowed table has other keys
  expectTypeOf(() => stream.join(slowest, (click) => click)).toBeFunction();

  const cogrouped = grouped
    .cogroup((_key, click, sum: number) => sum + click.ms)
    .cogroup(stream.mapValues((click) => click.page).groupByKey(), (_key, page, sum) => sum + page.length);
  expectTypeOf(cogrouped).toEqualTypeOf<CogroupedKStream<UserId, number>>();
  const sums = cogrouped.aggregate(() => 0, { store: 'sums', valueSerde: Serdes.integer });
  expectTypeOf(sums).toEqualTypeOf<KTable<UserId, number>>();
  const perWindow = cogrouped.windowedBy(TimeWindows.ofSizeAndGrace(10, 0));
  expectTypeOf(perWindow).toEqualTypeOf<TimeWindowedCogroupedKStream<UserId, number>>();
});

test('RxJS operators that remember, and calls that are waited for', () => {
  const { stream } = sources();
  const sums = stream.scan(
    (sum: number, click, key) => {
      expectTypeOf(key).toEqualTypeOf<UserId>();
      return sum + click.ms;
    },
    0,
    { store: 'sums', valueSerde: Serdes.integer },
  );
  expectTypeOf(sums).toEqualTypeOf<KStream<UserId, number>>();
  expectTypeOf(stream.distinctUntilChanged({ store: 'last' })).toEqualTypeOf<KStream<UserId, Click>>();
  expectTypeOf(stream.pairwise({ store: 'pair' })).toEqualTypeOf<KStream<UserId, readonly [Click, Click]>>();
  expectTypeOf(stream.bufferCount(3, { store: 'open' })).toEqualTypeOf<KStream<UserId, readonly Click[]>>();
  const asked = stream.mapAsync(async (click) => click.page, { as: 'ask', maxInFlight: 4 });
  expectTypeOf(asked).toEqualTypeOf<KStream<UserId, string>>();
  // @ts-expect-error what it remembers needs a store
  expectTypeOf(() => stream.pairwise({})).toBeFunction();
});

test('joins of streams: the side that may be missing is null', () => {
  const { stream } = sources();
  const pages = stream.mapValues((value) => value.page);
  const options = { as: 'j', valueSerde: Serdes.json<Click>(), otherValueSerde: Serdes.string };
  const windows = JoinWindows.of(1, 1, 0);
  const inner = stream.join(pages, (left, right, key) => [left, right, key] as const, windows, options);
  expectTypeOf(inner).toEqualTypeOf<KStream<UserId, readonly [Click, string, UserId]>>();
  const left = stream.leftJoin(pages, (a, b) => [a, b] as const, windows, { ...options, as: 'k' });
  expectTypeOf(left).toEqualTypeOf<KStream<UserId, readonly [Click, string | null]>>();
  const outer = stream.outerJoin(pages, (a, b) => [a, b] as const, windows, { ...options, as: 'l' });
  expectTypeOf(outer).toEqualTypeOf<KStream<UserId, readonly [Click | null, string | null]>>();
  // @ts-expect-error keys of another type never meet
  expectTypeOf(() => stream.selectKey((key) => key.user).join(stream, (a) => a, windows, { as: 'm' })).toBeFunction();
});

test('joins with tables', () => {
  const { stream, table, others, everywhere } = sources();
  expectTypeOf(stream.join(table, (click, user) => [click, user] as const)).toEqualTypeOf<
    KStream<UserId, readonly [Click, User]>
  >();
  expectTypeOf(stream.leftJoin(table, (click, user) => [click, user] as const)).toEqualTypeOf<
    KStream<UserId, readonly [Click, User | null]>
  >();
  const looked = stream.leftJoin(
    everywhere,
    (key, value): BookId => ({ book: key.user + value.page }),
    (click, book) => [click, book] as const,
  );
  expectTypeOf(looked).toEqualTypeOf<KStream<UserId, readonly [Click, Book | null]>>();
  // @ts-expect-error the table has other keys
  expectTypeOf(() => stream.join(others, (a) => a)).toBeFunction();

  const named = table.mapValues((user) => user.name);
  expectTypeOf(table.join(named, (a, b) => [a, b] as const)).toEqualTypeOf<KTable<UserId, readonly [User, string]>>();
  expectTypeOf(table.leftJoin(named, (a, b) => [a, b] as const)).toEqualTypeOf<
    KTable<UserId, readonly [User, string | null]>
  >();
  expectTypeOf(table.outerJoin(named, (a, b) => [a, b] as const)).toEqualTypeOf<
    KTable<UserId, readonly [User | null, string | null]>
  >();
});

test('joins by foreign key: the result has the keys of the left table', () => {
  const { table, others } = sources();
  const inner = table.join(
    others,
    (user, key) => {
      expectTypeOf(user).toEqualTypeOf<User>();
      expectTypeOf(key).toEqualTypeOf<UserId>();
      return user.favourite;
    },
    (user, book, key) => [user, book, key] as const,
    { as: 'favourite' },
  );
  expectTypeOf(inner).toEqualTypeOf<KTable<UserId, readonly [User, Book, UserId]>>();
  const left = table.leftJoin(
    others,
    (user) => user.favourite,
    (user, book) => [user, book] as const,
    { as: 'maybe' },
  );
  expectTypeOf(left).toEqualTypeOf<KTable<UserId, readonly [User, Book | null]>>();
  const self = table.join(
    table,
    (_user, key) => key,
    (a, b) => [a, b] as const,
    { as: 'self' },
  );
  expectTypeOf(self).toEqualTypeOf<KTable<UserId, readonly [User, User]>>();
  const wrongKey = () =>
    table.join(
      others,
      // @ts-expect-error a foreign key that the other table does not have
      (user) => user.name,
      (user) => user,
      { as: 'wrong' },
    );
  // @ts-expect-error without a foreign key the keys must be of one type
  const noKey = () => table.join(others, (user: User) => user);
  const wrongSerde = () =>
    table.join(
      others,
      (user) => user.favourite,
      (user) => user,
      // @ts-expect-error a serde of another result
      { as: 'x', valueSerde: Serdes.long },
    );
  expectTypeOf([wrongKey, noKey, wrongSerde]).toBeArray();
});

test('tables with a history, and what is held back', () => {
  const { builder, stream, table } = sources();
  expectTypeOf(builder.table(books, { store: 'b', versionedMs: 5 })).toEqualTypeOf<KTable<BookId, Book>>();
  // @ts-expect-error a global table has no history
  expectTypeOf(() => builder.globalTable(books, { store: 'g', versionedMs: 5 })).toBeFunction();
  const held = table.suppress({ until: 'timeLimit', limitMs: 5, as: 'hold' });
  expectTypeOf(held).toEqualTypeOf<KTable<UserId, User>>();
  const windows = stream.groupByKey().windowedBy(TimeWindows.ofSizeWithNoGrace(5)).count({ store: 'w' });
  const final = windows.suppress({ until: 'windowClose', as: 'final' });
  expectTypeOf(final).toEqualTypeOf<KTable<Windowed<UserId>, bigint>>();
  // @ts-expect-error keys without windows never close
  expectTypeOf(() => table.suppress({ until: 'windowClose', as: 'never' })).toBeFunction();
  // @ts-expect-error a result that is not final is never sent
  expectTypeOf(() => windows.suppress({ until: 'windowClose', onFull: 'emitEarly' })).toBeFunction();
});

test('out, and in a test', () => {
  const { builder, stream } = sources();
  stream.to(topic('out', userId, Serdes.json<Click>()));
  stream.to((key, value) => key.user + value.page);
  // @ts-expect-error a topic of other values
  stream.to(topic('wrong', userId, Serdes.string));
  using driver = new TopologyTestDriver(new StreamsBuilder().build());
  const { pipeInput } = driver.inputTopic(clicks);
  expectTypeOf(pipeInput).parameter(0).toEqualTypeOf<UserId | null>();
  expectTypeOf(pipeInput).parameter(1).toEqualTypeOf<Click | null>();
  expectTypeOf(driver.outputTopic(clicks).readValues()).toEqualTypeOf<readonly (Click | null)[]>();
  expectTypeOf(builder.build().describe()).toEqualTypeOf<string>();
});
