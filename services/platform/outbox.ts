import {
  connectKafka,
  type KafkaPort,
  type ProducedRecord,
  partitionForKey,
  type TransactionalProducer,
} from '@bookstream/streams/kafka/index';
import type { Pool, PoolClient } from 'pg';
import type { Logger } from './logger.ts';

/** A row that waits to be published; the table is in users/migrations. */
interface Row {
  readonly id: string;
  readonly event_id: string;
  readonly topic: string;
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface OutboxRelayOptions {
  readonly pool: Pool;
  readonly kafkaUrl: string;
  /** Fixed: it shuts out an earlier relay that does not know that it is over. */
  readonly transactionalId: string;
  readonly logger: Logger;
}

const atMost = 500;
const lookEveryMs = 150;
const retryAfterMs = 1_000;
const eventIdHeader = 'event-id';
const nobody = { groupId: '', generationId: -1, memberId: '', groupInstanceId: null };
const utf8 = new TextEncoder();

/**
 * Publishes what was written beside a change of the database, once and in the order of the changes. One relay at a time holds the lock; when it
 * takes it, it first reads its topics to their end and marks what stands there, because its forerunner may have died between the
 * answer of Kafka and the mark.
 */
export class OutboxRelay {
  readonly #options: OutboxRelayOptions;
  #running: Promise<void> | null = null;
  #closed = false;
  #wake: () => void = () => {};

  constructor(options: OutboxRelayOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Something was written: look now. */
  wake(): void {
    this.#wake();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#hold();
      } catch (error) {
        const fault = error instanceof Error ? error : new Error(String(error));
        this.#options.logger.error('outbox-stopped', `the outbox waits and tries again: ${fault.message}`, {
          error: fault,
        });
        await this.#pause(retryAfterMs);
      }
    }
  }

  /** Relays as long as the lock is held. */
  async #hold(): Promise<void> {
    const { pool, kafkaUrl, transactionalId } = this.#options;
    const client = await pool.connect();
    let kafka: KafkaPort | null = null;
    let producer: TransactionalProducer | null = null;
    try {
      const lock = await client.query<{ held: boolean }>(
        `select pg_try_advisory_lock(hashtext('outbox relay')) as held`,
      );
      if (!lock.rows[0]?.held) {
        await this.#pause(retryAfterMs);
        return;
      }
      kafka = await connectKafka({ bootstrapServers: kafkaUrl, clientId: transactionalId });
      producer = await kafka.transactionalProducer(transactionalId);
      await markWhatStandsThere(client, kafka);
      const counts = new Map<string, number>();
      while (!this.#closed) {
        const sent = await relay(client, kafka, producer, counts);
        if (sent < atMost) await this.#pause(lookEveryMs);
      }
    } finally {
      // A dead connection has lost the lock anyway, and does not go back to the pool.
      const alive = await client.query(`select pg_advisory_unlock_all()`).then(
        () => true,
        () => false,
      );
      client.release(!alive);
      await producer?.close();
      await kafka?.close();
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#closed) this.#wake();
    });
  }
}

/**
 * Sends the next rows in one transaction and marks them. Only rows below the oldest running transaction: an id is taken before its transaction
 * commits, so a row with a smaller id may still be on its way, and going by `id > last` would lose it.
 */
async function relay(
  client: PoolClient,
  kafka: KafkaPort,
  producer: TransactionalProducer,
  counts: Map<string, number>,
): Promise<number> {
  const { rows } = await client.query<Row>(
    `select id, event_id, topic, key, value, headers from outbox
     where published_at is null and tx < pg_snapshot_xmin(pg_current_snapshot()) order by id limit $1`,
    [atMost],
  );
  if (rows.length === 0) return 0;
  const unknown = [...new Set(rows.map((row) => row.topic))].filter((topic) => !counts.has(topic));
  for (const [topic, count] of await kafka.partitionCounts(unknown)) counts.set(topic, count);
  const records = rows.map((row): ProducedRecord => {
    const key = utf8.encode(row.key);
    const headers = { ...row.headers, [eventIdHeader]: row.event_id };
    return {
      topic: row.topic,
      partition: partitionForKey(key, counts.get(row.topic) ?? 1),
      timestamp: Date.now(),
      key,
      value: row.value,
      headers: Object.entries(headers).map(([name, value]) => [name, utf8.encode(value)] as const),
    };
  });
  await producer.commit({ records, offsets: [], group: nobody });
  await client.query('update outbox set published_at = now() where id = any($1::bigint[])', [
    rows.map((row) => row.id),
  ]);
  return rows.length;
}

/** Reads the topics of unmarked rows to their ends. */
async function markWhatStandsThere(client: PoolClient, kafka: KafkaPort): Promise<void> {
  const { rows } = await client.query<{ topic: string }>(
    'select distinct topic from outbox where published_at is null',
  );
  if (rows.length === 0) return;
  const counts = await kafka.partitionCounts(rows.map((row) => row.topic));
  const partitions = [...counts].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
  const ends = await kafka.endOffsets(partitions);
  const left = new Set([...ends].filter(([, end]) => end > 0).map(([name]) => name));
  const ids: string[] = [];
  if (left.size > 0) {
    await new Promise<void>((resolve, reject) => {
      const fetcher = kafka.fetcher({
        isolation: 'read_committed',
        maxWaitMs: 50,
        onBatch: ({ topic, partition, records, nextOffset }) => {
          for (const { headers } of records) {
            const id = headers.find(([name]) => name === eventIdHeader)?.[1];
            if (id !== undefined) ids.push(Buffer.from(id).toString());
          }
          if (nextOffset < (ends.get(`${topic}-${partition}`) ?? 0)) return;
          left.delete(`${topic}-${partition}`);
          if (left.size === 0) void fetcher.close().then(resolve, reject);
        },
        onOutOfRange: (partition, _position, logStartOffset) => fetcher.assign(partition, logStartOffset),
        onError: reject,
      });
      for (const partition of partitions) fetcher.assign(partition, 0);
    });
  }
  await client.query(
    'update outbox set published_at = now() where published_at is null and event_id = any($1::uuid[])',
    [ids],
  );
}
