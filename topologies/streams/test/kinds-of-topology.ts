import {
  JoinWindows,
  type KeyValueStore,
  type KStream,
  type KTable,
  Serdes,
  SessionWindows,
  SlidingWindows,
  Stores,
  StreamsBuilder,
  TimeWindows,
  type Topology,
  type Windowed,
} from '../index.ts';
import { text } from './played.ts';

/** A topology from the topics `a` and `b` to `out`, all of them texts, for laws that hold for every topology. */
export interface Kind {
  readonly name: string;
  readonly topology: Topology;
  /** `own`: a task's results hang on its own records alone. `key`: those of a key on that key's records alone, in whatever task. */
  readonly scope: readonly ('own' | 'key')[];
  /** Topics that every task reads whole. */
  readonly globals?: readonly string[];
}

interface Parts {
  readonly builder: StreamsBuilder;
  readonly a: () => KStream<string, string>;
  readonly b: () => KStream<string, string>;
}

const both = (left: string | null, right: string | null) => `${left}+${right}`;
const letterOf = (value: string): string => value.slice(0, 1);
const list = (_key: unknown, value: string, all: string) => `${all}${value}`;
const empty = () => '';
const windows = JoinWindows.of(3, 8, 4);
const hopping = TimeWindows.ofSizeAndGrace(10, 4).advanceBy(5);
const stored = (store: string) => ({ store, valueSerde: Serdes.string });

const kind = <V extends string | null>(
  name: string,
  scope: Kind['scope'],
  build: (parts: Parts) => KStream<string, V>,
  globals: readonly string[] = [],
): Kind => {
  const builder = new StreamsBuilder();
  // Streams have no deletions; a table is read from the topic itself.
  const present = (topic: string) => () => builder.stream(text(topic)).filter((_key, value) => value !== null);
  build({ builder, a: present('a'), b: present('b') }).to('out', {
    valueSerde: Serdes.json(),
    keySerde: Serdes.string,
  });
  return { name, scope, topology: builder.build(), globals };
};

/** Windows as text, under the key that they have. */
const unwindowed = (table: KTable<Windowed<string>, string>): KStream<string, string> =>
  table.toStream().map(({ key, window }, value) => [key, `${window.startMs}-${window.endMs} ${value}`]);

