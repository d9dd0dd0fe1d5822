import { createHash } from 'node:crypto';
import type { ConsumedRecord } from '../kafka/port.ts';
import type { StoreBuilder } from '../plan/node.ts';
import { bufferSpec } from './buffer-spec.ts';
import { byteString, prefixEnd } from './bytes.ts';
import { type StoreHost, writeTime } from './key-value-store.ts';
import type { StateStore } from './state-store.ts';

/**
 * Records of keys that wait behind a dead letter, in the order in which they came, the letter's own record first. Rows are
 * `SHA-256 of the key | number`, so that no key is too long; the value is JSON with bytes as base64, for tools that read the changelog.
 */
export interface ParkedRecords extends StateStore {
  /** Of all keys. */
  readonly size: number;
  /** How many records of this key wait. */
  countOf(key: Uint8Array): number;
  /** Behind those that wait already. */
  add(key: Uint8Array, record: ConsumedRecord): void;
  first(key: Uint8Array): ConsumedRecord | null;
  removeFirst(key: Uint8Array): void;
  of(key: Uint8Array): readonly ConsumedRecord[];
}

/** A record as text may be a third larger than it was on its topic. */
const changelogMaxBytes = 20 * 1_048_576;

export const parkedRecords = (name: string): StoreBuilder => ({
  spec: bufferSpec(name, { 'max.message.bytes': String(changelogMaxBytes) }),
  open: (host) => new BytesParkedRecords(name, host),
});

interface ParkedKey {
  count: number;
  /** Number of the next record. */
  next: number;
}

class BytesParkedRecords implements ParkedRecords {
  readonly name: string;
  readonly #host: StoreHost;
  /** By the key's `byteString`; made with the first question, when the store is restored. Nearly always empty. */
  #keys: Map<string, ParkedKey> | null = null;
  #size = 0;

  constructor(name: string, host: StoreHost) {
    this.name = name;
    this.#host = host;
  }

  get size(): number {
    this.#index();
    return this.#size;
  }

  countOf(key: Uint8Array): number {
    const keys = this.#index();
    return keys.size === 0 ? 0 : (keys.get(byteString(key))?.count ?? 0);
  }

  add(key: Uint8Array, record: ConsumedRecord): void {
    const keys = this.#index();
    const name = byteString(key);
    const there = keys.get(name) ?? { count: 0, next: 0 };
    keys.set(name, there);
    this.#host.overlay.put(rowKey(prefixOf(key), there.next), encoded(record), this.#host.now());
    there.count += 1;
    there.next += 1;
    this.#size += 1;
  }

  first(key: Uint8Array): ConsumedRecord | null {
    const [row] = this.#rows(key);
    return row === undefined ? null : decodeParked(row[1]);
  }

  removeFirst(key: Uint8Array): void {
    const [row] = this.#rows(key);
    const keys = this.#index();
    const name = byteString(key);
    const there = keys.get(name);
    if (row === undefined || there === undefined) return;
    this.#host.overlay.put(row[0], null, this.#host.now());
    there.count -= 1;
    this.#size -= 1;
    if (there.count === 0) keys.delete(name);
  }

  of(key: Uint8Array): readonly ConsumedRecord[] {
    return Array.from(this.#rows(key), ([, value]) => decodeParked(value));
  }

  #rows(key: Uint8Array) {
    if (this.countOf(key) === 0) return [];
    const prefix = prefixOf(key);
    return this.#host.overlay.range(prefix, prefixEnd(prefix));
  }

  #index(): Map<string, ParkedKey> {
    if (this.#keys !== null) return this.#keys;
    const keys = new Map<string, ParkedKey>();
    this.#keys = keys;
    for (const [row, value] of this.#host.overlay.range(null, null)) {
      const { key } = decodeParked(value);
      if (key === null) continue; // none is parked
      const name = byteString(key);
      const there = keys.get(name) ?? { count: 0, next: 0 };
      keys.set(name, { count: there.count + 1, next: parkedNumberOf(row) + 1 });
      this.#size += 1;
    }
    return keys;
  }
}

const hashBytes = 32;
const prefixOf = (key: Uint8Array): Uint8Array => createHash('sha256').update(key).digest();

function rowKey(prefix: Uint8Array, number: number): Uint8Array {
  const out = new Uint8Array(hashBytes + 8);
  out.set(prefix);
  writeTime(out, hashBytes, number);
  return out;
}

/** Of a row of the store, and so of its changelog: the place among those of its key. */
export const parkedNumberOf = (row: Uint8Array): number => Number(Buffer.from(row).readBigUInt64BE(hashBytes));

const base64 = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString('base64');
const bytesOf = (text: string | null): Uint8Array | null => (text === null ? null : Buffer.from(text, 'base64'));

interface ParkedRow {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

const encoded = ({ topic, partition, offset, timestamp, key, value, headers }: ConsumedRecord): Uint8Array => {
  const row: ParkedRow = {
    topic,
    partition,
    offset,
    timestamp,
    key: base64(key),
    value: base64(value),
    headers: headers.map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]),
  };
  return Buffer.from(JSON.stringify(row));
};

/** Reads the value of a row. */
export const decodeParked = (bytes: Uint8Array): ConsumedRecord => {
  const row = JSON.parse(Buffer.from(bytes).toString()) as ParkedRow; // written above
  return {
    ...row,
    key: bytesOf(row.key),
    value: bytesOf(row.value),
    headers: row.headers.map(([name, text]) => [name, Buffer.from(text, 'base64')]),
  };
};
