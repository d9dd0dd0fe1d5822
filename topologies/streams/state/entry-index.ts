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
  /** Number of the newest entry by slot, or `none`. */
  left = new Float64Array(firstSlots);
  right = new Float64Array(firstSlots);
  readonly #names: string[] = [];
  #hashes = new Int32Array(firstSlots);
  readonly #free: number[] = [];
  /** Slot + 1 by place; 0 where nothing is. At most half full. */
  #table = new Int32Array(firstSlots * 2);
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
    this.left[slot] = none;
    this.right[slot] = none;
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
    const mask = table.length - 1;
    let gap = (this.#hashes[slot] ?? 0) & mask;
    while (table[gap] !== slot + 1) gap = (gap + 1) & mask;
    // What was pushed past the gap by others moves back into it (Knuth, TAOCP 3, 6.4, algorithm R).
    for (let at = (gap + 1) & mask; table[at] !== 0; at = (at + 1) & mask) {
      const home = (this.#hashes[(table[at] ?? 0) - 1] ?? 0) & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      table[gap] = table[at] ?? 0;
      gap = at;
    }
    table[gap] = 0;
    this.#names[slot] = '';
    this.#free.push(slot);
  }

  #find(name: string, hash: number): number {
    const mask = this.#table.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = (this.#table[at] ?? 0) - 1;
      if (slot < 0) return none;
      if (this.#hashes[slot] === hash && this.#names[slot] === name) return slot;
    }
  }

  #place(slot: number): void {
    const mask = this.#table.length - 1;
    let at = (this.#hashes[slot] ?? 0) & mask;
    while (this.#table[at] !== 0) at = (at + 1) & mask;
    this.#table[at] = slot + 1;
  }

  #grow(): void {
    const grown = <T extends Float64Array | Int32Array>(bigger: T, smaller: T): T => {
      bigger.set(smaller);
      return bigger;
    };
    const slots = this.#hashes.length;
    this.left = grown(new Float64Array(slots * 2), this.left);
    this.right = grown(new Float64Array(slots * 2), this.right);
    this.#hashes = grown(new Int32Array(slots * 2), this.#hashes);
    this.#table = new Int32Array(slots * 4);
    for (let slot = 0; slot < slots; slot++) this.#place(slot); // it grows only when all are taken
  }
}
