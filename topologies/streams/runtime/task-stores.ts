import { EngineRuleError } from '../errors.ts';
import type { BaseOffsets, ConsumedRecord, Header, ProducedRecord } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { StoreBuilder } from '../plan/node.ts';
import { changelogTopicOf } from '../plan/topology.ts';
import { Overlay, UndoLog } from '../state/overlay.ts';
import type { RowWrite, StateStore, TaskStorage } from '../state/state-store.ts';
import type { ChangelogPosition } from './task.ts';

export interface TaskStoresOptions {
  readonly applicationId: string;
  readonly taskId: string;
  readonly partition: number;
  readonly builders: readonly StoreBuilder[];
  readonly storage: TaskStorage;
  /** Time of the record or punctuation under way. */
  readonly recordTime: () => number;
}

interface OpenStore {
  readonly builder: StoreBuilder;
  readonly overlay: Overlay;
  readonly changelog: string | null;
  store: StateStore;
  /** Entries of the transaction in flight. */
  inFlight: number;
}

const noHeaders: readonly Header[] = [];
const positionOf = (store: string): string => `changelog:${store}`;

/**
 * The stores of one task. Writes stay in overlays until the transaction with their changelog entries is committed; then rows and changelog
 * positions go into the storage in one write, so that it is never ahead.
 */
export class TaskStores {
  readonly #options: TaskStoresOptions;
  readonly #stores = new Map<string, OpenStore>();
  readonly #undo = new UndoLog();

  constructor(options: TaskStoresOptions) {
    this.#options = options;
    for (const builder of options.builders) {
      const { name, logged, keySuffixBytes } = builder.spec;
      const overlay = new Overlay(options.storage.store(builder.spec), this.#undo, keySuffixBytes);
      const changelog = logged ? changelogTopicOf(options.applicationId, name) : null;
      this.#stores.set(name, { builder, overlay, changelog, store: this.#open(builder, overlay), inFlight: 0 });
    }
  }

  #open(builder: StoreBuilder, overlay: Overlay): StateStore {
    const { applicationId, recordTime } = this.#options;
    return builder.open({ overlay, topic: changelogTopicOf(applicationId, builder.spec.name), now: recordTime });
  }

  /** Opens each store anew, over the same rows: nothing that it remembers beside them stays. */
  reopen(): void {
    for (const open of this.#stores.values()) open.store = this.#open(open.builder, open.overlay);
  }

  get(name: string): StateStore | undefined {
    return this.#stores.get(name)?.store;
  }

  has(name: string): boolean {
    return this.#stores.has(name);
  }

  // ---- restore (see `Task`)

  get changelogs(): readonly ChangelogPosition[] {
    const { storage, partition } = this.#options;
    return [...this.#stores].flatMap(([store, { changelog }]) =>
      changelog === null
        ? []
        : [{ store, topic: changelog, partition, position: Number(storage.metadata(positionOf(store)) ?? 0) }],
    );
  }

  restore(store: string, records: readonly ConsumedRecord[], nextOffset: number): void {
    const rows = records.flatMap((record): RowWrite[] => (record.key === null ? [] : [[record.key, record.value]]));
    this.#options.storage.write({
      rows: new Map([[store, rows]]),
      metadata: new Map([[positionOf(store), String(nextOffset)]]),
    });
  }

  wipe(store: string): void {
    const { storage } = this.#options;
    storage.clear(store);
    storage.write({ rows: new Map(), metadata: new Map([[positionOf(store), null]]) });
  }

  // ---- one record

  /** From here on `rollBack` takes back. */
  mark(): void {
    this.#undo.mark();
  }

  rollBack(): void {
    this.#undo.rollBack();
  }

  // ---- commit

  get dirty(): boolean {
    for (const { overlay } of this.#stores.values()) if (overlay.dirty) return true;
    return false;
  }

  /** Rows that the next `takeDirty` would take. */
  get dirtyCount(): number {
    let count = 0;
    for (const { overlay } of this.#stores.values()) count += overlay.dirtyCount;
    return count;
  }

  /** Adds the changelog entries of all writes since the last take to `records`. Only one take may be open. */
  takeDirty(records: ProducedRecord[]): void {
    const { partition } = this.#options;
    for (const open of this.#stores.values()) {
      open.inFlight = 0;
      for (const { key, value, timestamp } of open.overlay.takeDirty()) {
        if (open.changelog === null) continue;
        records.push({ topic: open.changelog, partition, timestamp, key, value, headers: noHeaders });
        open.inFlight += 1;
      }
    }
  }

  /** The transaction with what `takeDirty` gave is committed. @throws EngineRuleError – `baseOffsets` lacks a changelog that it wrote */
  committed(baseOffsets: BaseOffsets): void {
    const { storage, taskId, partition } = this.#options;
    const rows = new Map<string, Iterable<RowWrite>>();
    const metadata = new Map<string, string>();
    for (const [name, { overlay, changelog, inFlight }] of this.#stores) {
      rows.set(name, overlay.frozenRows());
      if (changelog === null || inFlight === 0) continue;
      const base = baseOffsets.get(partitionName({ topic: changelog, partition }));
      if (base === undefined) throw new EngineRuleError(`the commit of task ${taskId} lost its place in ${changelog}`);
      metadata.set(positionOf(name), String(base + inFlight));
    }
    storage.write({ rows, metadata });
    for (const { overlay } of this.#stores.values()) overlay.thaw();
  }

  /** Forgets every write that is not committed. */
  drop(): void {
    this.#undo.mark();
    for (const { overlay } of this.#stores.values()) overlay.drop();
  }
}
