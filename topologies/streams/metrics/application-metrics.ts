import { StreamsError } from '../errors.ts';
import type { RecordPack } from '../kafka/record-pack.ts';
import type { DropReason } from '../plan/node.ts';
import type { RestoreStep } from '../runtime/restore.ts';
import { Histogram } from './histogram.ts';

/**
 * Why an instance was given tasks anew. `first-join`: its run has just begun; `group-moved`: members came or went; `missed-generation`: the group
 * had moved on without it; `new-member`: it had been put out, and has joined again.
 */
export type RebalanceReason = 'first-join' | 'group-moved' | 'missed-generation' | 'new-member';

/** What one application has done on this instance since the worker was made. Numbers are added once a slice or a commit, not once a record. */
export class ApplicationMetrics {
  /** By sub-topology. */
  readonly recordsIn = new Map<number, number>();
  /** By topic; changelogs and dead letters are topics too. Only what is committed. */
  readonly recordsOut = new Map<string, number>();
  /** By `node reason`. */
  readonly dropped = new Map<string, { readonly node: string; readonly reason: DropReason; count: number }>();
  /** How far behind stream time records were that came out of order. */
  readonly lateness = { count: 0, sumMs: 0, maxMs: 0 };
  /** From the record time of what was sent (not: to changelogs) to the answer of its commit. */
  readonly endToEnd = new Histogram();
  readonly commits = new Histogram();
  /** By the code of the error, or its class. */
  readonly aborts = new Map<string, number>();
  readonly rebalances = new Map<RebalanceReason, number>();
  /** Offsets that are still to be read, by what is being restored. */
  readonly #restoring = new Map<string, number>();
  readonly #changelogs: ReadonlySet<string>;

  constructor(changelogs: Iterable<string> = []) {
    this.#changelogs = new Set(changelogs);
  }

  took(subTopology: number, records: number): void {
    if (records > 0) add(this.recordsIn, subTopology, records);
  }

  wasDropped(node: string, reason: DropReason): void {
    const name = `${node} ${reason}`;
    const there = this.dropped.get(name);
    if (there === undefined) this.dropped.set(name, { node, reason, count: 1 });
    else there.count += 1;
  }

  wasLate({ count, sumMs, maxMs }: { readonly count: number; readonly sumMs: number; readonly maxMs: number }): void {
    this.lateness.count += count;
    this.lateness.sumMs += sumMs;
    this.lateness.maxMs = Math.max(this.lateness.maxMs, maxMs);
  }

  /** @param nowMs epoch ms of the answer */
  committed(packs: readonly RecordPack[], tookMs: number, nowMs: number): void {
    this.commits.add(tookMs);
    for (const { topic, count, timestamps } of packs.flatMap(({ lists }) => lists)) {
      if (count === 0) continue;
      add(this.recordsOut, topic, count);
      if (this.#changelogs.has(topic)) continue;
      for (let at = 0; at < count; at += 1) this.endToEnd.add(nowMs - (timestamps[at] ?? nowMs));
    }
  }

  aborted(error: unknown): void {
    const reason = error instanceof StreamsError ? error.code : error instanceof Error ? error.name : 'unknown';
    add(this.aborts, reason, 1);
  }

  restoring({ taskId, store, partition, position, end }: RestoreStep): void {
    this.#restoring.set(`${taskId} ${store} ${partition}`, Math.max(0, end - position));
  }

  /** Done, or given up. */
  restoreEnded(): void {
    this.#restoring.clear();
  }

  /** Offsets of changelogs, and of inputs that are read again, that are still to be read before new tasks run. */
  get restoreLeft(): number {
    return this.#restoring.values().reduce((sum, left) => sum + left, 0);
  }

  rebalanced(reason: RebalanceReason): void {
    add(this.rebalances, reason, 1);
  }
}

const add = <K>(counts: Map<K, number>, name: K, more: number): void => {
  counts.set(name, (counts.get(name) ?? 0) + more);
};
