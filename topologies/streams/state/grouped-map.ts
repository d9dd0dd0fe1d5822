import { type RowMap, SortedMap } from './sorted-map.ts';

/** Keys in order, and their values. Never empty. */
interface Group<V> {
  readonly keys: string[];
  readonly values: V[];
}

/**
 * For keys that are read by group: those of one window store's key, which differ in their last chars alone (time, sequence). A group is
 * found by its prefix, where an ordered map would compare its way through all keys. What is read across groups is sorted when it is asked for.
 */
export class GroupedMap<V> implements RowMap<V> {
  readonly #suffix: number;
  readonly #groups = new Map<string, Group<V>>();
  #size = 0;

  /** @param suffix chars at the end of a key that tell it from others of its group */
  constructor(suffix: number) {
    this.#suffix = suffix;
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    const group = this.#groupOf(key);
    if (group === undefined) return undefined;
    const at = lowerBound(group.keys, key);
    return group.keys[at] === key ? group.values[at] : undefined;
  }

  set(key: string, value: V): void {
    const group = this.#groupOf(key);
    if (group === undefined) {
      this.#groups.set(this.#prefixOf(key), { keys: [key], values: [value] });
      this.#size += 1;
      return;
    }
    const { keys, values } = group;
    const at = lowerBound(keys, key);
    if (keys[at] === key) {
      values[at] = value;
      return;
    }
    keys.splice(at, 0, key);
    values.splice(at, 0, value);
    this.#size += 1;
  }

  delete(key: string): boolean {
    const group = this.#groupOf(key);
    if (group === undefined) return false;
    const at = lowerBound(group.keys, key);
    if (group.keys[at] !== key) return false;
    if (group.keys.length === 1) this.#groups.delete(this.#prefixOf(key));
    else {
      group.keys.splice(at, 1);
      group.values.splice(at, 1);
    }
    this.#size -= 1;
    return true;
  }

  clear(): void {
    this.#groups.clear();
    this.#size = 0;
  }

  *values(): Generator<V> {
    for (const { values } of this.#groups.values()) yield* values;
  }

  ofGroup(from: string, to: string): readonly V[] {
    const group = this.#groupOf(from);
    if (group === undefined) return [];
    const { keys, values } = group;
    let end = keys.length;
    while (end > 0 && (keys[end - 1] ?? '') > to) end -= 1;
    return values.slice(lowerBound(keys, from), end);
  }

  ascending(from: string | null, to: string | null): Generator<string> {
    return this.#sorted().ascending(from, to);
  }

  descending(from: string | null, to: string | null): Generator<string> {
    return this.#sorted().descending(from, to);
  }

  #sorted(): SortedMap<true> {
    const sorted = new SortedMap<true>();
    for (const { keys } of this.#groups.values()) for (const key of keys) sorted.set(key, true);
    return sorted;
  }

  #prefixOf(key: string): string {
    return key.slice(0, -this.#suffix);
  }

  #groupOf(key: string): Group<V> | undefined {
    return this.#groups.get(this.#prefixOf(key));
  }
}

/** Index of the first key that is not below `key`. Looked for from the end: time goes on. */
function lowerBound(keys: readonly string[], key: string): number {
  let at = keys.length;
  while (at > 0 && (keys[at - 1] ?? '') >= key) at -= 1;
  return at;
}

/** @param suffix see `StoreSpec.keySuffixBytes` */
export const rowMap = <V>(suffix: number | undefined): RowMap<V> =>
  suffix === undefined ? new SortedMap() : new GroupedMap(suffix);
