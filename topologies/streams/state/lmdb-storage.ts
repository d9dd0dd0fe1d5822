import { mkdirSync } from 'node:fs';
import { type Database, open, type RootDatabase } from 'lmdb';
import { successor } from './bytes.ts';
import { MemoryStorage } from './memory-storage.ts';
import type { BytesStore, Row, StorageWrite, StoreSpec, TaskStorage } from './state-store.ts';

type Rows = Database<Buffer, Buffer>;

/** LMDB refuses empty keys, so every key begins with this byte; what begins with the next one lies behind them all. */
const first = 1;
const behind = Buffer.of(first + 1);

const stored = (key: Uint8Array): Buffer => {
  const out = Buffer.allocUnsafe(key.length + 1);
  out[0] = first;
  out.set(key, 1);
  return out;
};

/**
 * One LMDB environment a task. Writes are not synced to the disk: what a process has written survives its SIGKILL (the pages are the
 * kernel's), and after a crash of the machine the owner wipes (see `StateFolder`).
 */
export class LmdbStorage implements TaskStorage {
  readonly #env: RootDatabase<Buffer, Buffer>;
  readonly #metadata: Database<string, string>;
  readonly #stores = new Map<string, LmdbBytesStore>();
  /** Stores that their authors want in memory only. */
  readonly #memory = new MemoryStorage();
  readonly #inMemory = new Set<string>();

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#env = open<Buffer, Buffer>({
      path: folder,
      encoding: 'binary',
      keyEncoding: 'binary',
      noSync: true,
      maxDbs: 64,
      noMemInit: true,
    });
    this.#metadata = this.#env.openDB<string, string>({
      name: 'metadata',
      encoding: 'string',
      keyEncoding: 'ordered-binary',
    });
  }

  store(spec: StoreSpec): BytesStore {
    if (!spec.persistent) {
      if (!this.#inMemory.has(spec.name)) {
        this.#inMemory.add(spec.name);
        // Its rows went with the last process, so its changelog is read from the beginning.
        this.#metadata.removeSync(`changelog:${spec.name}`);
      }
      return this.#memory.store(spec);
    }
    return this.#rows(spec.name);
  }

  #rows(name: string): LmdbBytesStore {
    let store = this.#stores.get(name);
    if (store === undefined) {
      store = new LmdbBytesStore(
        this.#env.openDB<Buffer, Buffer>({ name: `rows:${name}`, encoding: 'binary', keyEncoding: 'binary' }),
      );
      this.#stores.set(name, store);
    }
    return store;
  }

  write({ rows, metadata }: StorageWrite): void {
    const inMemory = [...rows].filter(([name]) => this.#inMemory.has(name));
    this.#env.transactionSync(() => {
      for (const [name, writes] of rows) {
        if (this.#inMemory.has(name)) continue;
        const store = this.#rows(name);
        for (const [key, value] of writes) store.set(key, value);
      }
      for (const [name, value] of metadata) {
        if (value === null) this.#metadata.removeSync(name);
        else this.#metadata.putSync(name, value);
      }
    });
    if (inMemory.length > 0) this.#memory.write({ rows: new Map(inMemory), metadata: new Map() });
  }

  metadata(name: string): string | null {
    return this.#metadata.get(name) ?? null;
  }

  clear(store: string): void {
    if (this.#inMemory.has(store)) this.#memory.clear(store);
    else this.#rows(store).clear();
  }

  close(): Promise<void> {
    return this.#env.close();
  }
}

class LmdbBytesStore implements BytesStore {
  readonly #rows: Rows;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  get(key: Uint8Array): Uint8Array | null {
    return this.#rows.get(stored(key)) ?? null;
  }

  *range(
    from: Uint8Array | null,
    to: Uint8Array | null,
    options?: { readonly reverse?: boolean },
  ): Generator<Row, void, undefined> {
    const low = from === null ? Buffer.of(first) : stored(from);
    const high = to === null ? behind : stored(to);
    const range = options?.reverse
      ? this.#rows.getRange({ start: high, exclusiveStart: true, end: low, inclusiveEnd: true, reverse: true })
      : this.#rows.getRange({ start: low, end: high });
    for (const { key, value } of range) yield [Uint8Array.prototype.slice.call(key, 1), value];
  }

  ofGroup(from: Uint8Array, to: Uint8Array): readonly Row[] {
    const rows: Row[] = [];
    for (const row of this.range(from, successor(to))) if (row[0].length === from.length) rows.push(row);
    return rows;
  }

  *keys(): Generator<Uint8Array, void, undefined> {
    for (const key of this.#rows.getKeys()) yield Uint8Array.prototype.slice.call(key, 1);
  }

  count(): number {
    return this.#rows.getCount();
  }

  set(key: Uint8Array, value: Uint8Array | null): void {
    if (value === null) this.#rows.removeSync(stored(key));
    else this.#rows.putSync(stored(key), asBuffer(value));
  }

  clear(): void {
    this.#rows.clearSync();
  }
}

/** Copied into Buffer's pool: see `bytesOfLength`. */
const asBuffer = (bytes: Uint8Array): Buffer => {
  if (bytes instanceof Buffer) return bytes;
  const out = Buffer.allocUnsafe(bytes.length);
  out.set(bytes);
  return out;
};
