import type { Fetcher, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';

export type HoldReason = 'full' | 'schema' | 'paused';

/** Why a partition is not fetched. It goes on when the last reason is gone: two that pause must not resume each other's partitions. */
export class Holds {
  readonly #fetcher: () => Pick<Fetcher, 'pause' | 'resume'>;
  readonly #held = new Map<string, { readonly partition: TopicPartition; readonly reasons: Set<HoldReason> }>();

  constructor(fetcher: () => Pick<Fetcher, 'pause' | 'resume'>) {
    this.#fetcher = fetcher;
  }

  hold(partition: TopicPartition, reason: HoldReason): void {
    const name = partitionName(partition);
    const held = this.#held.get(name);
    if (held !== undefined) held.reasons.add(reason);
    else {
      this.#held.set(name, { partition, reasons: new Set([reason]) });
      this.#fetcher().pause(partition);
    }
  }

  release(partition: TopicPartition, reason: HoldReason): void {
    const name = partitionName(partition);
    const held = this.#held.get(name);
    if (held === undefined || !held.reasons.delete(reason) || held.reasons.size > 0) return;
    this.#held.delete(name);
    this.#fetcher().resume(partition);
  }

  /** Its reading was begun anew, which is never paused; the reasons still stand. */
  renew(partition: TopicPartition): void {
    if (this.#held.has(partitionName(partition))) this.#fetcher().pause(partition);
  }

  /** The partition goes to somebody else. */
  forget(partition: TopicPartition): void {
    this.#held.delete(partitionName(partition));
  }

  heldFor(reason: HoldReason): readonly TopicPartition[] {
    return [...this.#held.values()].flatMap(({ partition, reasons }) => (reasons.has(reason) ? [partition] : []));
  }
}
