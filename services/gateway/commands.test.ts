import { orderConfirmed, orderPlaced } from '@bookstream/projections/test/events';
import { InMemoryPort } from '@bookstream/projections/test/in-memory-port';
import { commandIdOf } from '@bookstream/schemas/ids';
import { payloadHashOf } from '@bookstream/schemas/payload-hash';
import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import type { CommandOutcome } from '@bookstream/schemas/types/outcomes';
import { beforeAll, expect, test } from 'vitest';
import { createLogger } from '../platform/logger.ts';
import { newTrace, parseTrace } from '../platform/trace.ts';
import { Commands, untilSeen } from './commands.ts';
import type { GatewayContext } from './context.ts';
import { Hub } from './hub.ts';

beforeAll(useLocalSchemas);

const logger = createLogger({ service: 'gateway', instance: 'test', write: () => {} });
const trace = newTrace();
const context = { logger, trace } as unknown as GatewayContext; // all that sending looks at

async function shop() {
  const port = new InMemoryPort();
  const used = [
    topics.walletsCommands,
    topics.commandOutcomes,
    topics.ordersEvents,
    topics.ordersView,
    topics.notificationsEvents,
  ];
  await port.createTopics(used.map(({ name, partitions }) => ({ name, partitions })));
  const hub = new Hub(port, logger);
  return { port, hub, commands: new Commands(port, hub) };
}

const amount = { amountMinor: 1_000n, currency: 'EUR' };
const topUp = (idempotencyKey: string) => ({
  topic: topics.walletsCommands,
  mutation: 'walletTopUp',
  idempotencyKey,
  input: { amount },
  key: () => 'ada',
  command: (base: Parameters<Parameters<Commands['send']>[0]['command']>[0]) => ({
    type: 'TopUp' as const,
    ...base,
    userId: 'ada',
    amount,
  }),
});

const outcomeOf = (commandId: string, payloadHash: string, version: number, replayed = false): CommandOutcome => ({
  type: 'CommandAccepted',
  meta: { eventId: `e${version}`, commandId, correlationId: '', causationId: commandId, actor: 'ada', occurredAt: 1 },
  commandId,
  payloadHash,
  eventIds: ['e'],
  version,
  replayed,
});

test('a command carries who, what and the trace; its id comes from person, mutation and key', async () => {
  const { port, hub, commands } = await shop();
  await hub.start();
  const commandId = commandIdOf('ada', 'walletTopUp', 'key-0001');
  const sent = commands.send(topUp('key-0001'), context, 'ada');
  await until(() => port.records(topics.walletsCommands.name).length === 1);
  port.put(topics.commandOutcomes, commandId, outcomeOf(commandId, payloadHashOf({ amount }), 7));
  expect(await sent).toMatchObject({ commandId, outcome: { type: 'CommandAccepted', version: 7 } });
  const [record] = port.records(topics.walletsCommands.name);
  if (!record?.value) throw new Error('nothing was sent');
  expect(String(Buffer.from(record.key ?? []))).toBe('ada');
  expect(topics.walletsCommands.valueSerde.deserialize(topics.walletsCommands.name, record.value)).toMatchObject({
    type: 'TopUp',
    userId: 'ada',
    payloadHash: payloadHashOf({ amount }),
    meta: { eventId: commandId, commandId, actor: 'ada', correlationId: trace.traceId },
  });
  const header = record.headers.find(([name]) => name === 'traceparent')?.[1];
  expect(parseTrace(String(Buffer.from(header ?? [])))?.traceId).toBe(trace.traceId);
  await hub.close();
});

test('an outcome counts for its own command and payload only, and none from before counts', async () => {
  const { port, hub } = await shop();
  port.put(topics.commandOutcomes, 'c', outcomeOf('c', 'h', 1));
  await hub.start();
  const waiting = hub.outcome('c', 'h', 5_000);
  port.put(topics.commandOutcomes, 'c', outcomeOf('c', 'another payload', 2));
  port.put(topics.commandOutcomes, 'd', outcomeOf('d', 'h', 3));
  port.putBytes(topics.commandOutcomes.name, 'c', new Uint8Array([9, 9])); // cannot be read, and stops nobody
  port.put(topics.commandOutcomes, 'c', outcomeOf('c', 'h', 4, true));
  expect(await waiting).toMatchObject({ version: 4, replayed: true });
  await hub.close();
});

test('two who wait for the same command both hear of it; who waited too long hears nothing', async () => {
  const { port, hub } = await shop();
  await hub.start();
  const two = [hub.outcome('c', 'h', 5_000), hub.outcome('c', 'h', 5_000)];
  expect(await hub.outcome('c', 'h', 20)).toBeNull();
  port.put(topics.commandOutcomes, 'c', outcomeOf('c', 'h', 1));
  expect((await Promise.all(two)).map((outcome) => outcome?.type)).toEqual(['CommandAccepted', 'CommandAccepted']);
  await hub.close();
});

test('a broker that is away is told as such, and the next command tries again', async () => {
  const { port, hub, commands } = await shop();
  await hub.start();
  const { producer } = port;
  port.producer = () => Promise.reject(new Error('no broker'));
  await expect(commands.send(topUp('key-0002'), context, 'ada')).rejects.toMatchObject({
    extensions: { code: 'UNAVAILABLE' },
  });
  port.producer = producer;
  void commands.send(topUp('key-0002'), context, 'ada');
  await until(() => port.records(topics.walletsCommands.name).length === 1);
  await hub.close();
});

test('a read model is asked until it has what was written, or says that it is late', async () => {
  let version = 0;
  setTimeout(() => (version = 3), 40);
  expect(
    await untilSeen(
      async () => version,
      (seen) => seen >= 3,
    ),
  ).toEqual({ row: 3, seen: true });
  expect(
    await untilSeen(
      async () => version,
      (seen) => seen >= 4,
      50,
    ),
  ).toEqual({ row: 3, seen: false });
});

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 5_000; !condition(); ) {
    if (Date.now() > end) throw new Error('it did not happen');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('who listens to a key hears its events, and null for one that cannot be read', async () => {
  const { port, hub } = await shop();
  await hub.start();
  const heard: (string | null)[] = [];
  const stop = hub.listen(topics.ordersEvents, 'order-1', (event) => heard.push(event?.type ?? null));
  port.put(topics.ordersEvents, 'order-2', orderPlaced('order-2', 'ada'));
  port.put(topics.ordersEvents, 'order-1', orderPlaced('order-1', 'ada'));
  port.putBytes(topics.ordersEvents.name, 'order-1', new Uint8Array([1, 2, 3]));
  port.put(topics.ordersEvents, 'order-1', orderConfirmed('order-1', 'ada', 2));
  await until(() => heard.length === 3);
  expect(heard).toEqual(['OrderPlaced', null, 'OrderConfirmed']);
  stop();
  await hub.close();
});

test('a read model is asked again soon when something has happened to the key, however long it was waited for', async () => {
  let rows = 0;
  let reads = 0;
  let ring: () => void = () => undefined;
  let isListening = true;
  const asked = untilSeen(
    async () => {
      reads += 1;
      return rows;
    },
    (seen) => seen === 1,
    4_000,
    (toldTo) => {
      ring = toldTo;
      return () => {
        isListening = false;
      };
    },
  );
  await until(() => reads === 7); // it waits 60 ms now
  rows = 1;
  const rung = performance.now();
  ring();
  expect(await asked).toEqual({ row: 1, seen: true });
  expect(performance.now() - rung).toBeLessThan(55); // it would have waited 60 ms
  expect([reads, isListening]).toEqual([8, false]);
});
