import { byteString, checkKey } from './bytes.ts';
import { rowMap } from './grouped-map.ts';
import type { RowMap } from './sorted-map.ts';
import type { BytesStore, DirtyRow, Row, RowChange, RowWrite, UncommittedRows } from './state-store.ts';
import type { Restorable, UndoLog } from './undo-log.ts';

/**
 * The uncommitted writes of one store over its committed rows. Two layers: `active` takes writes; `takeDirty` freezes it for the
 * transaction that is in flight, and the task goes on in a new one.
 */
export class Overlay implements Restorable, UncommittedRows {
  readonly #base: BytesStore;
  readonly #undo: UndoLog;
  readonly #keySuffixBytes: number | undefined;
  #active: RowMap<DirtyRow>;
  #frozen: RowMap<DirtyRow> | null = null;

  /** @param keySuffixBytes see `StoreSpec` */
  constructor(base: BytesStore, undo: UndoLog, keySuffixBytes?: number) {
    this.#base = base;
    this.#undo = undo;
    this.#keySuffixBytes = keySuffixBytes;
    this.#active = rowMap(keySuffixBytes);
  }

  /** @param name the key as a byte string, for who has it already */
  get(key: Uint8Array, name = byteString(key)): Uint8Array | null {
    checkKey(key);
    return this.#get(key, name);
  }

  /** A null value deletes. */
  put(key: Uint8Array, value: Uint8Array | null, timestamp: number, name = byteString(key)): void {
    checkKey(key);
    this.#put(key, name, value, timestamp);
  }

  /** @returns false where a row was there already: then nothing is written, and the caller may change `key` for another try */
  putIfAbsent(key: Uint8Array, value: Uint8Array, timestamp: number): boolean {
    checkKey(key);
    const name = byteString(key);
    if (this.#get(key, name) !== null) return false;
    this.#put(key, name, value, timestamp);
    return true;
  }

  /** Writes nothing where there is no row. */
  deleteIfPresent(key: Uint8Array, timestamp: number): void {
    const name = byteString(key);
    if (this.#get(key, name) !== null) this.#put(key, name, null, timestamp);
  }

  #get(key: Uint8Array, name: string): Uint8Array | null {
    const row = this.#active.get(name) ?? this.#frozen?.get(name);
    return row === undefined ? this.#base.get(key, name) : row.value;
  }

  #put(key: Uint8Array, name: string, value: Uint8Array | null, timestamp: number): void {
    this.#undo.push(this, name, this.#active.get(name));
    this.#active.set(name, { key, name, value, timestamp });
  }

  /** For what a store concludes from its rows: called if the writes of the record under way are taken back. */
  onRollBack(action: () => void): void {
    this.#undo.push({ restore: action }, '', undefined);
  }

  restore(key: string, row: DirtyRow | undefined): void {
    if (row === undefined) this.#active.delete(key);
    else this.#active.set(key, row);
  }

  /** `from <= key < to` over all layers. Later writes do not show in an iteration that has begun. */
  range(from: Uint8Array | null, to: Uint8Array | null, reverse = false): Iterable<Row> {
    const dirty = this.#dirtyRange(from, to, reverse);
    const base = this.#base.range(from, to, { reverse });
    return dirty.length === 0 ? base : merged(base, dirty, reverse);
  }

