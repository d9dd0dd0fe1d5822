import { part, successor } from './bytes.ts';
import { bytesOfTime, readTime, type StoreHost, writeTime } from './key-value-store.ts';

/** Times that stand in a store beside its rows, so that they are committed, rolled back and restored with them. */
export interface StoreTimes {
  /** -1 where none was kept under this name. */
  get(name: string): number;
  set(name: string, ms: number): void;
}

/** When a row is: `age` is what retention goes by (start of a window, end of a session), `other` the session's start. */
export interface Moment {
  readonly age: number;
  readonly other: number;
}

export interface AgingRow extends Moment {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface AgingOptions {
  /** How far behind the newest age ever put a row may be: at least one millisecond less than this. */
  readonly retentionMs: number;
  /** True: exactly this far too. */
  readonly keepsBound?: boolean;
  /** 1: moments are an `age`; 2: they have the `other` time too. */
  readonly times: 1 | 2;
}

const timesPrefix = 0;
const rowPrefix = 1;
const indexPrefix = 2;
const longBytes = 8;
const clock = 'clock';
/** Below this age everything has been deleted. */
const swept = 'swept';
const present = Uint8Array.of(1);
const utf8 = new TextEncoder();

/**
 * Rows of a key by moment, forgotten by the newest age put into the store and not by any clock outside it. Every row has a second one
 * that finds it by age, so that neither what has closed nor what has died is searched for:
 *
 *   0 | name → time · 1 | key | moment → value · 2 | moment | key → one byte
 */
export class AgingRows {
  readonly times: StoreTimes;
  readonly #host: StoreHost;
  readonly #options: AgingOptions;
  readonly #momentBytes: number;
  readonly #timeKeys = new Map<string, Uint8Array>();

  constructor(host: StoreHost, options: AgingOptions) {
    this.#host = host;
    this.#options = options;
    this.#momentBytes = options.times * longBytes;
    this.times = {
      get: (name) => {
        const bytes = host.overlay.get(this.#timeKey(name));
        return bytes === null ? -1 : readTime(bytes, 0);
      },
      set: (name, ms) => {
        host.overlay.put(this.#timeKey(name), bytesOfTime(ms), host.now());
      },
    };
  }

  /** Rows below this age do not show. */
  get horizon(): number {
    const { retentionMs, keepsBound } = this.#options;
    return this.times.get(clock) - retentionMs + (keepsBound ? 0 : 1);
  }

  get(key: Uint8Array, moment: Moment): Uint8Array | null {
    return moment.age < this.horizon ? null : this.#host.overlay.get(this.#row(key, moment));
  }

  /** A null value deletes. What is older than the retention is not kept; a deletion moves the store's clock too. */
  put(key: Uint8Array, moment: Moment, value: Uint8Array | null): void {
    if (moment.age > this.times.get(clock)) this.times.set(clock, moment.age);
    if (moment.age < this.horizon) return;
    const { overlay, now } = this.#host;
    const row = this.#row(key, moment);
    const wasThere = overlay.get(row) !== null;
    if (wasThere !== (value !== null)) overlay.put(this.#index(key, moment), value === null ? null : present, now());
    if (wasThere || value !== null) overlay.put(row, value, now());
  }

  /** Rows of one key from one moment to another, both inclusive, in their order or against it. */
  *ofKey(key: Uint8Array, from: Moment, to: Moment, reverse = false): Generator<AgingRow> {
    const low = { age: Math.max(from.age, this.horizon, 0), other: from.age < this.horizon ? 0 : from.other };
    if (low.age > to.age) return;
    const end = successor(this.#row(key, to));
    for (const [row, value] of this.#host.overlay.range(this.#row(key, low), end, reverse)) {
      if (row.length !== 1 + key.length + this.#momentBytes) continue; // a longer key that begins with this one
      yield { key, value, ...this.#moment(row, 1 + key.length) };
    }
  }

  /** Rows of all keys with `from <= age <= to`, by moment, then by the bytes of the key. */
  inTime(from: number, to: number): Generator<AgingRow> {
    return this.#inTime(Math.max(from, this.horizon), to);
  }

  /** The same with those that do not show any more and have not been swept. */
  inTimeWithForgotten(from: number, to: number): Generator<AgingRow> {
    return this.#inTime(from, to);
  }

  /** Deletes rows that do not show any more, once an eighth of the retention has gone by. */
  sweep(): void {
    const { horizon } = this;
    const before = Math.max(0, this.times.get(swept));
    if (horizon - before < Math.max(1, this.#options.retentionMs / 8)) return;
    this.times.set(swept, horizon);
    const { overlay, now } = this.#host;
    for (const { key, age, other } of [...this.#inTime(before, horizon - 1)]) {
      overlay.put(this.#row(key, { age, other }), null, now());
      overlay.put(this.#index(key, { age, other }), null, now());
    }
  }

  *#inTime(from: number, to: number): Generator<AgingRow> {
    if (to < 0 || from > to) return;
    const { overlay } = this.#host;
    for (const [entry] of overlay.range(indexFrom(Math.max(from, 0)), indexFrom(to + 1))) {
      const moment = this.#moment(entry, 1);
      const key = part(entry, 1 + this.#momentBytes);
      const value = overlay.get(this.#row(key, moment));
      if (value !== null) yield { key, value, ...moment };
    }
  }

  #timeKey(name: string): Uint8Array {
    const known = this.#timeKeys.get(name);
    if (known !== undefined) return known;
    const key = Uint8Array.of(timesPrefix, ...utf8.encode(name));
    this.#timeKeys.set(name, key);
    return key;
  }

  #row(key: Uint8Array, moment: Moment): Uint8Array {
    const out = new Uint8Array(1 + key.length + this.#momentBytes);
    out[0] = rowPrefix;
    out.set(key, 1);
    this.#write(out, 1 + key.length, moment);
    return out;
  }

  #index(key: Uint8Array, moment: Moment): Uint8Array {
    const out = new Uint8Array(1 + key.length + this.#momentBytes);
    out[0] = indexPrefix;
    this.#write(out, 1, moment);
    out.set(key, 1 + this.#momentBytes);
    return out;
  }

  #write(out: Uint8Array, at: number, { age, other }: Moment): void {
    writeTime(out, at, age);
    if (this.#options.times === 2) writeTime(out, at + longBytes, other);
  }

  #moment(bytes: Uint8Array, at: number): Moment {
    return { age: readTime(bytes, at), other: this.#options.times === 2 ? readTime(bytes, at + longBytes) : 0 };
  }
}

/** The key and moment of a row by its bytes; null: it is no row of a key (an entry of the index, a time). */
export function agingKeyOf(row: Uint8Array, times: 1 | 2): (Moment & { readonly key: Uint8Array }) | null {
  if (row[0] !== rowPrefix) return null;
  const end = row.length - times * longBytes;
  return {
    key: row.subarray(1, end),
    age: readTime(row, end),
    other: times === 2 ? readTime(row, end + longBytes) : 0,
  };
}

function indexFrom(age: number): Uint8Array {
  const out = new Uint8Array(1 + longBytes);
  out[0] = indexPrefix;
  writeTime(out, 1, age);
  return out;
}
