import { EngineRuleError } from '../errors.ts';
import type { BaseOffsets, FetchedRecords } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { StoreBuilder, TaskStoreBuilder } from '../plan/node.ts';
import { changelogTopicOf } from '../plan/topology.ts';
import type { JoinWindowStore } from '../state/join-window-store.ts';
import type { LeftOut } from '../state/left-out.ts';
import { Overlay } from '../state/overlay.ts';
import type {
  DirtyRow,
  KeptRow,
  RereadSpec,
  RowChange,
  RowWrite,
  SelfKept,
  StateStore,
  TaskStorage,
} from '../state/state-store.ts';
import { UndoLog } from '../state/undo-log.ts';
import type { InputPosition } from './input-positions.ts';
import type { LastRead } from './last-read.ts';
import type { Reread } from './reread.ts';
import type { ChangelogPosition } from './task.ts';

export interface TaskStoresOptions {
  readonly applicationId: string;
  readonly taskId: string;
  readonly partition: number;
  readonly builders: readonly TaskStoreBuilder[];
  readonly storage: TaskStorage;
  /** Time of the record or punctuation under way. */
  readonly recordTime: () => number;
  readonly lastRead: LastRead;
  readonly changes?: ChangeListener;
}

/** Told of what has been committed; only of stores that somebody looks at. */
export interface ChangeListener {
  wants(store: string): boolean;
  /** @param position next offset of the changelog behind them; null: there is none */
  committed(store: string, partition: number, changes: readonly RowChange[], position: number | null): void;
  /** A task begins here: what was committed before, here or elsewhere, was not told. */
  begins(store: string, partition: number): void;
}

/** Rows under an overlay, with a typed store over them that is opened anew with each start. */
interface OverlaidStore {
  readonly builder: StoreBuilder;
  readonly rows: Overlay;
  readonly changelog: string | null;
  store: StateStore;
  /** Entries of the transaction in flight. */
  inFlight: number;
}

interface SelfKeptStore {
  readonly rows: SelfKept;
  readonly changelog: string | null;
  readonly store: SelfKept;
  inFlight: number;
  /** Next offset of its changelog; never on disk, since its rows are not. */
  position: number;
}

type OpenStore = OverlaidStore | SelfKeptStore;

const isSelfKept = (open: OpenStore): open is SelfKeptStore => 'position' in open;

const positionOf = (store: string): string => `changelog:${store}`;

/** Next offset wanted of a store's changelog; 0 where nothing is known. */
export const changelogPosition = (storage: TaskStorage, store: string): number =>
  Number(storage.metadata(positionOf(store)) ?? 0);

/**
 * The stores of one task. Writes stay uncommitted until the transaction with their changelog entries is committed; then rows and changelog
 * positions go into the storage in one write, so that it is never ahead.
 */
export class TaskStores {
  readonly #options: TaskStoresOptions;
  readonly #stores = new Map<string, OpenStore>();
  readonly #undo = new UndoLog();
  readonly #shared = new Map<string, unknown>();
  readonly #rereads: readonly (RereadSpec & { readonly store: string })[];

