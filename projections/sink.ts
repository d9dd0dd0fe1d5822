import type { KeysByTable, RowsByTable } from './batch.ts';
import type { Projection, Table } from './projection.ts';

export type BuildState = 'BUILDING' | 'LIVE' | 'KEPT' | 'DROPPED';

export interface Build {
  readonly projection: string;
  readonly build: number;
  readonly state: BuildState;
  readonly definition: string;
  /** Epoch ms. */
  readonly createdAt: number;
}

/** What the rows of one partition should be, by table: told when they were loaded, checked when they are read back. */
export type Loaded = Readonly<Record<string, { readonly rows: number; readonly hash: string }>>;

export interface Checkpoint {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the next record to fold. */
  readonly nextOffset: number;
}

/** The right to write what one partition feeds of one build, until somebody claims it anew. */
export interface Claim extends Checkpoint {
  readonly projection: string;
  readonly build: number;
  readonly epoch: number;
  /** Only as long as this build is the live one: the rebuild writes to builds that are not. */
  readonly whileLive: boolean;
}

/** One batch of one partition. */
export interface Work {
  readonly from: number;
  readonly next: number;
  readonly keys: KeysByTable;
  /** Called with the rows of `keys` that there are, at most once; those of append-only tables may be left out. */
  readonly fold: (held: RowsByTable) => Promise<RowsByTable>;
}

/** Folds on until the build stands at `targets`, or with 'end' at the end that the topics have when it is called. */
export type CatchUp = (targets: readonly Checkpoint[] | 'end') => Promise<void>;

/** Where a projection's rows live: builds beside each other, one of them what readers see. */
export interface Sink {
  /** Lays out what the sink itself needs, and build 1 of a projection that has none. Repeats safely. @returns the live build */
  prepare(projection: Projection): Promise<Build>;
  /** Of all projections, by name and number. */
  builds(projection?: string): Promise<readonly Build[]>;
  checkpoints(projection: string, build: number): Promise<readonly Checkpoint[]>;
  /** Of the partitions that were loaded and not yet verified. */
  loaded(projection: string, build: number): Promise<readonly (Checkpoint & { readonly loaded: Loaded })[]>;
  live(projection: string): Promise<number | null>;

  /** Fences whoever had the partition. It begins at offset 0 where nothing was folded yet. */
  claim(projection: string, build: number, topic: string, partition: number, whileLive: boolean): Promise<Claim>;
  /**
   * Rows and position become visible together (Postgres), or a repeat of the same work finds what is there and leaves it (Mongo).
   * @throws FencedError, BuildSwitchedError – nothing counts; other errors: try again
   */
  apply(claim: Claim, work: Work): Promise<void>;
  /** The database will never have these rows, however often they are sent. */
  isRefusal(error: unknown): boolean;

  /** Held by one rebuild of a projection at a time, and let go when its process dies. @throws RebuildError – another one runs */
  lockRebuild(projection: string): Promise<AsyncDisposable>;
  /** A build beside the live one, without indexes: empty, or what an interrupted attempt of the same definition has loaded. */
  begin(projection: Projection): Promise<Build>;
  /**
   * Adds the rows of one partition and, when they have all come, its checkpoint. What an interrupted attempt left of the partition is gone.
   * @param end called behind the last chunk
   */
  load(projection: Projection, build: number, chunks: AsyncIterable<LoadedChunk>, end: () => LoadedEnd): Promise<void>;
  /** What was loaded is what should be. */
  verified(projection: string, build: number): Promise<void>;
  index(projection: Projection, build: number): Promise<void>;
  /** Every row of a table in key order (by code unit), in chunks. */
  rows(table: Table, build: number): AsyncIterable<readonly object[]>;
  /**
   * Makes `build` the one that readers see. Meanwhile no row of the live build moves; `catchUp` brings the new one as far as that.
   * The former live build is kept, older ones are dropped.
   */
  switchTo(projection: Projection, build: number, catchUp: CatchUp): Promise<void>;
  /** Says that a build is not wanted; whoever makes it notices and drops it. */
  condemn(projection: string, build: number): Promise<void>;
  /** @throws RebuildError – it is the live one */
  drop(projection: Projection, build: number): Promise<void>;
  close(): Promise<void>;
}

/** Where the loading of a partition ended, and what came of it. */
export interface LoadedEnd {
  readonly checkpoint: Checkpoint;
  readonly loaded: Loaded;
}

/** Rows of one table on their way into a build, with the offset of the last record folded into each. */
export interface LoadedChunk {
  readonly topic: string;
  readonly partition: number;
  readonly table: Table;
  readonly rows: readonly { readonly row: object; readonly pos: number }[];
}
