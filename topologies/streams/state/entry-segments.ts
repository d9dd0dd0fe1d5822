/** So many entries share their arrays, and are forgotten together. */
const segmentEntries = 4_096;
const firstSlabBytes = 16 << 10;
export const none = -1;

/** Entries that came one after the other. Their values lie end to end in one slab, so a row costs no object. */
class Segment {
  readonly names: string[] = [];
  readonly times = new Float64Array(segmentEntries);
  /** Number of the entry of the same name before it. */
  readonly before = new Float64Array(segmentEntries);
  readonly sequences = new Uint32Array(segmentEntries);
  readonly removed = new Uint8Array(segmentEntries);
  /** Of each value in the slab; the first begins at 0. */
  readonly ends = new Uint32Array(segmentEntries);
  #slab = Buffer.allocUnsafeSlow(firstSlabBytes);
  /** No entry is newer; one that was taken back may have been. */
  maxTime = -1;

  get count(): number {
    return this.names.length;
  }

  value(at: number): Uint8Array {
    return this.#slab.subarray(this.#start(at), this.ends[at]);
  }

  push(name: string, time: number, sequence: number, before: number, value: Uint8Array): void {
    const at = this.names.length;
    const start = this.#start(at);
    const end = start + value.length;
    if (end > this.#slab.length) {
      // What was handed out stays in the old slab, which nobody writes to again.
      const grown = Buffer.allocUnsafeSlow(Math.max(end, this.#slab.length * 2));
      this.#slab.copy(grown, 0, 0, start);
      this.#slab = grown;
    }
    this.#slab.set(value, start);
    this.names.push(name);
    this.times[at] = time;
    this.before[at] = before;
    this.sequences[at] = sequence;
    this.removed[at] = 0;
    this.ends[at] = end;
    if (time > this.maxTime) this.maxTime = time;
  }

  #start(at: number): number {
    return at === 0 ? 0 : (this.ends[at - 1] ?? 0);
  }
}

/** Newest entries of one name, one for each side of a join. */
interface Newest {
  left: number;
  right: number;
}

/** Which entries a name has, on both sides of a join: who looks at both looks once. */
export class EntryIndex {
  readonly #names = new Map<string, Newest>();
  #lastName: string | null = null;
  #last: Newest | undefined;

  get(name: string): Newest | undefined {
    if (name !== this.#lastName) {
      this.#lastName = name;
      this.#last = this.#names.get(name);
    }
    return this.#last;
  }

  make(name: string): Newest {
    const made = { left: none, right: none };
    this.#names.set(name, made);
    this.#lastName = name;
    this.#last = made;
    return made;
  }

  delete(name: string): void {
    this.#names.delete(name);
    if (name === this.#lastName) this.#last = undefined;
  }
}

/**
 * Entries in the order of their arrival, numbered without end, each chained to the one of the same name before it. An entry is never moved or
 * overwritten: it is taken back while it is the newest, marked as removed, or forgotten together with its whole segment.
 */
export class EntrySegments {
  readonly #index: EntryIndex;
  readonly #side: keyof Newest;
  readonly #otherSide: keyof Newest;
  #segments: Segment[] = [new Segment()];
  /** Number of the first entry of the first segment. */
  #first = 0;
  #end = 0;

  constructor(index: EntryIndex, isLeft: boolean) {
    this.#index = index;
    this.#side = isLeft ? 'left' : 'right';
    this.#otherSide = isLeft ? 'right' : 'left';
  }

  /** Number that the next entry will get. */
  get end(): number {
    return this.#end;
  }

  get size(): number {
    return this.#end - this.#first;
  }

  add(name: string, time: number, sequence: number, value: Uint8Array): void {
    let segment = this.#segments.at(-1);
    if (segment === undefined || segment.count === segmentEntries) {
      segment = new Segment();
      this.#segments.push(segment);
    }
    const newest = this.#index.get(name) ?? this.#index.make(name);
    segment.push(name, time, sequence, newest[this.#side], value);
    newest[this.#side] = this.#end;
    this.#end += 1;
  }

  /** Takes back the newest entry. */
  pop(): void {
    const segment = this.#segments.at(-1);
    const name = segment?.names.at(-1);
    if (segment === undefined || name === undefined) return;
    this.#setNewest(name, segment.before[segment.count - 1] ?? none);
    segment.names.pop();
    this.#end -= 1;
    if (segment.count === 0 && this.#segments.length > 1) this.#segments.pop();
  }

  /** Number of the newest entry of a name, removed ones included; `none` when there is none. */
  newestOf(name: string): number {
    const newest = this.#index.get(name);
    return newest === undefined ? none : newest[this.#side];
  }

  /** Number of the entry of the same name before this one. */
  before(entry: number): number {
    const before = this.#segmentOf(entry).before[entry % segmentEntries] ?? none;
    return before >= this.#first ? before : none;
  }

  name(entry: number): string {
    return this.#segmentOf(entry).names[entry % segmentEntries] ?? '';
  }

  time(entry: number): number {
    return this.#segmentOf(entry).times[entry % segmentEntries] ?? none;
  }

  /** Tells entries of one name and time apart. */
  sequence(entry: number): number {
    return this.#segmentOf(entry).sequences[entry % segmentEntries] ?? 0;
  }

  /** A view; its bytes never change. */
  value(entry: number): Uint8Array {
    return this.#segmentOf(entry).value(entry % segmentEntries);
  }

  isRemoved(entry: number): boolean {
    return this.#segmentOf(entry).removed[entry % segmentEntries] === 1;
  }

  setRemoved(entry: number, removed: boolean): void {
    this.#segmentOf(entry).removed[entry % segmentEntries] = removed ? 1 : 0;
  }

  /** Newest time of all entries, counted anew; -1 when there are none. */
  maxTime(): number {
    let max = -1;
    for (const { times, count } of this.#segments)
      for (let at = 0; at < count; at++) max = Math.max(max, times[at] ?? -1);
    return max;
  }

  /** Forgets the oldest segments, as long as all of their entries are older than this and numbered below `end`. */
  forgetBefore(time: number, end: number): void {
    for (;;) {
      const segment = this.#segments[0];
      const next = this.#first + segmentEntries;
      if (segment === undefined || next > end || segment.maxTime >= time) return;
      this.#first = next;
      this.#segments.shift();
      for (const name of segment.names) if (this.newestOf(name) < next) this.#setNewest(name, none);
    }
  }

  #setNewest(name: string, before: number): void {
    const newest = this.#index.get(name);
    if (newest === undefined) return;
    newest[this.#side] = before >= this.#first ? before : none;
    if (newest[this.#side] === none && newest[this.#otherSide] === none) this.#index.delete(name);
  }

  #segmentOf(entry: number): Segment {
    const segment = this.#segments[((entry - this.#first) / segmentEntries) | 0];
    if (segment === undefined) throw new RangeError(`entry ${entry} has been forgotten`);
    return segment;
  }
}
