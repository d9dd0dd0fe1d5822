import { byteString } from './bytes.ts';
import { rowMap } from './grouped-map.ts';
import type { RowMap } from './sorted-map.ts';
import type { BytesStore, Row, StorageWrite, StoreSpec, TaskStorage } from './state-store.ts';

/** Keeps everything in this process. Nobody may change bytes after they were handed over. */
export class MemoryStorage implements TaskStorage {
  readonly #stores = new Map<string, MemoryBytesStore>();
  readonly #metadata = new Map<string, string>();

  store(spec: StoreSpec): BytesStore {
    return this.#named(spec.name, spec.keySuffixBytes);
  }

  write(write: StorageWrite): void {
    for (const [name, rows] of write.rows) {
      const store = this.#named(name);
      for (const [key, value, name] of rows) store.set(key, value, name);
    }
    for (const [name, value] of write.metadata) {
      if (value === null) this.#metadata.delete(name);
      else this.#metadata.set(name, value);
    }
  }

  metadata(name: string): string | null {
    return this.#metadata.get(name) ?? null;
  }

  clear(store: string): void {
    this.#stores.get(store)?.clear();
  }

  close(): void {}

  #named(name: string, keySuffixBytes?: number): MemoryBytesStore {
    let store = this.#stores.get(name);
    if (store === undefined) {
      store = new MemoryBytesStore(keySuffixBytes);
      this.#stores.set(name, store);
    }
    return store;
  }
}

/** A view of a fetched answer would keep megabytes alive for one row. To ask whether it is one costs more than to copy a short one. */
const owned = (bytes: Uint8Array): Uint8Array =>
  bytes.length > 64 && bytes.buffer.byteLength <= Buffer.poolSize ? bytes : new Uint8Array(bytes);

class MemoryBytesStore implements BytesStore {
  readonly #rows: RowMap<Row>;

  constructor(keySuffixBytes: number | undefined) {
    this.#rows = rowMap(keySuffixBytes);
  }

  get(_key: Uint8Array, name: string): Uint8Array | null {
    return this.#rows.get(name)?.[1] ?? null;
  }

  ofGroup(_from: Uint8Array, _to: Uint8Array, low: string, high: string): readonly Row[] {
    return this.#rows.ofGroup(low, high);
  }

  *keys(): Generator<Uint8Array> {
    for (const [key] of this.#rows.values()) yield key;
  }

  *range(
    from: Uint8Array | null,
    to: Uint8Array | null,
    options?: { readonly reverse?: boolean },
  ): Generator<Row, void, undefined> {
    const low = from === null ? null : byteString(from);
    const high = to === null ? null : byteString(to);
    for (const key of options?.reverse ? this.#rows.descending(low, high) : this.#rows.ascending(low, high)) {
      const row = this.#rows.get(key);
      if (row !== undefined) yield row;
    }
  }

  count(): number {
    return this.#rows.size;
  }

  set(key: Uint8Array, value: Uint8Array | null, name = byteString(key)): void {
    if (value === null) this.#rows.delete(name);
    else this.#rows.set(name, [owned(key), owned(value), name]);
  }

  clear(): void {
    this.#rows.clear();
  }
}
