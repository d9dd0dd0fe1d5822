import { describe, expect, test } from 'vitest';
import {
  type Processor,
  type ProcessorContext,
  Serdes,
  type SessionStore,
  Stores,
  StreamsBuilder,
  TopologyTestDriver,
  type WindowStore,
} from '../index.ts';
import type { StoreBuilder } from '../plan/node.ts';
import { LastRead } from '../runtime/last-read.ts';
import { MemoryStorage } from './memory-storage.ts';
import { Overlay } from './overlay.ts';
import { UndoLog } from './undo-log.ts';

/** Opens a store over rows that are committed whenever the test says so. */
function opened<S>(builder: StoreBuilder) {
  const storage = new MemoryStorage();
  const undo = new UndoLog();
  const overlay = new Overlay(storage.store(builder.spec), undo);
  const commit = () => {
    for (const _ of overlay.takeDirty());
    storage.write({ rows: new Map([[builder.spec.name, overlay.frozenRows()]]), metadata: new Map() });
    overlay.thaw();
  };
  const open = () => builder.open({ overlay, topic: 't', now: () => 0, lastRead: new LastRead() }) as S; // made by this builder
  return { store: open(), open, commit, undo, rows: () => storage.store(builder.spec).count() };
}

const windows = (retentionMs: number) =>
  Stores.window({
    name: 'w',
    keySerde: Serdes.string,
    valueSerde: Serdes.string,
    windowSizeMs: 10,
    retentionMs,
    persistent: false,
  });
const sessions = (retentionMs: number) =>
  Stores.session({ name: 's', keySerde: Serdes.string, valueSerde: Serdes.string, retentionMs });

/** As bytes it is `a` and a window's start. */
const longer = `a${'\0'.repeat(8)}`;

describe('a window store', () => {
  test('gives the windows of a key forwards and backwards, and those of all keys by start', () => {
    const { store, commit } = opened<WindowStore<string, string>>(windows(1000));
    for (const [key, at] of [
      ['b', 20],
      ['a', 30],
      [longer, 20],
      ['a', 10],
      ['a', 20],
    ] as const) {
      store.put(key, `${key.length}@${at}`, at);
      if (at === 30) commit();
    }
    store.put('a', 'again', 20);
    expect([...store.fetch('a', 10, 20)]).toEqual([
      [10, '1@10'],
      [20, 'again'],
    ]);
    expect([...store.backwardFetch('a', 0, 30)]).toEqual([
      [30, '1@30'],
      [20, 'again'],
      [10, '1@10'],
    ]);
    expect(store.fetch('a', 20)).toBe('again');
    expect(store.fetch('a', 21)).toBeNull();
    expect(
      [...store.fetchAll(11, 30)].map(([{ key, window }, value]) => [key, window.startMs, window.endMs, value]),
    ).toEqual([
      ['a', 20, 30, 'again'],
      [longer, 20, 30, '9@20'],
      ['b', 20, 30, '1@20'],
      ['a', 30, 40, '1@30'],
    ]);
  });

  test('forgets by its own newest start, also one that was deleted since, and after a restart', () => {
    const { store, open, commit } = opened<WindowStore<string, string>>(windows(10));
    store.put('a', 'one', 1);
    store.put('a', 'two', 11);
    expect(store.fetch('a', 1)).toBeNull();
    store.put('a', null, 15);
    store.put('a', 'three', 5);
    commit();
    expect([...open().all()].map(([{ window }]) => window.startMs)).toEqual([11]);
  });

  test('leaves nothing of what it has deleted or forgotten', () => {
    const { store, commit, rows } = opened<WindowStore<string, string>>(windows(10));
    for (let at = 0; at < 50; at += 1) store.put('a', 'x', at);
    store.put('a', null, 49);
    commit();
    const shown = [...store.all()].length;
    expect(shown).toBe(9);
    expect(rows()).toBeLessThanOrEqual(2 + 2 * (shown + 2)); // two times; what was forgotten since the last sweep
    expect(() => store.put(null as unknown as string, 'x', 1)).toThrow(/store w: the key is null/);
  });

  test('a record that fails takes back also how far time had come', () => {
    const { store, undo } = opened<WindowStore<string, string>>(windows(10));
    store.put('a', 'one', 1);
    undo.mark();
    store.put('a', 'late', 100);
    undo.rollBack();
    expect(store.fetch('a', 1)).toBe('one');
  });
});

