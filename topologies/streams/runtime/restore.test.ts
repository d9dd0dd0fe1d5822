import { expect, test } from 'vitest';
import { Serdes, StreamsBuilder } from '../index.ts';
import { CorruptBatchError } from '../kafka/errors.ts';
import type { FetchedBatch, FetcherOptions } from '../kafka/port.ts';
import type { Serde } from '../serde.ts';
import { MemoryStorage } from '../state/memory-storage.ts';
import type { KeyValueStore } from '../state/state-store.ts';
import { ScriptedPort } from '../test/scripted-port.ts';
import { summing } from '../test/summing.ts';
import { GlobalTables } from './global-tables.ts';
import { restoreGlobals, restoreTasks } from './restore.ts';
import { StreamTask } from './stream-task.ts';

const utf8 = new TextEncoder();
const row = (topic: string, key: string, value: string | null) => ({
  topic,
  partition: 0,
  timestamp: 1,
  key: utf8.encode(key),
  value: value === null ? null : utf8.encode(value),
  headers: [],
});
const signal = new AbortController().signal;
const one = () => 1;

const tables = (storage: MemoryStorage, valueSerde: Serde<string> = Serdes.string, persistent = true) => {
  const builder = new StreamsBuilder();
  builder.globalTable({ name: 'all', keySerde: Serdes.string, valueSerde }, { store: 'rows', persistent });
  return new GlobalTables('app', builder.build().globalTables, storage);
};
const rowsOf = (globals: GlobalTables): unknown => {
  const store = globals.stores.get('rows') as KeyValueStore<string, string>; // the one store of `tables`
  return Object.fromEntries(store.all());
};
const portWith = (...values: readonly (readonly [string, string | null])[]): ScriptedPort => {
  const port = new ScriptedPort();
  port.broker.createTopic('all', 1);
  port.append(values.map(([key, value]) => row('all', key, value)));
  return port;
};

test('a global table in memory is read from the beginning by each process', async () => {
  const storage = new MemoryStorage();
  for (const _process of [1, 2]) {
    storage.clear('rows'); // as LMDB's storage does it: the rows have gone with the last process, what it noted on the disk has not
    const globals = tables(storage, Serdes.string, false);
    await restoreGlobals(portWith(['a', '1'], ['b', '2']), globals, one, { signal });
    expect(rowsOf(globals)).toEqual({ a: '1', b: '2' });
  }
});

test('a global table whose topic was made anew forgets the rows of the old one', async () => {
  const storage = new MemoryStorage();
  await restoreGlobals(portWith(['a', '1'], ['b', '2'], ['c', '3']), tables(storage), one, { signal });
  const globals = tables(storage);
  await restoreGlobals(portWith(['d', '4']), globals, one, { signal });
  expect(rowsOf(globals)).toEqual({ d: '4' });
});

test('rows of a global table are written in the order of the log, though a schema comes late', async () => {
  const port = portWith();
  // More than one batch: the first has a schema that comes late, those behind it have none to wait for.
  const values = Array.from({ length: 250 }, (_, index) => ['k', String(index)] as const);
  port.append(values.map(([key, value]) => row('all', key, value)));
  let asked = false;
  const serde: Serde<string> = {
    ...Serdes.string,
    prepare: () => {
      if (asked) return undefined;
      asked = true;
      return new Promise((resolve) => setTimeout(resolve, 30));
    },
  };
  const globals = tables(new MemoryStorage(), serde);
  const written: number[] = [];
  const add = globals.addRecords.bind(globals);
  globals.addRecords = (batch: FetchedBatch) => {
    const [first] = batch.records;
    written.push(first?.offset ?? -1);
    add(batch);
  };
  await restoreGlobals(port, globals, one, { signal });
  expect(written).toEqual([0, 100, 200]);
  expect(rowsOf(globals)).toEqual({ k: '249' });
});

test('a registry that is away keeps a global table waiting, and nothing else goes wrong', async () => {
  let away = 2;
  const serde: Serde<string> = {
    ...Serdes.string,
    prepare: () => {
      away -= 1;
      return away >= 0 ? Promise.reject(new Error('registry is away')) : undefined;
    },
  };
  const waited: string[] = [];
  const globals = tables(new MemoryStorage(), serde);
  const onWaiting = (_partition: unknown, error: unknown) => waited.push(String(error));
  await restoreGlobals(portWith(['a', '1']), globals, one, { signal, onWaiting });
  expect(waited).toEqual(['Error: registry is away', 'Error: registry is away']);
  expect(rowsOf(globals)).toEqual({ a: '1' });
});

test('a store that is ahead of its changelog is wiped: the log is another one', async () => {
  const [sub] = summing().subTopologies;
  if (sub === undefined) throw new Error('summing has one sub-topology');
  const task = new StreamTask({
    applicationId: 'app',
    sub,
    partition: 0,
    storage: new MemoryStorage(),
    globalStores: new Map(),
    partitionsOf: one,
    now: () => 0,
  });
  const topic = 'app-sums-changelog';
  const sum = (key: string, value: number) => ({
    ...row(topic, key, ''),
    value: Serdes.integer.serialize(topic, value),
  });
  task.restore('sums', [{ ...sum('old', 9), offset: 41 }], 42);
  const port = new ScriptedPort();
  port.broker.createTopic(topic, 1);
  port.append([sum('new', 5)]);
  await restoreTasks(port, [task], { signal });
  const store = task.store('sums') as KeyValueStore<string, number>; // named by summing
  expect([...store.all()]).toEqual([['new', 5]]);
});

test('bytes that cannot be read, in a batch or as one, are told with the store, its task and what can be done', async () => {
  const at = { topic: 'all', partition: 0, offset: 1, nextOffset: 2 };
  const faults: readonly ((options: FetcherOptions) => FetcherOptions)[] = [
    (options) => ({
      ...options,
      onBatch: (batch) => {
        const records = {
          length: 1,
          [Symbol.iterator]: () => {
            throw new CorruptBatchError('The batch at all-0 offset 1 cannot be read');
          },
        };
        options.onBatch({ ...batch, records });
      },
    }),
    (options) => ({
      ...options,
      onBatch: () => options.onError(new CorruptBatchError('The batch at all-0 offset 1 cannot be read', { at })),
    }),
  ];
  for (const fault of faults) {
    const port = portWith(['a', '1'], ['b', '2']);
    const { fetcher } = port;
    port.fetcher = (options) => fetcher(fault(options));
    await expect(restoreGlobals(port, tables(new MemoryStorage()), one, { signal })).rejects.toThrow(
      /^rows of task global cannot be restored, and nothing of it was started: The batch at all-0 offset 1 .*write it anew/,
    );
  }
});
