// An instance of two is killed for good: how fast the other one reads the join windows of its tasks again from their inputs, which lie in memory, while its own
// tasks go on with 10,000 inputs a second.
//   npm run bench -- takeover [--orders N (200,000)] [--json]
// Exit code 1: the target of 500,000 records a second was missed, or its own tasks stood still.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectKafka } from '../../kafka/index.ts';
import { startKafkaBroker } from '../../test/kafka-broker.ts';
import { optionsOf, wholeNumber } from '../options.ts';
import { createInputs, createOutputs, loadInputs } from '../order-flow/load.ts';
import { inTimeOrder, ordersOf } from '../order-flow/orders.ts';
import { inputTopics, partitions } from '../order-flow/topology.ts';

const file = import.meta.filename;
const { values: options } = optionsOf(file, {
  options: { orders: { type: 'string', default: '200000' }, json: { type: 'boolean', default: false } },
});
const orders = wholeNumber(file, '--orders', options.orders);
const target = 500_000;
/** Three inputs each: all of them lie within the joins' ten minutes. */
const orderEveryMs = 300_000 / orders;
const latestMs = 2_000;
/** Of what comes meanwhile: 10,000 inputs a second. */
const liveEveryMs = 0.3;
const withinMs = 60_000;

await using cleanup = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'streams-takeover-'));
cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
const broker = cleanup.use(await startKafkaBroker());
const { bootstrapServers } = broker;
const kafka = await connectKafka({ bootstrapServers, clientId: 'takeover-bench' });
cleanup.defer(() => kafka.close());
await createInputs(kafka, '');
await createOutputs(kafka, '');

interface Restored {
  readonly records: number;
  readonly ms: number;
  readonly takenMeanwhile: number;
}

/** An instance that runs. Its restores come one after the other in `restores`. */
async function start(name: string): Promise<{ readonly child: ChildProcess; readonly restores: Restored[] }> {
  const program = join(import.meta.dirname, 'instance.ts');
  const child = spawn(process.execPath, [program, bootstrapServers, join(folder, name), name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanup.defer(() => void child.kill('SIGKILL'));
  const restores: Restored[] = [];
  const running = Promise.withResolvers<void>();
  child.once('exit', () => running.reject(new Error(`${name} ended before it ran`)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [word, records, ms, taken] = line.split(' ');
    if (word === 'running') running.resolve();
    if (word === 'restored') restores.push({ records: Number(records), ms: Number(ms), takenMeanwhile: Number(taken) });
  });
  await running.promise;
  return { child, restores };
}

const inputs = Object.values(inputTopics('')).flatMap(({ name }) =>
  Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
);
async function untilAllIsTaken(): Promise<void> {
  for (const deadline = Date.now() + withinMs; ; await sleep(100)) {
    const sum = (offsets: Iterable<number>): number => [...offsets].reduce((total, offset) => total + offset, 0);
    const committed = await kafka.committedOffsets('takeover', inputs, { requireStable: false });
    const left = sum((await kafka.endOffsets(inputs)).values()) - sum(committed.map(({ offset }) => offset));
    if (left <= 0) return;
    if (Date.now() > deadline)
      throw new Error(`${left} inputs were not taken in a minute; the measurement was given up`);
  }
}

const [survivor, victim] = [await start('survivor'), await start('victim')];
await loadInputs(kafka, '', orders, { startMs: Date.now() - 301_000, orderEveryMs, latestMs });
await untilAllIsTaken();
const begun = survivor.restores.length;
victim.child.kill('SIGKILL');

const producer = await kafka.producer();
cleanup.defer(() => producer.close());
const startMs = Date.now();
const live = [
  ...inTimeOrder(
    inputTopics(''),
    ordersOf(withinMs / liveEveryMs, { startMs, orderEveryMs: liveEveryMs, latestMs }, 2),
  ),
].flat();
for (let next = 0; survivor.restores.length === begun; await sleep(5)) {
  if (Date.now() - startMs > withinMs)
    throw new Error('nothing was taken over in a minute; the measurement was given up');
  const from = next;
  const now = Date.now();
  while ((live[next]?.timestamp ?? Number.POSITIVE_INFINITY) <= now) next += 1;
  if (next > from) await producer.send(live.slice(from, next));
}

const { records, ms, takenMeanwhile } = survivor.restores.at(-1) as Restored; // waited for above
const result = { records, ms, recordsPerSecond: Math.round((records * 1_000) / ms), takenMeanwhile };
const text = `${records.toLocaleString('en')} records read again in ${ms} ms, ${result.recordsPerSecond.toLocaleString('en')} a second (target ${target.toLocaleString('en')})`;
console.log(
  options.json
    ? JSON.stringify(result)
    : `${text}; its own tasks took ${takenMeanwhile.toLocaleString('en')} inputs meanwhile`,
);
process.exitCode = result.recordsPerSecond >= target && takenMeanwhile > 0 ? 0 : 1;
