const chunkSize = 256;

/** Rows by byte strings (one char a byte, so string order is byte order). A map must not change while one of its iterables is read. */
export interface RowMap<V> {
  readonly size: number;
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): boolean;
  clear(): void;
  /** In no order that could be relied on. */
  values(): Iterable<V>;
  /** Keys with `from <= key < to`; null is open. */
  ascending(from: string | null, to: string | null): Generator<string>;
  /** The same keys, descending. */
  descending(from: string | null, to: string | null): Generator<string>;
  /** Rows with `from <= key <= to` that are as long as these two, which are equal but for the suffix that the map groups by. Ascending. */
  ofGroup(from: string, to: string): readonly V[];
}

/** Its order is kept only from the first ordered read on: stores that are never scanned pay nothing for it. */
export class SortedMap<V> implements RowMap<V> {
  readonly #rows = new Map<string, V>();
  /** Sorted keys in sorted chunks; null until somebody asks for order. No chunk is empty. */
  #chunks: string[][] | null = null;

  get size(): number {
    return this.#rows.size;
  }

  get(key: string): V | undefined {
    return this.#rows.get(key);
  }

  set(key: string, value: V): void {
    if (this.#chunks !== null && !this.#rows.has(key)) this.#insert(this.#chunks, key);
    this.#rows.set(key, value);
  }

  delete(key: string): boolean {
    if (!this.#rows.delete(key)) return false;
    if (this.#chunks !== null) this.#remove(this.#chunks, key);
    return true;
  }

  clear(): void {
    this.#rows.clear();
    this.#chunks = null;
  }

  values(): Iterable<V> {
    return this.#rows.values();
  }

  ofGroup(from: string, to: string): V[] {
    const found: V[] = [];
    for (const key of this.ascending(from, null)) {
      if (key > to) break;
      const value = this.#rows.get(key);
      if (key.length === from.length && value !== undefined) found.push(value);
    }
    return found;
  }

  *ascending(from: string | null, to: string | null): Generator<string> {
    const chunks = this.#order();
    let at = from === null ? 0 : chunkOf(chunks, from);
    for (let index = from === null ? 0 : lowerBound(chunks[at] ?? [], from); at < chunks.length; at++, index = 0) {
      const chunk = chunks[at] ?? [];
      for (; index < chunk.length; index++) {
        const key = chunk[index] ?? '';
        if (to !== null && key >= to) return;
        yield key;
      }
    }
  }

  *descending(from: string | null, to: string | null): Generator<string> {
    const chunks = this.#order();
    for (let at = to === null ? chunks.length - 1 : chunkOf(chunks, to); at >= 0; at--) {
      const chunk = chunks[at] ?? [];
      for (let index = (to === null ? chunk.length : lowerBound(chunk, to)) - 1; index >= 0; index--) {
        const key = chunk[index] ?? '';
        if (from !== null && key < from) return;
        yield key;
      }
    }
  }

  #order(): string[][] {
    if (this.#chunks === null) {
      const keys = [...this.#rows.keys()].sort(byCodeUnit);
      this.#chunks = [];
      for (let i = 0; i < keys.length; i += chunkSize) this.#chunks.push(keys.slice(i, i + chunkSize));
    }
    return this.#chunks;
  }

  #insert(chunks: string[][], key: string): void {
    const at = chunkOf(chunks, key);
    const chunk = chunks[at];
    if (chunk === undefined) {
      chunks.push([key]);
      return;
    }
    chunk.splice(lowerBound(chunk, key), 0, key);
    if (chunk.length > 2 * chunkSize) chunks.splice(at + 1, 0, chunk.splice(chunkSize));
  }

  #remove(chunks: string[][], key: string): void {
    const at = chunkOf(chunks, key);
    const chunk = chunks[at];
    if (chunk === undefined) return;
    const index = lowerBound(chunk, key);
    if (chunk[index] === key) chunk.splice(index, 1);
    if (chunk.length === 0) chunks.splice(at, 1);
  }
}

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The chunk that holds `key` or would take it: the last one that does not begin after it. */
function chunkOf(chunks: readonly string[][], key: string): number {
  let low = 0;
  let high = chunks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((chunks[middle]?.[0] ?? '') <= key) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Index of the first key that is not below `key`. */
function lowerBound(chunk: readonly string[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((chunk[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
