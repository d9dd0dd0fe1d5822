import { setTimeout as sleep } from 'node:timers/promises';
import type { ProducedRecord } from '../../kafka/index.ts';
import { type Bench, Trial } from './bench.ts';
import { CpuWatch } from './cpu-time.ts';
import { createInputs } from './load.ts';
import { inTimeOrder, ordersOf } from './orders.ts';
import type { Side } from './sides.ts';
import { inputTopics, outputTopics, partitions } from './topology.ts';

/** Ms from when a payment is handed to the producer to when its status record is with a consumer that reads committed. */
export interface Latency {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly measured: number;
  readonly othersCores: number;
}

const inputsPerSecond = 2_000;
const measuredSeconds = 30;
/** Before that, for what must be compiled. */
const warmUpSeconds = 5;

const text = new TextDecoder();

/** A shop in real time: 2,000 inputs a second, for 30 seconds after 5 of warm-up. @throws when a status record does not come */
export async function latency(bench: Bench, side: Side, round: number): Promise<Latency> {
  const { kafka } = bench;
  const inputs = `-latency-${round}-${side.name}`;
  await createInputs(kafka, inputs);
  using trial = await Trial.of(bench, side, `latency-${round}`, inputs);
  await using app = trial.start();
  await app.until('running');

  const topics = inputTopics(inputs);
  const count = Math.floor((inputsPerSecond * (measuredSeconds + warmUpSeconds)) / 3);
  const pace = { startMs: Date.now() + 1_000, orderEveryMs: 3_000 / inputsPerSecond, latestMs: 2_000 };
  const measuredFrom = pace.startMs + warmUpSeconds * 1_000;
  const records = [...inTimeOrder(topics, ordersOf(count, pace))].flat();

  const sentAt = new Map<string, number>();
  const latencies: number[] = [];
  const { orderStatus } = outputTopics(trial.outputs);
  const reader = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: (batch) => {
      const now = performance.now();
      for (const { key } of batch.records) {
        const orderId = text.decode(key ?? undefined);
        const sent = sentAt.get(orderId);
        sentAt.delete(orderId);
        if (sent !== undefined && sent > 0) latencies.push(now - sent);
      }
    },
    onOutOfRange: () => {},
    onError: (error) => console.error(error.message),
  });
  for (let partition = 0; partition < partitions; partition += 1)
    reader.assign({ topic: orderStatus.name, partition }, 0);

  const watch = new CpuWatch(app.pid, bench.brokerPid);
  const producer = await kafka.producer();
  let next = 0;
  const due = (): readonly ProducedRecord[] => {
    const from = next;
    const now = Date.now();
    while ((records[next]?.timestamp ?? Number.POSITIVE_INFINITY) <= now) next += 1;
    return records.slice(from, next);
  };
  while (next < records.length) {
    app.check();
    const portion = due();
    const now = performance.now();
    for (const { topic, key, timestamp } of portion) {
      if (topic === topics.payments.name) sentAt.set(text.decode(key ?? undefined), timestamp < measuredFrom ? 0 : now);
    }
    if (portion.length > 0) await producer.send(portion);
    await sleep(1);
  }
  for (const deadline = Date.now() + 30_000; sentAt.size > 0; await sleep(50)) {
    if (Date.now() > deadline)
      throw new Error(`${sentAt.size} of ${count} orders got no status in 30 s; the round was given up`);
  }
  const { othersCores } = watch.times;
  await producer.close();
  await reader.close();
  await app.stop();
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(share * latencies.length)] ?? Number.NaN;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), measured: latencies.length, othersCores };
}
