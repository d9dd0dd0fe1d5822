import { TaskFailedError } from '../errors.ts';
import type { BaseOffsets, CommittedOffset, GroupMetadata, Transaction } from '../kafka/port.ts';
import { RecordPack, RecordPacks } from '../kafka/record-pack.ts';
import type { ApplicationMetrics } from '../metrics/application-metrics.ts';
import type { ApplicationTracing, CommitSpan } from '../tracing/application-tracing.ts';
import type { StreamTask } from './stream-task.ts';
import type { TaskCommit } from './task.ts';
import { UnreadableInputError } from './unreadable-input.ts';

export interface CommitCycleOptions {
  /** Those that are here now. */
  readonly tasks: () => Iterable<StreamTask>;
  /** Resolves when it is committed. */
  readonly write: (transaction: Transaction) => Promise<BaseOffsets>;
  readonly metrics: ApplicationMetrics;
  readonly tracing?: Pick<ApplicationTracing, 'commit'>;
  /** Every task has had its slice: buffers may have room again. */
  readonly onSlice: () => void;
  readonly onCommitted: (offsets: readonly CommittedOffset[]) => void;
  /** A task stands still in front of a record that cannot be read. Told again while it does, but not often. */
  readonly onUnreadable: (task: StreamTask, error: UnreadableInputError) => void;
  /** The run cannot go on; what is not committed is void, and the next run begins at the committed offsets. */
  readonly onFailed: (error: unknown) => void;
}

const sliceMs = 10;
/** Records of one task for the next transaction while another is under way: beyond it the task waits, or each would be larger than the last. */
const uncommittedHigh = 50_000;
/** Likewise rows of stores on disk, which are objects until they are committed. */
const overlaidHigh = 10_000;
/** Between two words about a task that stands still. */
const tellAgainMs = 10_000;
/** A timer for longer than 2^31 ms fires at once. */
const longestTimerMs = 60_000;

/**
 * Process → commit, over and over: one slice of every task, then a transaction with all that they have done. It begins stopped and runs only
 * between an assignment (`resume`) and the next revocation (`stop`); with `end` it is over.
 */
export class CommitCycle {
  /** Carried by each commit, so that the group can refuse it of a zombie. Null: not assigned yet, nothing is committed. */
  group: GroupMetadata | null = null;
  readonly #options: CommitCycleOptions;
  #active = false;
  #ended = false;
  #paused = false;
  /** Nobody waits for a transaction in flight any more, nor for what it would leave on the disk. */
  #abandoned = false;
  /** A task has failed at a record that its buffer does not hold any more: nothing is processed after it, what came before is committed. */
  #broken = false;
  #committing: Promise<void> | null = null;
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  /** What tasks stand still in front of was told then. */
  readonly #toldAtMs = new WeakMap<UnreadableInputError, number>();

  constructor(options: CommitCycleOptions) {
    this.#options = options;
  }

  resume(): void {
    this.#active = true;
    this.schedule();
  }

