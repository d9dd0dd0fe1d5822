import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ApplicationRunsError,
  type DeadLetter,
  NotParkingError,
  planReset,
  readDeadLetters,
  readParked,
  redrive,
  resetApplication,
  Serdes,
  StreamsBuilder,
  StreamsWorker,
  type Topology,
} from '../index.ts';
import { type AdminPort, connectKafka, type KafkaPort, partitionForKey } from '../kafka/index.ts';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';

let broker: KafkaBroker;
let kafka: KafkaPort & AdminPort;
let stateDir: string;

beforeAll(async () => {
  broker = await startKafkaBroker();
  kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'operate-test' });
  stateDir = mkdtempSync(join(tmpdir(), 'streams-operate-'));
}, 120_000);
afterAll(async () => {
  await kafka?.close();
  await broker?.[Symbol.asyncDispose]();
  rmSync(stateDir, { recursive: true, force: true });
});

const partitions = 2;
const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const bytes = (value: string) => Buffer.from(value);
const partitionOf = (key: string) => partitionForKey(bytes(key), partitions);

async function send(topic: string, records: readonly (readonly [key: string, value: string])[]): Promise<void> {
  const producer = await kafka.producer();
  await producer.send(
    records.map(([key, value]) => ({
      topic,
      partition: partitionOf(key),
      timestamp: Date.now(),
      key: bytes(key),
      value: bytes(value),
      headers: [],
    })),
  );
  await producer.close();
}

async function valuesOf(topic: string): Promise<readonly string[]> {
  const values: string[] = [];
  await readDeadLetters(kafka, [topic], ({ value }) => values.push(Buffer.from(value ?? []).toString()));
  return values;
}

async function lettersOf(topic: string): Promise<readonly DeadLetter[]> {
  const letters: DeadLetter[] = [];
  await readDeadLetters(kafka, [topic], (letter) => letters.push(letter));
  return letters;
}

/** Adds up the values of a key as text; refuses those that `refuses` names. */
function adding(from: string, to: string, refuses: ReadonlySet<string> = new Set()): Topology {
  const builder = new StreamsBuilder();
  builder
    .stream(text(from))
    .peek((_key, value) => {
      if (refuses.has(value)) throw new Error(`${value} is refused`);
    })
    .scan((all, value) => `${all}${value}`, '', { store: 'all', valueSerde: Serdes.string })
    .to(text(to));
  return builder.build();
}

async function run(applicationId: string, topology: Topology, parkDeadLetters = true): Promise<StreamsWorker> {
  const worker = new StreamsWorker({
    applications: [{ applicationId, topology }],
    bootstrapServers: broker.bootstrapServers,
    stateDir,
    instanceId: `${applicationId}-one`,
    onFailure: 'dead-letter',
    parkDeadLetters,
  });
  await worker.start();
  return worker;
}

const createTopics = (...names: readonly string[]) => kafka.createTopics(names.map((name) => ({ name, partitions })));

