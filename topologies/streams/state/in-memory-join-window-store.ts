import type { SelfKeptStoreBuilder } from '../plan/node.ts';
import { partReaderOf, type ReadPart } from '../serde.ts';
import { type ByteSpan, byteString, bytesOfLength, readUint32, writeUint32 } from './bytes.ts';
import { EntryIndex, none } from './entry-index.ts';
import { EntrySegments } from './entry-segments.ts';
import { type JoinWindowStore, type JoinWindowStoreOptions, suffixBytes } from './join-window-store.ts';
import { readTime, writeTime } from './key-value-store.ts';
import type { DirtyRow, KeptRow, SelfKept, SelfKeptHost, ValueAndTimestamp } from './state-store.ts';

/**
 * Join windows in memory: what dies within a window does not belong on a disk. After a start they are read again from the input, or from a
 * changelog, which the broker shortens by time, so nothing is deleted in it when it is forgotten here.
 */
export const inMemoryJoinWindowStore = <K, V>(options: JoinWindowStoreOptions<K, V>): SelfKeptStoreBuilder => ({
  spec: {
    name: options.name,
    kind: 'window',
    persistent: false,
    logged: options.rereads === undefined,
    retentionMs: options.retentionMs,
    ...(options.rereads && { rereads: options.rereads }),
    changelogConfig: {},
  },
  openSelfKept: (host) => new InMemoryJoinWindowStore(options, host),
});

const wholeOf = (bytes: Uint8Array): ByteSpan => ({ bytes, from: 0, to: bytes.length });

class InMemoryJoinWindowStore<K, V> implements JoinWindowStore<K, V>, SelfKept {
  readonly name: string;
  readonly #options: JoinWindowStoreOptions<K, V>;
  readonly #host: SelfKeptHost;
  readonly #entries: EntrySegments;
  readonly #readPart: ReadPart<V> | undefined;
  /** Newest time of all entries; null after some were taken back. */
  #newest: number | null = -1;
  /** Entries below are committed. */
  #committed = 0;
  /** Entries below are in the transaction under way, or in an earlier one. */
  #taken = 0;
  /** Newest time among those. */
  #takenNewest = -1;
  /** Removed since the last commit, and how many of them are in the transaction under way. */
  #removed: number[] = [];
  #removedTaken = 0;
  readonly #takeBackPut = { restore: (): void => this.#pop() };
  readonly #takeBackRemoval = { restore: (): void => this.#putBack(this.#removed.pop()) };

