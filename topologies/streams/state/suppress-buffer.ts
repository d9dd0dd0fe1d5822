import type { StoreBuilder } from '../plan/node.ts';
import type { AnyRecord, Change, RecordMetadata } from '../runtime/record.ts';
import type { Serde } from '../serde.ts';
import { bufferSpec } from './buffer-spec.ts';
import { part } from './bytes.ts';
import { contextBytes, contextOf, type HeldContext } from './held-context.ts';
import { readTime, type StoreHost, writeTime } from './key-value-store.ts';
import { packed, unpacked } from './packed.ts';
import type { Row, StateStore } from './state-store.ts';

/** The last update of a key, held back. */
export interface HeldUpdate extends HeldContext {
  /** What it is ordered by. */
  readonly time: number;
  readonly key: unknown;
  readonly newValue: unknown;
  /** What the last update replaced. */
  readonly oldValue: unknown;
  /** What was there before the first update that is held back. */
  readonly priorValue: unknown;
  remove(): void;
}

export interface BufferTotals {
  /** Newest record time that reached the step; -1 before the first. */
  readonly streamTime: number;
  readonly records: number;
  /** Of keys and values as they are kept. */
  readonly bytes: number;
}

/** One update a key, by time, then key (`InMemoryTimeOrderedKeyValueChangeBuffer`). */
export interface SuppressBuffer extends StateStore {
  readonly totals: BufferTotals;
  /** @param time the entry's place, if the key has none yet; a later update leaves it where it is */
  put(time: number, record: AnyRecord, metadata: RecordMetadata | null): void;
  /** Entries with `from <= time <= to`. What is removed while it is read does not disturb it. */
  entries(from: number, to: number): Iterable<HeldUpdate>;
  /** The first entry whose time is not before `from`. */
  first(from: number): HeldUpdate | null;
  /** What those below the step have been told last; undefined for a key that has nothing held back. */
  priorValue(key: unknown): unknown;
}

export interface SuppressBufferOptions {
  readonly name: string;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly changelogConfig: Readonly<Record<string, string>>;
}

export const suppressBuffer = (options: SuppressBufferOptions): StoreBuilder => ({
  spec: bufferSpec(options.name, options.changelogConfig),
  open: (host) => new BytesSuppressBuffer(options, host),
});

/** Three kinds of rows, told apart by their first byte: the totals, `key` → time of its entry, `time | key` → entry. */
const totalsRow = Uint8Array.of(0);
const placeKind = 1;
const entryKind = 2;
const entryPrefix = 9;

/** Everything stands in rows, so that it is restored after a crash, and taken back with a record that failed. */
class BytesSuppressBuffer implements SuppressBuffer {
  readonly name: string;
  readonly #options: SuppressBufferOptions;
  readonly #host: StoreHost;

  constructor(options: SuppressBufferOptions, host: StoreHost) {
    this.name = options.name;
    this.#options = options;
    this.#host = host;
  }

  get totals(): BufferTotals {
    const bytes = this.#host.overlay.get(totalsRow);
    if (bytes === null) return { streamTime: -1, records: 0, bytes: 0 };
    return { streamTime: readTime(bytes, 0), records: readTime(bytes, 8), bytes: readTime(bytes, 16) };
  }

  put(time: number, record: AnyRecord, metadata: RecordMetadata | null): void {
    const { overlay, topic, now } = this.#host;
    const key = this.#options.keySerde.serialize(topic, record.key);
    const place = placeOf(key);
    const known = overlay.get(place);
    const row = entryOf(known === null ? time : readTime(known, 0), key);
    const before = known === null ? null : overlay.get(row);
    const { newValue, oldValue } = record.value as Change<unknown>; // tables send changes
    const old = this.#bytes(oldValue);
    const prior = before === null ? old : (unpacked(before)[1] ?? null);
    const context = contextBytes({ timestamp: record.timestamp, headers: record.headers, metadata });
    const entry = packed([context, prior, old, this.#bytes(newValue)]);
    if (known === null) overlay.put(place, row.slice(1, entryPrefix), now());
    overlay.put(row, entry, now());
    const { streamTime, records, bytes } = this.totals;
    this.#setTotals({
      streamTime: Math.max(streamTime, record.timestamp),
      records: known === null ? records + 1 : records,
      bytes: bytes + entry.length + (before === null ? key.length : -before.length),
    });
  }

  *entries(from: number, to: number): Generator<HeldUpdate> {
    const rows = this.#host.overlay.range(entryOf(from, nothing), entryOf(to + 1, nothing));
    for (const row of rows) yield this.#held(row);
  }

  first(from: number): HeldUpdate | null {
    const row = this.#host.overlay.first(entryOf(from, nothing), Uint8Array.of(entryKind + 1));
    return row === null ? null : this.#held(row);
  }

  #held([row, bytes]: Row): HeldUpdate {
    const { overlay, topic, now } = this.#host;
    const [context = null, prior = null, old = null, latest = null] = unpacked(bytes);
    const key = part(row, entryPrefix);
    return {
      ...contextOf(context ?? nothing),
      time: readTime(row, 1),
      key: this.#options.keySerde.deserialize(topic, key),
      newValue: this.#value(latest),
      oldValue: this.#value(old),
      priorValue: this.#value(prior),
      remove: () => {
        overlay.put(row, null, now());
        overlay.put(placeOf(key), null, now());
        const totals = this.totals;
        const size = bytes.length + key.length;
        this.#setTotals({ ...totals, records: totals.records - 1, bytes: totals.bytes - size });
      },
    };
  }

  priorValue(key: unknown): unknown {
    const { overlay, topic } = this.#host;
    const bytes = this.#options.keySerde.serialize(topic, key);
    const place = overlay.get(placeOf(bytes));
    const entry = place === null ? null : overlay.get(entryOf(readTime(place, 0), bytes));
    return entry === null ? undefined : this.#value(unpacked(entry)[1] ?? null);
  }

  #bytes(value: unknown): Uint8Array | null {
    return value === null ? null : this.#options.valueSerde.serialize(this.#host.topic, value);
  }

  #value(bytes: Uint8Array | null): unknown {
    return bytes === null ? null : this.#options.valueSerde.deserialize(this.#host.topic, bytes);
  }

  #setTotals({ streamTime, records, bytes }: BufferTotals): void {
    const out = new Uint8Array(24);
    writeTime(out, 0, streamTime);
    writeTime(out, 8, records);
    writeTime(out, 16, bytes);
    this.#host.overlay.put(totalsRow, out, this.#host.now());
  }
}

const nothing = new Uint8Array(0);

function placeOf(key: Uint8Array): Uint8Array {
  const out = new Uint8Array(1 + key.length);
  out[0] = placeKind;
  out.set(key, 1);
  return out;
}

function entryOf(time: number, key: Uint8Array): Uint8Array {
  const out = new Uint8Array(entryPrefix + key.length);
  out[0] = entryKind;
  writeTime(out, 1, time);
  out.set(key, entryPrefix);
  return out;
}
