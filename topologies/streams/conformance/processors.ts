import type { Processor, ProcessorContext, ProcessorSupplier } from '../dsl/processor.ts';
import type { StreamRecord } from '../runtime/record.ts';
import type { KeyValueStore } from '../state/state-store.ts';
import type { VersionedKeyValueStore } from '../state/versioned-store.ts';
import { type CaseStep, UnsupportedError, type Value } from './case.ts';
import { num, str } from './functions.ts';
import type { AnyKey } from './keys.ts';

type Key = string | null;
type Rec = StreamRecord<Key, Value>;
type Context = ProcessorContext<Key, Value>;
type Rows = KeyValueStore<string, Value>;

interface Parts {
  readonly init?: (context: Context) => void;
  readonly process: (record: Rec, context: Context) => void;
}

const supplier =
  (make: () => Parts, plain: (key: AnyKey | null) => Key): ProcessorSupplier<AnyKey | null, Value, Key, Value> =>
  (): Processor<AnyKey | null, Value, Key, Value> => {
    let context: Context | undefined;
    const parts = make();
    return {
      init(given) {
        context = given;
        parts.init?.(given);
      },
      process(record) {
        if (context !== undefined) parts.process({ ...record, key: plain(record.key) }, context);
      },
    };
  };

// biome-ignore lint/suspicious/noExplicitAny: keys may be null in a case, which the type of its streams does not say
type AnySupplier = ProcessorSupplier<any, Value, any, Value>;

/** The processors that the cases name. @param plain a key as text */
export function processorOf(step: CaseStep, plain: (key: AnyKey | null) => Key): AnySupplier {
  const name = String(step.processor);
  const store = String(step.store);
  const ms = Number(step.ms);
  const rowsOf = (context: Context): Rows => context.getStateStore<Rows>(store);
  const schedule = (context: Context, run: (now: number) => void) =>
    context.schedule(Number(step.interval), step.clock === 'stream' ? 'stream-time' : 'wall-clock-time', run);
  const counting = (flush: boolean): Parts => ({
    init: (context) => {
      schedule(context, (now) => {
        const rows = rowsOf(context);
        for (const [key, value] of [...rows.all()]) {
          context.forward({ key, value, timestamp: now });
          if (flush) rows.delete(key);
        }
      });
    },
    process: ({ key }, context) => {
      if (key !== null) rowsOf(context).put(key, num(rowsOf(context).get(key)) + 1);
    },
  });
  const processors: Readonly<Record<string, () => Parts>> = {
    dedupe: () => ({
      process: (record, context) => {
        if (record.key === null || rowsOf(context).get(record.key) !== null) return;
        rowsOf(context).put(record.key, record.value ?? '');
        context.forward(record);
      },
    }),
    dedupeWithin: () => ({
      process: (record, context) => {
        if (record.key === null) return;
        const last = rowsOf(context).get(record.key);
        if (last !== null && record.timestamp - num(last) < ms) return;
        rowsOf(context).put(record.key, record.timestamp);
        context.forward(record);
      },
    }),
    runningSum: () => ({
      process: (record, context) => {
        if (record.key === null) return;
        const sum = num(rowsOf(context).get(record.key)) + num(record.value);
        rowsOf(context).put(record.key, sum);
        context.forward({ ...record, value: sum });
      },
    }),
    countAndPunctuate: () => counting(false),
    countAndFlush: () => counting(true),
    ttl: () => ({
      init: (context) => {
        schedule(context, (now) => {
          for (const [key, seen] of [...rowsOf(context).all()]) {
            if (num(seen) + ms > now) continue;
            rowsOf(context).delete(key);
            context.forward({ key, value: null, timestamp: now });
          }
        });
      },
      process: (record, context) => {
        if (record.key === null) return;
        rowsOf(context).put(record.key, record.timestamp);
        context.forward(record);
      },
    }),
    delay: () => ({
      process: (record, context) => {
        if (record.key === null) return;
        const rows = rowsOf(context);
        const time = String(record.timestamp).padStart(16, '0');
        let arrival = 0;
        const rowKey = () => `${time}/${String(arrival).padStart(8, '0')}`;
        while (rows.get(rowKey()) !== null) arrival += 1;
        rows.put(rowKey(), JSON.stringify([record.key, record.value]));
        for (const [key, kept] of [...rows.all()]) {
          const timestamp = Number(key.slice(0, 16));
          if (timestamp + ms > context.currentStreamTimeMs()) break;
          rows.delete(key);
          const [was, value] = JSON.parse(str(kept)) as [Key, Value]; // written above
          context.forward({ key: was, value, timestamp });
        }
      },
    }),
    tick: () => ({
      init: (context) => {
        let ticks = 0;
        const handle = schedule(context, (now) => {
          context.forward({ key: 'tick', value: now, timestamp: now });
          ticks += 1;
          if (ticks === step.stopAfter) handle.cancel();
        });
      },
      process: (record, context) => context.forward(record),
    }),
    streamTime: () => ({
      process: (record, context) =>
        context.forward({ ...record, value: `${str(record.value)}@${context.currentStreamTimeMs()}` }),
    }),
    wallClock: () => ({
      process: (record, context) =>
        context.forward({ ...record, value: `${str(record.value)}@${context.currentSystemTimeMs()}` }),
    }),
    shiftTimestamp: () => ({
      process: (record, context) => context.forward({ ...record, timestamp: Math.max(0, record.timestamp + ms) }),
    }),
    lookup: () => ({
      process: (record, context) => {
        const rows = context.getStateStore<KeyValueStore<string, Value | { readonly value: Value }>>(
          String(step.connect),
        );
        const row = record.key === null ? null : rows.get(record.key);
        const value = row !== null && typeof row === 'object' ? row.value : row;
        context.forward({ ...record, value: `${str(record.value)}@${str(value)}` });
      },
    }),
    versionedLookup: () => ({
      process: (record, context) => {
        const rows = context.getStateStore<VersionedKeyValueStore<string, Value>>(String(step.connect));
        const row = record.key === null ? null : rows.get(record.key, record.timestamp);
        context.forward({ ...record, value: `${str(record.value)}@${str(row?.value ?? null)}` });
      },
    }),
  };
  const make = processors[name];
  if (make === undefined) throw new UnsupportedError(`the processor ${name}`);
  return supplier(make, plain);
}