  constructor(options: TaskStoresOptions) {
    this.#options = options;
    this.#rereads = options.builders.flatMap(({ spec }) =>
      spec.rereads ? [{ ...spec.rereads, store: spec.name }] : [],
    );
    for (const builder of options.builders) this.#stores.set(builder.spec.name, this.#opened(builder));
  }

  #opened(builder: TaskStoreBuilder): OpenStore {
    const { applicationId, storage, lastRead } = this.#options;
    const { name, logged, keySuffixBytes } = builder.spec;
    const topic = changelogTopicOf(applicationId, name);
    const changelog = logged ? topic : null;
    if ('openSelfKept' in builder) {
      const shared = <T>(of: string, make: () => T): T => {
        if (!this.#shared.has(of)) this.#shared.set(of, make());
        return this.#shared.get(of) as T; // those who share a name make the same
      };
      const store = builder.openSelfKept({ topic, undo: this.#undo, lastRead, shared });
      return { rows: store, changelog, store, inFlight: 0, position: 0 };
    }
    const rows = new Overlay(storage.store(builder.spec), this.#undo, keySuffixBytes);
    return { builder, rows, changelog, store: this.#typed(builder, rows), inFlight: 0 };
  }

  #typed(builder: StoreBuilder, overlay: Overlay): StateStore {
    const { applicationId, recordTime, lastRead } = this.#options;
    const topic = changelogTopicOf(applicationId, builder.spec.name);
    return builder.open({ overlay, topic, now: recordTime, lastRead });
  }

  /** Opens each store anew, over the same rows: nothing that it remembers beside them stays. */
  reopen(): void {
    for (const open of this.#stores.values()) if (!isSelfKept(open)) open.store = this.#typed(open.builder, open.rows);
  }

  get(name: string): StateStore | undefined {
    return this.#stores.get(name)?.store;
  }

  // ---- restore (see `Task`)

  get changelogs(): readonly ChangelogPosition[] {
    const { storage, partition } = this.#options;
    return [...this.#stores].flatMap(([store, open]) => {
      if (open.changelog === null) return [];
      const position = isSelfKept(open) ? open.position : changelogPosition(storage, store);
      return [{ store, topic: open.changelog, partition, position }];
    });
  }

  restore(store: string, records: FetchedRecords, nextOffset: number): void {
    const open = this.#stores.get(store);
    if (open !== undefined && isSelfKept(open)) {
      const kept: KeptRow[] = [];
      for (const { key, value } of records) if (key !== null) kept.push({ key, value });
      open.store.restore(kept);
      open.position = nextOffset;
      return;
    }
    const rows: RowWrite[] = [];
    for (const { key, value } of records) if (key !== null) rows.push([key, value]);
    this.#options.storage.write({
      rows: new Map([[store, rows]]),
      metadata: new Map([[positionOf(store), String(nextOffset)]]),
    });
  }

  wipe(store: string): void {
    const { storage } = this.#options;
    const open = this.#stores.get(store);
    if (open !== undefined && isSelfKept(open)) {
      open.store.clear();
      open.position = 0;
      return;
    }
    storage.clear(store);
    storage.write({ rows: new Map(), metadata: new Map([[positionOf(store), null]]) });
  }

  // ---- what is read again from an input

  /**
   * Call it when all changelogs are restored: what is left out is looked up here.
   * @param inputOf how far a source's topic is committed
   */
  rereads(inputOf: (source: string) => InputPosition | undefined): readonly Reread[] {
    return this.#rereads.flatMap((spec): Reread[] => {
      const open = this.#stores.get(spec.store);
      const input = inputOf(spec.source);
      if (open === undefined || !isSelfKept(open) || input === undefined || input.offset === 0) return [];
      const leftOut = this.#leftOut(spec);
      const offsetsLeftOut = leftOut.offsets(spec.isLeft);
      const end = input.offset;
      const take = (records: FetchedRecords): void => {
        for (const { key, value, timestamp, offset } of records) {
          if (offset >= end) break;
          if (key !== null && value !== null && !offsetsLeftOut.has(offset))
            open.store.reread?.({ key, value, timestamp });
        }
      };
      const sinceMs = leftOut.timeKept(spec.isLeft, input.time) - spec.reachMs;
      return [{ ...input.partition, store: spec.store, sinceMs, end, take }];
    });
  }

  /**
   * The record counts as not there for the stores that are read again from this source.
   * @param movedTime it may have been the newest of its input
   */
  leaveOut(source: string, offset: number, timestamp: number, movedTime: boolean): void {
    for (const spec of this.#rereads) {
      if (spec.source !== source) continue;
      const { newest } = this.get(spec.store) as JoinWindowStore<unknown, unknown>; // only join windows are read again
      this.#leftOut(spec).add(spec.isLeft, offset, timestamp, newest - spec.reachMs);
      if (movedTime) this.#leftOut(spec).addTime(spec.isLeft, timestamp, newest);
    }
  }

  /** A record that was left out is processed after all. */
  takeIn(source: string, offset: number, timestamp: number): void {
    for (const spec of this.#rereads)
      if (spec.source === source) this.#leftOut(spec).remove(spec.isLeft, offset, timestamp);
  }

  #leftOut({ leftOut }: RereadSpec): LeftOut {
    return this.get(leftOut) as LeftOut; // made beside the stores that name it
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
    for (const { rows } of this.#stores.values()) if (rows.dirtyCount > 0) return true;
    return false;
  }

  /** Rows that the next `takeDirty` would take. */
  get dirtyCount(): number {
    let count = 0;
    for (const { rows } of this.#stores.values()) count += rows.dirtyCount;
    return count;
  }

  /** Those that are held as objects until they are committed. */
  get overlaidCount(): number {
    let count = 0;
    for (const open of this.#stores.values()) if (!isSelfKept(open)) count += open.rows.dirtyCount;
    return count;
  }

  /** Gives out the changelog entries of all writes since the last take. Only one take may be open. */
  takeDirty(give: (changelog: string, row: DirtyRow) => void): void {
    for (const open of this.#stores.values()) {
      open.inFlight = 0;
      for (const row of open.rows.takeDirty()) {
        if (open.changelog === null) continue;
        give(open.changelog, row);
        open.inFlight += 1;
      }
    }
  }

  /** The transaction with what `takeDirty` gave is committed. @throws EngineRuleError – `baseOffsets` lacks a changelog that it wrote */
  committed(baseOffsets: BaseOffsets): void {
    const { storage, changes, partition } = this.#options;
    const told: { readonly name: string; readonly rows: readonly RowChange[]; readonly position: number | null }[] = [];
    const rows = new Map<string, Iterable<RowWrite>>();
    const metadata = new Map<string, string>();
    for (const [name, open] of this.#stores) {
      const position = open.inFlight === 0 ? null : this.#baseOf(open, baseOffsets) + open.inFlight;
      if (isSelfKept(open)) {
        open.store.committed();
        if (position !== null) open.position = position;
        continue;
      }
      if (changes?.wants(name)) told.push({ name, rows: [...open.rows.frozenChanges()], position });
      rows.set(name, open.rows.frozenRows());
      if (position !== null) metadata.set(positionOf(name), String(position));
    }
    storage.write({ rows, metadata });
    for (const open of this.#stores.values()) if (!isSelfKept(open)) open.rows.thaw();
    for (const { name, rows: changed, position } of told)
      if (changed.length > 0) changes?.committed(name, partition, changed, position);
  }

  #baseOf({ changelog }: OpenStore, baseOffsets: BaseOffsets): number {
    const { taskId, partition } = this.#options;
    const base = baseOffsets.get(partitionName({ topic: changelog ?? '', partition }));
    if (base === undefined) throw new EngineRuleError(`the commit of task ${taskId} lost its place in ${changelog}`);
    return base;
  }

  /** Forgets every write that is not committed. */
  drop(): void {
    this.#undo.mark();
    for (const { rows } of this.#stores.values()) rows.drop();
  }
}
