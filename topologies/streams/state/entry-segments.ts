import type { ReadPart } from '../serde.ts';
import type { ByteSpan } from './bytes.ts';
import { type EntryIndex, none } from './entry-index.ts';

/** So many entries share their arrays, and are forgotten together. */
const segmentEntries = 4_096;
const firstSlabBytes = 16 << 10;

/** Up to so many bytes are copied faster one by one than by a call, which would need a view of them too. */
const fewBytes = 96;

function copy(bytes: Uint8Array, from: number, to: number, slab: Uint8Array, start: number): void {
  if (to - from > fewBytes) slab.set(bytes.subarray(from, to), start);
  else for (let at = from, into = start; at < to; at++, into++) slab[into] = bytes[at] ?? 0;
}

/** Entries that came one after the other. Their values lie end to end in one slab, so a row costs no object. */
class Segment {
  count = 0;
  readonly slots = new Int32Array(segmentEntries);
  readonly times = new Float64Array(segmentEntries);
  /** Number of the entry of the same name before it. */
  readonly before = new Float64Array(segmentEntries);
  readonly sequences = new Uint32Array(segmentEntries);
  readonly removed = new Uint8Array(segmentEntries);
  /** Of each value in the slab; the first begins at 0. */
  readonly ends = new Uint32Array(segmentEntries);
  #slab = new Uint8Array(firstSlabBytes);
  /** No entry is newer; one that was taken back may have been. */
  maxTime = -1;

  value(at: number): Uint8Array {
    const start = this.#start(at);
    return new Uint8Array(this.#slab.buffer, start, (this.ends[at] ?? start) - start);
  }

  read<V>(at: number, read: ReadPart<V>, topic: string): V {
    const start = this.#start(at);
    return read(topic, this.#slab, start, this.ends[at] ?? start);
  }

  push(slot: number, time: number, sequence: number, before: number, { bytes, from, to }: Readonly<ByteSpan>): void {
    const at = this.count++;
    const start = this.#start(at);
    const end = start + to - from;
    if (end > this.#slab.length) {
      // What was handed out stays in the old slab, which nobody writes to again.
      const grown = new Uint8Array(Math.max(end, this.#slab.length * 2));
      grown.set(this.#slab);
      this.#slab = grown;
    }
    copy(bytes, from, to, this.#slab, start);
    this.slots[at] = slot;
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

/**
 * Entries in the order of their arrival, numbered without end, each chained to the one of the same name before it. An entry is never moved or
 * overwritten: it is taken back while it is the newest, marked as removed, or forgotten together with its whole segment.
 */
export class EntrySegments {
  readonly #index: EntryIndex;
  /** 0: left, 1: right. */
  readonly #side: number;
  #segments: Segment[] = [new Segment()];
  /** Number of the first entry of the first segment. */
  #first = 0;
  #end = 0;

  constructor(index: EntryIndex, isLeft: boolean) {
    this.#index = index;
    this.#side = isLeft ? 0 : 1;
  }

  /** Number that the next entry will get. */
  get end(): number {
    return this.#end;
  }

  get size(): number {
    return this.#end - this.#first;
  }

  /** Copies the value from where it stands. */
  add(name: string, time: number, sequence: number, value: Readonly<ByteSpan>): void {
    let segment = this.#segments.at(-1);
    if (segment === undefined || segment.count === segmentEntries) {
      segment = new Segment();
      this.#segments.push(segment);
    }
    const known = this.#index.slotOf(name);
    const slot = known === none ? this.#index.make(name) : known;
    const { newest } = this.#index;
    const place = slot * 2 + this.#side;
    segment.push(slot, time, sequence, newest[place] ?? none, value);
    newest[place] = this.#end;
    this.#end += 1;
  }

  /** Takes back the newest entry. */
  pop(): void {
    const segment = this.#segments.at(-1);
    if (segment === undefined || segment.count === 0) return;
    segment.count -= 1;
    this.#end -= 1;
    this.#setNewest(segment.slots[segment.count] ?? none, segment.before[segment.count] ?? none);
    if (segment.count === 0 && this.#segments.length > 1) this.#segments.pop();
  }

  /** Number of the newest entry of a name, removed ones included; `none` when there is none. */
  newestOf(name: string): number {
    const slot = this.#index.slotOf(name);
    return slot === none ? none : this.#newestOf(slot);
  }

  /** Number of the entry of the same name before this one. */
  before(entry: number): number {
    const before = this.#segmentOf(entry).before[entry % segmentEntries] ?? none;
    return before >= this.#first ? before : none;
  }

  name(entry: number): string {
    return this.#index.nameOf(this.#segmentOf(entry).slots[entry % segmentEntries] ?? none);
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

  /** What `read` makes of the value, where it stands. */
  read<V>(entry: number, read: ReadPart<V>, topic: string): V {
    return this.#segmentOf(entry).read(entry % segmentEntries, read, topic);
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
      for (const slot of segment.slots) if (this.#newestOf(slot) < next) this.#setNewest(slot, none);
    }
  }

  #newestOf(slot: number): number {
    return this.#index.newest[slot * 2 + this.#side] ?? none;
  }

  #setNewest(slot: number, before: number): void {
    if (this.#newestOf(slot) === none) return;
    const { newest } = this.#index;
    newest[slot * 2 + this.#side] = before >= this.#first ? before : none;
    if (newest[slot * 2] === none && newest[slot * 2 + 1] === none) this.#index.release(slot);
  }

  #segmentOf(entry: number): Segment {
    const segment = this.#segments[((entry - this.#first) / segmentEntries) | 0];
    if (segment === undefined) throw new RangeError(`entry ${entry} has been forgotten`);
    return segment;
  }
}