describe('dead letters', () => {
  test('are told with what is parked behind them, redriven, left out, and waited for', async () => {
    await createTopics('in', 'out');
    const refuses = new Set(['b', 'x']);
    const topology = adding('in', 'out', refuses);
    const plan = topology.parkingDeadLetters().plan('adds');
    const worker = await run('adds', topology);
    await send('in', [
      ['k', 'a'],
      ['k', 'b'],
      ['k', 'c'],
      ['other', 'x'],
      ['third', 'y'],
    ]);
    await expect.poll(async () => (await lettersOf('in.dlq')).length, { timeout: 15_000 }).toBe(2);
    await expect.poll(async () => (await readParked(kafka, plan)).flatMap(({ records }) => records).length).toBe(3);

    const [b] = (await lettersOf('in.dlq')).filter(({ key }) => Buffer.from(key ?? []).toString() === 'k');
    expect(b).toMatchObject({ application: 'adds', task: `0_${partitionOf('k')}`, reason: 'failed' });
    expect(b?.cause).toMatch(/b is refused/);
    const parked = await readParked(kafka, plan);
    const [k, other] = ['k', 'other'].map((key) => parked.find((one) => Buffer.from(one.key).toString() === key));
    expect(k?.records.map(({ offset }) => offset)).toEqual([b?.origin?.offset, Number(b?.origin?.offset) + 1]);
    if (k === undefined || other === undefined) throw new Error('they are parked');

    const progress: string[] = [];
    const again = await redrive(kafka, plan, [k], { onProgress: (done, all) => progress.push(`${done}/${all}`) });
    expect(again).toMatchObject([{ state: 'failed-again', taken: 0, left: 2, stoppedAt: b?.origin }]);
    expect([progress[0], progress.at(-1)]).toEqual(['0/1', '1/1']);
    expect(await lettersOf('in.dlq')).toHaveLength(3);

    refuses.delete('b');
    const [x] = other.records;
    expect(await redrive(kafka, plan, [k, { ...other, leaveOut: x }])).toMatchObject([
      { state: 'done', taken: 2, left: 0, stoppedAt: null },
      { state: 'done', taken: 0, leftOut: true, left: 0 },
    ]);
    await send('in', [['other', 'z']]);
    await expect
      .poll(async () => (await valuesOf('out')).toSorted(), { timeout: 15_000 })
      .toEqual(['a', 'ab', 'abc', 'y', 'z']);
    expect(await readParked(kafka, plan)).toEqual([]);

    await worker.close();
    const nobodyThere = await redrive(kafka, plan, [{ ...k, key: bytes('k') }], { timeoutMs: 500 });
    expect(nobodyThere).toMatchObject([{ state: 'waiting', taken: 0, left: 0 }]);
  }, 90_000);

  test('an application that parks nothing is asked for nothing', async () => {
    await createTopics('unparked-in', 'unparked-out');
    const topology = adding('unparked-in', 'unparked-out');
    const request = { subTopology: 0, partition: 0, key: bytes('k') };
    await expect(redrive(kafka, topology.plan('unparked'), [request])).rejects.toThrow(NotParkingError);
    await expect(redrive(kafka, topology.parkingDeadLetters().plan('unparked'), [request])).rejects.toThrow(
      /unparked-0-redrive-0 is not there/,
    );
  });
});

test('a reset makes an application begin anew: refused while it runs, then state, offsets and topics are gone', async () => {
  await createTopics('counts-in', 'counts-out', 'counts-old-changelog');
  const topology = adding('counts-in', 'counts-out');
  const plan = topology.plan('counts');
  const worker = await run('counts', topology, false);
  await send('counts-in', [
    ['k', 'a'],
    ['k', 'b'],
  ]);
  await expect.poll(() => valuesOf('counts-out'), { timeout: 15_000 }).toEqual(['a', 'ab']);
  await expect(resetApplication(kafka, plan, { stateDir })).rejects.toThrow(ApplicationRunsError);
  await worker.close();
  await expect.poll(async () => (await planReset(kafka, plan)).members, { timeout: 20_000 }).toEqual([]);

  const folder = join(stateDir, 'counts-one', 'tasks', 'counts');
  const told = await planReset(kafka, plan, { stateDir });
  expect(told).toMatchObject({
    topics: [{ name: 'counts-all-changelog', role: 'changelog', isOrphan: false }],
    offsets: [{ topic: 'counts-in', partition: partitionOf('k') }],
    folders: [folder],
    inputs: [{ topic: 'counts-in', from: 'earliest' }],
    outputs: ['counts-out'],
  });
  const done = await resetApplication(kafka, plan, { stateDir, withOrphans: true });
  expect(done.topics.map(({ name }) => name)).toEqual(['counts-all-changelog', 'counts-old-changelog']);
  expect(existsSync(folder)).toBe(false);
  expect((await kafka.listTopics()).filter((name) => name.startsWith('counts-')).toSorted()).toEqual([
    'counts-in',
    'counts-in.dlq',
    'counts-out',
  ]);
  expect(await planReset(kafka, plan, { stateDir })).toMatchObject({
    topics: [],
    offsets: [],
    folders: [],
    members: [],
  });
  await expect(resetApplication(kafka, plan, { stateDir })).resolves.toMatchObject({ topics: [] }); // may be done again

  const anew = await run('counts', topology, false);
  await expect.poll(() => valuesOf('counts-out'), { timeout: 15_000 }).toEqual(['a', 'ab', 'a', 'ab']);
  await anew.close();
}, 90_000);
