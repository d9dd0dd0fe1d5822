import type { CommittedOffset, KafkaPort } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';

/** `repartition.purge.interval.ms` of Kafka Streams. */
const purgeEveryMs = 30_000;

/** Deletes from the repartition topics what is committed as read (KIP-204): they are kept for ever, and nobody else reads them. */
export class RepartitionPurge {
  readonly #kafka: Pick<KafkaPort, 'deleteRecords'>;
  readonly #topics: ReadonlySet<string>;
  readonly #onFailed: (error: unknown) => void;
  readonly #before = new Map<string, CommittedOffset>();
  #next = 0;

  constructor(
    kafka: Pick<KafkaPort, 'deleteRecords'>,
    topics: ReadonlySet<string>,
    onFailed: (error: unknown) => void,
  ) {
    this.#kafka = kafka;
    this.#topics = topics;
    this.#onFailed = onFailed;
  }

  /** Offsets that a transaction has committed: what lies below them no restart will ask for again. */
  committed(offsets: readonly CommittedOffset[], nowMs: number): void {
    if (this.#topics.size === 0) return;
    for (const one of offsets) if (this.#topics.has(one.topic)) this.#before.set(partitionName(one), one);
    if (this.#before.size === 0 || nowMs < this.#next) return;
    this.#next = nowMs + purgeEveryMs;
    const before = [...this.#before.values()];
    this.#before.clear();
    // Nobody waits for it: what is left is deleted with the next.
    this.#kafka.deleteRecords(before).catch(this.#onFailed);
  }
}