  /** Nothing more is processed until `resume`; what is done can still be committed. */
  stop(): void {
    this.#active = false;
    clearTimeout(this.#timer);
  }

  /** Nothing more is processed until `goOn`, whatever the group does meanwhile; what is done is committed. */
  pause(): void {
    this.#paused = true;
    clearTimeout(this.#timer);
    this.#commitPaused();
  }

  #commitPaused(): void {
    const may = this.#active && !this.#ended && !this.#broken && this.group !== null;
    if (may && this.#committing === null) void this.#commit(); // it handles its own errors
  }

  goOn(): void {
    this.#paused = false;
    this.schedule();
  }

  /** As `end`; and what is in flight leaves no trace here: the next process reads it from the changelogs. */
  abandon(): void {
    this.#abandoned = true;
    this.end();
  }

  /** Nothing more is processed or committed; a transaction in flight is not called back. */
  end(): void {
    this.#ended = true;
    this.stop();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** There may be something to do. */
  schedule(): void {
    if (this.#scheduled || !this.#active || this.#ended || this.#paused) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /** One slice of every task, then a commit if none is in flight. Work goes on while a transaction is under way. */
  #pump(): void {
    if (!this.#active || this.#ended || this.#paused || this.#broken) return;
    const { tasks, onSlice, onFailed } = this.#options;
    let more = false;
    try {
      const now = Date.now();
      for (const task of tasks()) {
        // A transaction in flight holds it back; its end comes here again.
        if (this.#committing !== null && (task.uncommitted > uncommittedHigh || task.overlaid > overlaidHigh)) continue;
        if (task.nextPunctuationMs <= now) task.punctuate(now);
        more = this.#process(task) || more;
      }
    } catch (error) {
      this.#broken = true;
      // What the record itself did is taken back already. A punctuator's work is not, so then nothing since the last commit stands.
      if (error instanceof TaskFailedError && error.topic !== null)
        void this.commitAll().then(() => onFailed(error)); // it handles its own errors
      else onFailed(error);
      return;
    }
    onSlice();
    if (this.#committing === null) void this.#commit(); // it handles its own errors
    if (more) this.schedule();
    this.#wakeForPunctuation();
  }

  /** @returns true: there is more to do at once */
  #process(task: StreamTask): boolean {
    try {
      const taken = task.process({ maxMs: sliceMs });
      this.#options.metrics.took(task.subTopology, taken);
      return task.ready();
    } catch (error) {
      if (!(error instanceof UnreadableInputError)) throw error;
      // What it has processed before stands, and other tasks go on.
      const told = this.#toldAtMs.get(error) ?? Number.NEGATIVE_INFINITY;
      if (performance.now() - told >= tellAgainMs) {
        this.#toldAtMs.set(error, performance.now());
        this.#options.onUnreadable(task, error);
      }
      return false;
    }
  }

  #wakeForPunctuation(): void {
    clearTimeout(this.#timer);
    let next = Number.POSITIVE_INFINITY;
    for (const task of this.#options.tasks()) next = Math.min(next, task.nextPunctuationMs);
    if (next !== Number.POSITIVE_INFINITY)
      this.#timer = setTimeout(() => this.schedule(), Math.min(Math.max(1, next - Date.now()), longestTimerMs));
  }

  /** Commits everything that is done until now, also what came while another transaction was in flight. Never rejects: see `onFailed`. */
  async commitAll(): Promise<void> {
    while (this.#committing !== null) await this.#committing;
    await this.#commit();
  }

  /** One at a time: a task hands out its work again only when the last transaction is settled. */
  #commit(): Promise<void> {
    this.#committing ??= this.#commitNow().finally(() => {
      this.#committing = null;
      if (![...this.#options.tasks()].some((task) => task.dirty)) return;
      if (this.#paused) this.#commitPaused();
      else this.schedule();
    });
    return this.#committing;
  }

  async #commitNow(): Promise<void> {
    const { group } = this;
    if (group === null || this.#ended) return;
    const { tasks, metrics, tracing, write, onCommitted, onFailed } = this.#options;
    let asked = false;
    let span: CommitSpan | null = null;
    try {
      const parts: { readonly task: StreamTask; readonly commit: TaskCommit }[] = [];
      for (const task of tasks()) {
        const commit = task.takeCommit();
        metrics.wasLate(task.takeLateness());
        if (commit !== null) parts.push({ task, commit });
      }
      if (parts.length === 0) return;
      const records = new RecordPacks(parts.map(({ commit }) => RecordPack.of(commit.records)));
      const offsets = parts.flatMap(({ commit }) => commit.offsets);
      span = tracing?.commit(records.length) ?? null;
      const since = performance.now();
      asked = true;
      const base = await write({ records, offsets, group });
      asked = false;
      span?.end();
      span = null;
      if (this.#abandoned) return;
      metrics.committed(records.packs, performance.now() - since, Date.now());
      for (const { task } of parts) task.committed(base);
      onCommitted(offsets);
    } catch (error) {
      if (asked) metrics.aborted(error);
      span?.end(error);
      onFailed(error);
    }
  }
}
