import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type ProcessingGuarantee, StreamsWorker } from '../index.ts';
import type { KafkaPort } from '../kafka/index.ts';
import { kafkaForTests } from '../test/kafka-for-tests.ts';
import { applicationId, summing } from '../test/summing.ts';
import { SumsFlow } from '../test/sums-flow.ts';

const own = kafkaForTests('worker-test');
const children: ChildProcess[] = [];
let flow: SumsFlow;

beforeAll(async () => {
  flow = await new SumsFlow(own.kafka).open();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => flow?.[Symbol.asyncDispose]());

function startChild(instanceId: string): ChildProcess {
  const program = join(import.meta.dirname, '..', 'test', 'summing.ts');
  const child = spawn(process.execPath, [program, own.bootstrapServers, own.stateDir, instanceId], { stdio: 'ignore' });
  children.push(child);
  return child;
}

const ended = (child: ChildProcess): Promise<void> => new Promise((resolve) => child.once('exit', () => resolve()));

test('a worker that is killed in mid flow, again and again, loses nothing and doubles nothing', async () => {
  const sending = flow.send(6_000);
  for (const moment of [300, 2_000, 4_000]) {
    const child = startChild('one');
    await expect.poll(() => flow.seen, { timeout: 30_000, interval: 1 }).toBeGreaterThanOrEqual(moment);
    const gone = ended(child);
    child.kill('SIGKILL');
    await gone;
  }
  await sending;
  startChild('one');
  await flow.summed();
}, 90_000);

test('a worker that was frozen until another had its tasks is refused when it wakes, and nothing is doubled', async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  const frozen = startChild('one');
  await flow.send(230);
  await flow.summed();
  startChild('two');
  const sending = flow.send(2_300);
  await expect.poll(() => flow.seen, { timeout: 30_000, interval: 1 }).toBeGreaterThan(flow.expected - 2_000);
  frozen.kill('SIGSTOP');
  await sending;
  await flow.summed(); // 'two' has all of it, after the session of 'one' has timed out
  frozen.kill('SIGCONT');
  await flow.send(230);
  await flow.summed();
}, 90_000);

test('state comes back from the changelog when the local one is gone', async () => {
  rmSync(join(own.stateDir, 'one'), { recursive: true, force: true });
  await using _worker = await started('one');
  await flow.send(230);
  await flow.summed();
}, 60_000);

test('a second instance takes over half of the tasks, and the first all of them when it goes', async () => {
  await using _one = await started('one');
  {
    await using _two = await started('two');
    await flow.send(230);
    await flow.summed();
  }
  await flow.send(230);
  await flow.summed();
}, 60_000);

test('at_least_once: without a crash nothing is doubled either, and a restart goes on where it was', async () => {
  for (const count of [230, 460]) {
    await using _worker = await started('one', 'at_least_once');
    await flow.send(count);
    await flow.summed();
  }
}, 60_000);

async function started(
  instanceId: string,
  processingGuarantee: ProcessingGuarantee = 'exactly_once',
): Promise<AsyncDisposable> {
  const worker = new StreamsWorker({
    applications: [{ applicationId, topology: summing() }],
    bootstrapServers: own.bootstrapServers,
    stateDir: own.stateDir,
    instanceId,
    processingGuarantee,
  });
  await worker.start();
  return { [Symbol.asyncDispose]: () => worker.close() };
}

test('an input topic that is not there is named before anything starts', async () => {
  const builder = summing();
  const worker = new StreamsWorker({
    applications: [{ applicationId: 'elsewhere', topology: builder }],
    port: { ...portOf(own.kafka), partitionCounts: async () => new Map() },
    stateDir: own.stateDir,
    instanceId: 'three',
  });
  await expect(worker.start()).rejects.toThrow(/sum-in.*not there.*nothing was started/);
  await worker.close();
});

/** The port's methods as own properties, so that one can be replaced. */
const portOf = (port: KafkaPort): KafkaPort => Object.assign(Object.create(port), port);