describe('a session store', () => {
  const session = (key: string, startMs: number, endMs: number) => ({ key, window: { startMs, endMs } });

  test('finds the sessions of a key that touch a range, by end', () => {
    const { store, commit } = opened<SessionStore<string, string>>(sessions(1000));
    for (const [key, start, end] of [
      ['a', 10, 20],
      ['a', 1, 4],
      ['a', 30, 30],
      [longer, 10, 20],
      ['b', 10, 20],
    ] as const) {
      store.put(session(key, start, end), `${start}-${end}`);
      commit();
    }
    const found = (from: number, to: number) => [...store.findSessions('a', from, to)].map(([, value]) => value);
    expect(found(4, 10)).toEqual(['1-4', '10-20']);
    expect(found(5, 9)).toEqual([]);
    expect(found(0, 99)).toEqual(['1-4', '10-20', '30-30']);
    expect([...store.fetch(longer)]).toEqual([[session(longer, 10, 20), '10-20']]);
    expect(store.fetchSession('a', 10, 20)).toBe('10-20');
    store.remove(session('a', 10, 20));
    expect(store.fetchSession('a', 10, 20)).toBeNull();
    expect([...store.all()].map(([{ key, window }]) => [key, window.startMs])).toEqual([
      ['a', 1],
      [longer, 10],
      ['b', 10],
      ['a', 30],
    ]);
  });

  test('forgets by its own newest end', () => {
    const { store, open, commit } = opened<SessionStore<string, string>>(sessions(10));
    store.put(session('a', 1, 5), 'old');
    store.put(session('b', 14, 15), 'new');
    commit();
    expect(open().fetchSession('a', 1, 5)).toBeNull();
    expect([...open().all()].map(([{ key }]) => key)).toEqual(['b']);
  });
});

test('a processor keeps windows and sessions over a crash', () => {
  const builder = new StreamsBuilder();
  builder.addStateStore(windows(1000)).addStateStore(sessions(1000));
  const text = { name: 'in', keySerde: Serdes.string, valueSerde: Serdes.string };
  builder.stream(text).process(
    (): Processor<string, string, string, string> => {
      let context: ProcessorContext<string, string>;
      return {
        init(given) {
          context = given;
        },
        process({ key, value, timestamp }) {
          const store = context.getStateStore<WindowStore<string, string>>('w');
          const start = timestamp - (timestamp % 10);
          store.put(key, (store.fetch(key, start) ?? '') + value, start);
          const point = { key, window: { startMs: timestamp, endMs: timestamp } };
          context.getStateStore<SessionStore<string, string>>('s').put(point, value);
        },
      };
    },
    { as: 'keep', stores: ['w', 's'] },
  );
  using driver = new TopologyTestDriver(builder.build());
  for (const [value, at] of [
    ['x', 3],
    ['y', 14],
    ['z', 5],
  ] as const) {
    driver.inputTopic(text).send('a', value, at);
    driver.crash('after-commit');
    driver.run();
  }
  expect(driver.getWindowStore<string, string>('w').fetch('a', 0)).toBe('xz');
  expect(
    driver
      .getWindowStore<string, string>('w')
      .all()
      .map(([, value]) => value),
  ).toEqual(['xz', 'y']);
  expect(
    driver
      .getSessionStore<string, string>('s')
      .fetch('a')
      .map(([, value]) => value),
  ).toEqual(['x', 'z', 'y']);
  expect(() => driver.getWindowStore('nowhere')).toThrow(/no task has a store nowhere/);
});
