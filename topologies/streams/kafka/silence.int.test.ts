import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import { type TappedConnection, WireTap } from '../test/wire-tap.ts';
import { connectKafka, type KafkaPort } from './index.ts';

let tap: WireTap;
let broker: KafkaBroker;
/** Over the tap. */
let kafka: KafkaPort;
/** Past it. */
let direct: KafkaPort;

beforeAll(async () => {
  tap = await WireTap.open();
  broker = await startKafkaBroker({ listener: { protocol: 'PLAINTEXT', advertisedPort: tap.port } });
  tap.forwardTo(broker.secondServers);
  kafka = await connectKafka({ bootstrapServers: `127.0.0.1:${tap.port}`, clientId: 'silence' });
  direct = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'direct' });
  await direct.createTopics([{ name: 'read', partitions: 1 }]);
}, 120_000);
afterAll(async () => {
  await kafka?.close();
  await direct?.close();
  await broker?.[Symbol.asyncDispose]();
  await tap?.[Symbol.asyncDispose]();
});

const [fetchKey, heartbeatKey] = [1, 12];
const asks = ({ requests }: TappedConnection, apiKey: number): boolean =>
  requests.some(({ bytes }) => bytes.readInt16BE(0) === apiKey);
/** From now on nothing is answered on the connection that has asked for `apiKey` and is open. */
const silence = (apiKey: number): TappedConnection => {
  const silent = tap.connections.find((connection) => !connection.closed && asks(connection, apiKey));
  if (silent === undefined) throw new Error('there is no such connection');
  tap.swallowFrom = (_frame, direction, connection) => direction === 'answer' && connection === silent;
  return silent;
};

async function send(value: string): Promise<void> {
  const producer = await direct.producer();
  const record = { topic: 'read', partition: 0, timestamp: 1, key: null, value: Buffer.from(value), headers: [] };
  await producer.send([record]);
  await producer.close();
}

test('a lane that is not answered is connected anew, told of once, and loses and doubles nothing', async () => {
  const [values, errors]: [string[], Error[]] = [[], []];
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: ({ records }) => values.push(...[...records].map(({ value }) => Buffer.from(value ?? []).toString())),
    onOutOfRange: () => {},
    onError: (error) => errors.push(error),
    maxWaitMs: 100,
  });
  fetcher.assign({ topic: 'read', partition: 0 }, 0);
  await send('a');
  await expect.poll(() => values).toEqual(['a']);
  const silent = silence(fetchKey);
  await send('b');
  await expect.poll(() => values, { timeout: 20_000 }).toEqual(['a', 'b']);
  await send('c');
  await expect.poll(() => values).toEqual(['a', 'b', 'c']);
  await fetcher.close();
  expect(silent.closed).toBe(true);
  expect(errors.map(({ message }) => message)).toEqual([
    'broker 1 has not answered for read-0, which are asked for again on a new connection: ' +
      'Fetch: no answer within 10100 ms; its outcome is unknown',
  ]);
}, 40_000);

test('a member whose heartbeats are not answered keeps its place over a new connection, and tells', async () => {
  const told: string[] = [];
  const membership = await kafka.join({
    groupId: 'silent-group',
    groupInstanceId: 'one',
    topics: ['read'],
    userData: () => new Uint8Array(),
    assign: (members) =>
      new Map(members.map(({ memberId }) => [memberId, { partitions: [{ topic: 'read', partition: 0 }] }])),
    onRevoking: async () => void told.push('revoked'),
    onAssigned: ({ group }) => told.push(`generation ${group.generationId}`),
    onLost: (error) => told.push(error.message),
    onSilent: (error) => told.push(error.message),
    sessionTimeoutMs: 6_000,
  });
  await expect.poll(() => tap.connections.some((one) => asks(one, heartbeatKey)), { timeout: 5_000 }).toBe(true);
  const silent = silence(heartbeatKey);
  await expect.poll(() => silent.closed, { timeout: 10_000 }).toBe(true);
  // Beyond the end of the session that the silence would have been.
  const beats = (): number =>
    tap.connections.filter((one) => one !== silent && asks(one, heartbeatKey)).flatMap(({ answers }) => answers).length;
  await expect.poll(beats, { timeout: 15_000 }).toBeGreaterThan(12);
  await membership.leave({ forget: true });
  expect(told).toEqual([
    'generation 1',
    'the coordinator of silent-group has not answered a heartbeat within 3000 ms though the connection was up; it is asked again on a new one',
  ]);
}, 40_000);