  constructor(options: JoinWindowStoreOptions<K, V>, host: SelfKeptHost) {
    this.name = options.name;
    this.#options = options;
    this.#host = host;
    this.#readPart = partReaderOf(options.valueSerde);
    this.#entries = new EntrySegments(
      host.shared(options.join, () => new EntryIndex()),
      options.isLeft,
    );
  }

  get newest(): number {
    return this.#newestTime();
  }

  put(key: K, value: V, timestamp: number): void {
    const newest = this.#newestTime();
    if (timestamp < newest - this.#options.retentionMs) return;
    const name = this.#nameOf(key);
    const { valueSerde, isFromSource } = this.#options;
    const span = this.#host.lastRead.valueSpan(valueSerde, this.#host.topic, value, isFromSource);
    this.#entries.add(name, timestamp, this.#sequenceOf(name, timestamp), span);
    if (timestamp > newest) this.#newest = timestamp;
    this.#host.undo.push(this.#takeBackPut, '', undefined);
  }

  fetch(key: K, from: number, to: number): readonly ValueAndTimestamp<V>[] {
    const first = Math.max(from, this.#newestTime() - this.#options.retentionMs, 0);
    const entries = this.#entries;
    const found: ValueAndTimestamp<V>[] = [];
    let isOrdered = true;
    let last = Number.POSITIVE_INFINITY;
    for (let at = entries.newestOf(this.#nameOf(key)); at !== none; at = entries.before(at)) {
      const timestamp = entries.time(at);
      if (timestamp < first || timestamp > to || entries.isRemoved(at)) continue;
      if (timestamp > last) isOrdered = false;
      last = timestamp;
      found.push({ value: this.#read(at), timestamp });
    }
    if (found.length > 1) found.reverse();
    return isOrdered ? found : found.sort((one, other) => one.timestamp - other.timestamp);
  }

  remove(key: K, timestamp: number): void {
    for (let at = this.#entries.newestOf(this.#nameOf(key)); at !== none; at = this.#entries.before(at)) {
      if (this.#entries.time(at) !== timestamp || this.#entries.isRemoved(at)) continue;
      this.#entries.setRemoved(at, true);
      this.#removed.push(at);
      this.#host.undo.push(this.#takeBackRemoval, '', undefined);
    }
  }

  // ---- commit

  get dirtyCount(): number {
    if (this.#options.rereads !== undefined) return 0; // nothing of it goes into a transaction
    return this.#entries.end - this.#taken + this.#removed.length - this.#removedTaken;
  }

  *takeDirty(): Generator<DirtyRow> {
    const [from, fromRemoved] = [this.#taken, this.#removedTaken];
    this.#taken = this.#entries.end;
    this.#takenNewest = this.#newestTime();
    this.#removedTaken = this.#removed.length;
    if (this.#options.rereads !== undefined) return;
    for (let at = from; at < this.#taken; at++) yield this.#row(at, this.#entries.value(at));
    for (const at of this.#removed.slice(fromRemoved, this.#removedTaken)) yield this.#row(at, null);
  }

  committed(): void {
    this.#committed = this.#taken;
    this.#removed.splice(0, this.#removedTaken);
    this.#removedTaken = 0;
    this.#entries.forgetBefore(this.#takenNewest - this.#options.retentionMs, this.#committed);
  }

  drop(): void {
    while (this.#entries.end > this.#committed) this.#pop();
    for (const at of this.#removed) if (at < this.#committed) this.#putBack(at);
    this.#removed = [];
    this.#removedTaken = 0;
    this.#taken = this.#committed;
  }

  // ---- restore

  restore(rows: readonly KeptRow[]): void {
    const entries = this.#entries;
    for (const { key, value } of rows) {
      const timestamp = readTime(key, key.length - suffixBytes);
      const sequence = readUint32(key, key.length - 4);
      const name = byteString(key, 0, key.length - suffixBytes);
      for (let at = entries.newestOf(name); at !== none; at = entries.before(at))
        if (entries.time(at) === timestamp && entries.sequence(at) === sequence) entries.setRemoved(at, true);
      const newest = this.#newestTime();
      if (value === null || timestamp < newest - this.#options.retentionMs) continue;
      entries.add(name, timestamp, sequence, wholeOf(value));
      if (timestamp > newest) this.#newest = timestamp;
    }
    this.#committed = entries.end;
    this.#taken = entries.end;
    entries.forgetBefore(this.#newestTime() - this.#options.retentionMs, entries.end);
  }

  reread({ key, value, timestamp }: KeptRow & { readonly timestamp: number }): void {
    if (value === null) return;
    const newest = this.#newestTime();
    if (timestamp < newest - this.#options.retentionMs) return;
    const { keySerde } = this.#options;
    const name = this.#host.lastRead.keyName(keySerde, this.#host.topic, keySerde.deserialize(this.#host.topic, key));
    this.#entries.add(name, timestamp, 0, wholeOf(value));
    if (timestamp > newest) this.#newest = timestamp;
    this.#committed = this.#entries.end;
    this.#taken = this.#entries.end;
    this.#takenNewest = this.#newestTime();
  }

  clear(): void {
    while (this.#entries.size > 0) this.#entries.pop();
    this.#newest = -1;
    this.#committed = this.#entries.end;
    this.#taken = this.#entries.end;
    this.#removed = [];
    this.#removedTaken = 0;
  }

  // ---- entries

  #nameOf(key: K): string {
    return this.#host.lastRead.keyName(this.#options.keySerde, this.#host.topic, key);
  }

  /** Above that of every entry of this name and time. */
  #sequenceOf(name: string, timestamp: number): number {
    let sequence = 0;
    if (this.#options.rereads !== undefined) return sequence; // only the changelog must tell them apart
    for (let at = this.#entries.newestOf(name); at !== none; at = this.#entries.before(at))
      if (this.#entries.time(at) === timestamp) sequence = Math.max(sequence, this.#entries.sequence(at) + 1);
    return sequence;
  }

  #read(entry: number): V {
    const { topic } = this.#host;
    if (this.#readPart !== undefined) return this.#entries.read(entry, this.#readPart, topic);
    return this.#options.valueSerde.deserialize(topic, this.#entries.value(entry));
  }

  #newestTime(): number {
    this.#newest ??= this.#entries.maxTime();
    return this.#newest;
  }

  #pop(): void {
    this.#entries.pop();
    this.#newest = null;
  }

  #putBack(entry: number | undefined): void {
    if (entry !== undefined && entry < this.#entries.end) this.#entries.setRemoved(entry, false);
  }

  #row(entry: number, value: Uint8Array | null): DirtyRow {
    const name = this.#entries.name(entry);
    const timestamp = this.#entries.time(entry);
    const key = bytesOfLength(name.length + suffixBytes);
    for (let at = 0; at < name.length; at++) key[at] = name.charCodeAt(at);
    writeTime(key, name.length, timestamp);
    writeUint32(key, name.length + 8, this.#entries.sequence(entry));
    return { key, name: '', value, timestamp };
  }
}