  /** The first row that `range` would give; without a copy of the dirty rows in it. */
  first(from: Uint8Array | null, to: Uint8Array | null, reverse = false): Row | null {
    const low = from === null ? null : byteString(from);
    const high = to === null ? null : byteString(to);
    const keysOf = (layer: RowMap<DirtyRow> | null): Iterator<string> =>
      layer === null || layer.size === 0 ? none : reverse ? layer.descending(low, high) : layer.ascending(low, high);
    const base = this.#base.range(from, to, { reverse })[Symbol.iterator]();
    const dirty = [keysOf(this.#active), keysOf(this.#frozen)];
    const heads = dirty.map((keys) => keys.next());
    try {
      for (let row = base.next(); ; ) {
        const baseKey = row.done ? null : byteString(row.value[0]);
        let key = baseKey;
        for (const head of heads) {
          if (!head.done && (key === null || (reverse ? head.value > key : head.value < key))) key = head.value;
        }
        if (key === null) return null;
        const written = this.#active.get(key) ?? this.#frozen?.get(key);
        if (written === undefined) return row.done ? null : row.value;
        if (written.value !== null) return [written.key, written.value];
        dirty.forEach((keys, at) => {
          if (heads[at]?.value === key) heads[at] = keys.next();
        });
        if (baseKey === key) row = base.next();
      }
    } finally {
      base.return?.();
    }
  }

  /** Rows of one group (see `StoreSpec.keySuffixBytes`) with `from <= key <= to`, ascending. */
  ofGroup(from: Uint8Array, to: Uint8Array): readonly Row[] {
    const [low, high] = [byteString(from), byteString(to)];
    const base = this.#base.ofGroup(from, to, low, high);
    const frozen = this.#frozen?.ofGroup(low, high) ?? [];
    const active = this.#active.ofGroup(low, high);
    if (frozen.length === 0 && active.length === 0) return base;
    if (base.length === 0 && frozen.length === 0) return active.flatMap(rowOf);
    const rows = new Map<string, readonly Row[]>();
    for (const row of base) rows.set(row[2] ?? byteString(row[0]), [row]);
    for (const row of [...frozen, ...active]) rows.set(row.name, rowOf(row));
    return [...rows].sort((a, b) => (a[0] < b[0] ? -1 : 1)).flatMap(([, row]) => row);
  }

  /** Every key, in no order; some twice, some of rows that are deleted. */
  *keys(): Generator<Uint8Array> {
    yield* this.#base.keys();
    for (const layer of [this.#frozen, this.#active]) for (const { key } of layer?.values() ?? []) yield key;
  }

  /** An estimate: a dirty row may be new or not. */
  count(): number {
    return this.#base.count() + this.#active.size + (this.#frozen?.size ?? 0);
  }

  get dirty(): boolean {
    return this.#active.size > 0;
  }

  /** Rows that the next `takeDirty` would give. */
  get dirtyCount(): number {
    return this.#active.size;
  }

  /** The writes since the last call: the last one of each key. Only one take may be open. */
  takeDirty(): Iterable<DirtyRow> {
    this.#frozen = this.#active;
    this.#active = rowMap(this.#keySuffixBytes);
    return this.#frozen.values();
  }

  /** What `takeDirty` gave, for the storage; afterwards the rows are to be read there. */
  *frozenRows(): Generator<RowWrite> {
    if (this.#frozen === null) return;
    for (const { key, value, name } of this.#frozen.values()) yield [key, value, name];
  }

  /** The same, each with what it is about to replace. Keys are copies: a slow reader of changes must not keep what was fetched with them. */
  *frozenChanges(): Generator<RowChange> {
    if (this.#frozen === null) return;
    for (const { key, value, name, timestamp } of this.#frozen.values())
      yield { key: new Uint8Array(key), old: this.#base.get(key, name), value, timestamp };
  }

  thaw(): void {
    this.#frozen = null;
  }

  drop(): void {
    this.#frozen = null;
    this.#active = rowMap(this.#keySuffixBytes);
  }

  /** The dirty rows of both layers in order, the active one's where both have a key. Copied, so that writes may go on. */
  #dirtyRange(from: Uint8Array | null, to: Uint8Array | null, reverse: boolean): DirtyRow[] {
    const frozen = this.#frozen;
    if (this.#active.size === 0 && (frozen === null || frozen.size === 0)) return [];
    const low = from === null ? null : byteString(from);
    const high = to === null ? null : byteString(to);
    const rowsOf = (layer: RowMap<DirtyRow>): [string, DirtyRow][] => {
      const rows: [string, DirtyRow][] = [];
      if (layer.size === 0) return rows;
      for (const key of reverse ? layer.descending(low, high) : layer.ascending(low, high)) {
        const row = layer.get(key);
        if (row !== undefined) rows.push([key, row]);
      }
      return rows;
    };
    const active = rowsOf(this.#active);
    if (frozen === null) return active.map((entry) => entry[1]);
    const sign = reverse ? -1 : 1;
    const known = new Set(active.map((entry) => entry[0]));
    const all = [...active, ...rowsOf(frozen).filter((entry) => !known.has(entry[0]))];
    return all.sort((a, b) => (a[0] < b[0] ? -sign : sign)).map((entry) => entry[1]);
  }
}

const none: Iterator<string> = { next: () => ({ done: true, value: undefined }) };
const rowOf = ({ key, value, name }: DirtyRow): readonly Row[] => (value === null ? [] : [[key, value, name]]);

function* merged(base: Iterable<Row>, dirty: readonly DirtyRow[], reverse: boolean): Generator<Row> {
  let next = 0;
  for (const row of base) {
    let hidden = false;
    for (let entry = dirty[next]; entry !== undefined; entry = dirty[next]) {
      const order = reverse ? Buffer.compare(row[0], entry.key) : Buffer.compare(entry.key, row[0]);
      if (order > 0) break;
      next++;
      if (order === 0) hidden = true;
      if (entry.value !== null) yield [entry.key, entry.value];
      if (order === 0) break;
    }
    if (!hidden) yield row;
  }
  for (let entry = dirty[next]; entry !== undefined; entry = dirty[++next]) {
    if (entry.value !== null) yield [entry.key, entry.value];
  }
}