export const kinds: readonly Kind[] = [
  kind('stateless', ['own', 'key'], ({ a, b }) =>
    a()
      .filterNot((_key, value) => value.startsWith('x'))
      .merge(b())
      .flatMapValues((value) => [value, letterOf(value)]),
  ),
  kind('scan', ['own', 'key'], ({ a }) => a().scan((all, value) => all + value, '', stored('kept'))),
  kind('distinctUntilChanged', ['own', 'key'], ({ a }) =>
    a().distinctUntilChanged((one, other) => letterOf(one) === letterOf(other), { store: 'kept' }),
  ),
  kind('bufferCount', ['own', 'key'], ({ a }) => a().bufferCount(3, 2, { store: 'kept' }).mapValues(String)),
  kind('process', ['own', 'key'], ({ builder, a }) => {
    builder.addStateStore(Stores.keyValue({ name: 'kept', keySerde: Serdes.string, valueSerde: Serdes.string }));
    return a().processValues<string>(
      () => {
        let process = (_key: string, _value: string, _timestamp: number): void => {};
        return {
          init: (context) => {
            const seen = context.getStateStore<KeyValueStore<string, string>>('kept');
            process = (key, value, timestamp) => {
              context.forward({ key, value: `${seen.get(key)} ${value}`, timestamp });
              seen.put(key, value);
            };
          },
          process: ({ key, value, timestamp }) => process(key, value, timestamp),
        };
      },
      { stores: ['kept'] },
    );
  }),
  kind('aggregate', ['own', 'key'], ({ a }) => a().groupByKey().aggregate(empty, list, stored('kept')).toStream()),
  kind('aggregate by another key', ['key'], ({ a }) =>
    a()
      .groupBy((_key, value) => letterOf(value), { as: 'by-letter', keySerde: Serdes.string })
      .aggregate(empty, list, stored('kept'))
      .toStream(),
  ),
  kind('aggregate of a table', ['key'], ({ builder }) =>
    builder
      .table(text('a'), { store: 'rows' })
      .groupBy((_key, value) => [letterOf(value), value], { keySerde: Serdes.string, valueSerde: Serdes.string })
      .aggregate(empty, list, (_key, value, all) => all.replace(value, ''), stored('kept'))
      .toStream(),
  ),
  kind('toTable by another key, joined', ['key'], ({ a, b }) => {
    const options = { as: 'by-letter', keySerde: Serdes.string };
    const table = a()
      .selectKey((_key, value) => letterOf(value))
      .toTable({ ...options, store: 'rows' });
    return b()
      .selectKey((_key, value) => letterOf(value))
      .leftJoin(table, both, { as: 'b-by-letter', keySerde: Serdes.string });
  }),
  kind('stream-stream join', ['own'], ({ a, b }) => a().join(b(), both, windows, { as: 'pairs' })),
  kind('stream-stream left join', ['own'], ({ a, b }) => a().leftJoin(b(), both, windows, { as: 'pairs' })),
  kind('stream-stream outer join', ['own'], ({ a, b }) => a().outerJoin(b(), both, windows, { as: 'pairs' })),
  kind('stream-table join', ['own', 'key'], ({ builder, a }) =>
    a().leftJoin(builder.table(text('b'), { store: 'rows' }), both),
  ),
  kind('stream-table join with grace', ['own'], ({ builder, a }) =>
    a().leftJoin(builder.table(text('b'), { store: 'rows', versionedMs: 20 }), both, { as: 'graced', graceMs: 5 }),
  ),
  kind(
    'stream-global table join',
    ['own', 'key'],
    ({ builder, a }) => a().leftJoin(builder.globalTable(text('b'), { store: 'rows' }), (key) => key, both),
    ['b'],
  ),
  kind('table-table outer join', ['own', 'key'], ({ builder }) =>
    builder
      .table(text('a'), { store: 'rows' })
      .outerJoin(builder.table(text('b'), { store: 'others' }), both, stored('kept'))
      .toStream(),
  ),
  kind('foreign-key join', ['key'], ({ builder }) =>
    builder
      .table(text('a'), { store: 'rows' })
      .leftJoin(
        builder.table(text('b'), { store: 'others' }),
        (value) => (value.startsWith('x') ? 'a' : value.startsWith('y') ? 'b' : null),
        both,
        { as: 'named', ...stored('kept') },
      )
      .toStream(),
  ),
  kind('hopping windows', ['own'], ({ a }) =>
    unwindowed(a().groupByKey().windowedBy(hopping).aggregate(empty, list, stored('kept'))),
  ),
  kind('hopping windows, when they close', ['own'], ({ a }) =>
    unwindowed(
      a().groupByKey().windowedBy(hopping).emitStrategy('onWindowClose').aggregate(empty, list, stored('kept')),
    ),
  ),
  kind('sliding windows', ['own'], ({ a }) =>
    unwindowed(
      a().groupByKey().windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(5, 4)).aggregate(empty, list, stored('kept')),
    ),
  ),
  kind('sessions', ['own'], ({ a }) =>
    unwindowed(
      a()
        .groupByKey()
        .windowedBy(SessionWindows.ofInactivityGapAndGrace(3, 4))
        .aggregate(empty, list, (_key, one, other) => one + other, stored('kept')),
    ),
  ),
  kind('windowed cogroup', ['own'], ({ a, b }) =>
    unwindowed(
      a()
        .groupByKey()
        .cogroup<string>(list)
        .cogroup(b().groupByKey(), list)
        .windowedBy(hopping)
        .aggregate(empty, stored('kept')),
    ),
  ),
  kind('suppress until a window closes', ['own'], ({ a }) =>
    unwindowed(
      a()
        .groupByKey()
        .windowedBy(hopping)
        .aggregate(empty, list, stored('kept'))
        .suppress({ until: 'windowClose', as: 'finals' }),
    ),
  ),
  kind('suppress for a time', ['own'], ({ builder }) =>
    builder
      .table(text('a'), { store: 'rows' })
      .suppress({ until: 'timeLimit', limitMs: 7, maxRecords: 2, as: 'rarely' })
      .toStream(),
  ),
];
