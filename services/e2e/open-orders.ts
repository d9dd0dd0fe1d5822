import { eur } from '@bookstream/schemas/money';
import { topics } from '@bookstream/schemas/topics';
import type { OrdersEvent } from '@bookstream/schemas/types/orders';
import { type Fetcher, type KafkaPort, partitionName } from '@bookstream/streams/kafka/index';

const meta = { eventId: '', commandId: '', correlationId: '', causationId: '', actor: '', occurredAt: 0 };
const base = { meta, orderId: '', userId: '', version: 1 };
const nothing = { lineId: null, bookId: null, requested: null, available: null, missing: null, was: null, now: null };

const schemaIdOf = (event: OrdersEvent): number => {
  const { name, valueSerde } = topics.ordersEvents;
  return Buffer.from(valueSerde.serialize(name, event)).readUInt32BE(1);
};

/**
 * Counts orders between OrderPlaced and their end as they are committed. Orders pass in hundredths of a second, so records are told apart by
 * their schema's id alone; what they say is read later.
 */
export class OpenOrders implements AsyncDisposable {
  readonly #open = new Set<string>();
  #most = 0;
  #fetcher: Fetcher | null = null;
  #waiting: { readonly enough: number; readonly seen: () => void } | null = null;

  static async watch(kafka: KafkaPort, orderIds: ReadonlySet<string>): Promise<OpenOrders> {
    const placed = schemaIdOf({ type: 'OrderPlaced', ...base, lines: [], total: eur(0n), policy: 'ALL_OR_NOTHING' });
    const ends = [
      schemaIdOf({ type: 'OrderConfirmed', ...base, total: eur(0n) }),
      schemaIdOf({ type: 'OrderRejected', ...base, reason: 'FUNDS', ...nothing }),
    ];
    const watch = new OpenOrders();
    const count = (await kafka.partitionCounts([topics.ordersEvents.name])).get(topics.ordersEvents.name) ?? 0;
    const partitions = Array.from({ length: count }, (_, partition) => ({
      topic: topics.ordersEvents.name,
      partition,
    }));
    const at = await kafka.endOffsets(partitions);
    watch.#fetcher = kafka.fetcher({
      isolation: 'read_committed',
      onBatch: ({ records }) => {
        for (const { key, value } of records) {
          if (key === null || value === null || value.length < 5) continue;
          const schemaId = Buffer.from(value.buffer, value.byteOffset, value.length).readUInt32BE(1);
          if (schemaId !== placed && !ends.includes(schemaId)) continue;
          const orderId = Buffer.from(key).toString();
          if (!orderIds.has(orderId)) continue;
          if (schemaId === placed) watch.#open.add(orderId);
          else watch.#open.delete(orderId);
        }
        watch.#look();
      },
      onOutOfRange: () => {},
      onError: () => {},
    });
    for (const partition of partitions) watch.#fetcher.assign(partition, at.get(partitionName(partition)) ?? 0);
    return watch;
  }

  /** Calls `then` at the first sight of `enough` open orders. @throws Error when they are not seen within 60 s */
  until(enough: number, then: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`at most ${this.#most} orders stood open, never ${enough}`)),
        60_000,
      );
      this.#waiting = {
        enough,
        seen: () => {
          clearTimeout(late);
          then();
          resolve();
        },
      };
    });
  }

  #look(): void {
    this.#most = Math.max(this.#most, this.#open.size);
    if (this.#waiting === null || this.#open.size < this.#waiting.enough) return;
    const { seen } = this.#waiting;
    this.#waiting = null;
    seen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fetcher?.close();
  }
}
