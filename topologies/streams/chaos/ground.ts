import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInputs, loadInputs } from '../bench/order-flow/load.ts';
import { type OrderEvents, ordersOf } from '../bench/order-flow/orders.ts';
import { connectKafka, type KafkaPort } from '../kafka/index.ts';
import { type KafkaBroker, startKafkaCluster } from '../test/kafka-broker.ts';

/** What the rows of the matrix share: brokers, and the orders that all of them are given, written before anything runs. */
export interface Ground extends AsyncDisposable {
  readonly kafka: KafkaPort;
  readonly bootstrap: string;
  readonly brokers: readonly KafkaBroker[];
  /** For local state. */
  readonly folder: string;
  /** Suffix of the input topics. */
  readonly inputs: string;
  /** In the order of their payments. */
  readonly orders: readonly OrderEvents[];
}

export async function openGround(brokers: 1 | 3, orderCount: number): Promise<Ground> {
  await using cleanup = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'streams-chaos-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const cluster = cleanup.use(
    await startKafkaCluster(brokers, { properties: { 'min.insync.replicas': brokers === 3 ? '2' : '1' } }),
  );
  const kafka = await connectKafka({ bootstrapServers: cluster.bootstrapServers, clientId: 'crash-matrix' });
  cleanup.defer(() => kafka.close());
  const inputs = '-chaos';
  const pace = { startMs: Date.now() - orderCount * 10 - 60_000 };
  await createInputs(kafka, inputs);
  await loadInputs(kafka, inputs, orderCount, pace);
  const orders = [...ordersOf(orderCount, pace)].sort((a, b) => a.payment.at - b.payment.at);
  const open = cleanup.move();
  return {
    kafka,
    bootstrap: cluster.bootstrapServers,
    brokers: cluster.brokers,
    folder,
    inputs,
    orders,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
