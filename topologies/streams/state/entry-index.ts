export const none = -1;

const firstSlots = 1_024;

let hashedName: string | null = null;
let hashedTo = 0;

/** FNV-1a over the chars. The last one is remembered: a record's name is looked up in one join after the other. */
function hashOf(name: string): number {
  if (name === hashedName) return hashedTo;
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  hashedName = name;
  hashedTo = hash ^ (hash >>> 15);
  return hashedTo;
}

/**
 * The newest entry of each name, on both sides of a join, so that who looks at both looks once. A hash table (linear probing) instead of a Map with
 * an object for each name: what lives for a whole window costs the garbage collector a copy each.
 */
export class EntryIndex {
  /** Numbers of the newest entries, or `none`: of a slot's left side at `slot * 2`, of its right one behind it. */
  newest = new Float64Array(firstSlots * 2);
  readonly #names: string[] = [];
  #hashes = new Int32Array(firstSlots);
  readonly #free: number[] = [];
  /** By place two numbers side by side, so that to find one is one look into memory: hash, and slot + 1; 0 where nothing is. At most half full. */
  #table = new Int32Array(firstSlots * 4);
  #lastName: string | null = null;
  #lastSlot = none;

  /** @returns `none` where the name is not known */
  slotOf(name: string): number {
    if (name === this.#lastName) return this.#lastSlot;
    this.#lastName = name;
    this.#lastSlot = this.#find(name, hashOf(name));
    return this.#lastSlot;
  }

  /** Of a name that is not known yet. */
  make(name: string): number {
    const slot = this.#free.pop() ?? this.#names.length;
    if (slot === this.#hashes.length) this.#grow();
    this.#names[slot] = name;
    this.#hashes[slot] = hashOf(name);
    this.newest[slot * 2] = none;
    this.newest[slot * 2 + 1] = none;
    this.#place(slot);
    this.#lastName = name;
    this.#lastSlot = slot;
    return slot;
  }

  nameOf(slot: number): string {
    return this.#names[slot] ?? '';
  }

  /** Forgets a name; its slot is given to another. */
  release(slot: number): void {
    if (slot === this.#lastSlot) this.#lastName = null;
    const table = this.#table;
    const mask = table.length / 2 - 1;
    let gap = (this.#hashes[slot] ?? 0) & mask;
    while (table[gap * 2 + 1] !== slot + 1) gap = (gap + 1) & mask;
    // What was pushed past the gap by others moves back into it (Knuth, TAOCP 3, 6.4, algorithm R).
    for (let at = (gap + 1) & mask; table[at * 2 + 1] !== 0; at = (at + 1) & mask) {
      const home = (table[at * 2] ?? 0) & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      table[gap * 2] = table[at * 2] ?? 0;
      table[gap * 2 + 1] = table[at * 2 + 1] ?? 0;
      gap = at;
    }
    table[gap * 2 + 1] = 0;
    this.#names[slot] = '';
    this.#free.push(slot);
  }

  #find(name: string, hash: number): number {
    const table = this.#table;
    const mask = table.length / 2 - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = (table[at * 2 + 1] ?? 0) - 1;
      if (slot < 0) return none;
      if (table[at * 2] === hash && this.#names[slot] === name) return slot;
    }
  }

  #place(slot: number): void {
    const table = this.#table;
    const mask = table.length / 2 - 1;
    const hash = this.#hashes[slot] ?? 0;
    let at = hash & mask;
    while (table[at * 2 + 1] !== 0) at = (at + 1) & mask;
    table[at * 2] = hash;
    table[at * 2 + 1] = slot + 1;
  }

  #grow(): void {
    const grown = <T extends Float64Array | Int32Array>(bigger: T, smaller: T): T => {
      bigger.set(smaller);
      return bigger;
    };
    const slots = this.#hashes.length;
    this.newest = grown(new Float64Array(slots * 4), this.newest);
    this.#hashes = grown(new Int32Array(slots * 2), this.#hashes);
    this.#table = new Int32Array(slots * 8);
    for (let slot = 0; slot < slots; slot++) this.#place(slot); // it grows only when all are taken
  }
}
