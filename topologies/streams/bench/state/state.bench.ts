// A store on disk: memory that the process takes beside the kernel's own page cache, how soon it runs again after a SIGKILL, and how fast it is restored from
// its changelog when the disk is lost.
//   npm run bench -- state [--keys N (1,000,000)] [--json]
// Values have 200 bytes. Resident anonymous memory (RssAnon) is what nobody else could have: pages of LMDB's map are the kernel's to take back.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectKafka, partitionForKey } from '../../kafka/index.ts';
import { startKafkaBroker } from '../../test/kafka-broker.ts';
import { optionsOf, wholeNumber } from '../options.ts';

const file = import.meta.filename;
const { values: options } = optionsOf(file, {
  options: { keys: { type: 'string', default: '1000000' }, json: { type: 'boolean', default: false } },
});
const keys = wholeNumber(file, '--keys', options.keys);
const [partitions, valueBytes, batch] = [4, 200, 10_000];
const targets = { rssAnonMb: 300, backMs: 2_000 };
const say = (line: string): void => (options.json ? console.error(line) : console.log(line));

interface Running {
  readonly child: ChildProcess;
  readonly runningMs: number;
  readonly restored: number;
  readonly restoreMs: number;
}

/** Resolves when it says that it runs. */
async function start(bootstrap: string, folder: string): Promise<Running> {
  const began = performance.now();
  const child = spawn(process.execPath, [join(import.meta.dirname, 'app.ts'), bootstrap, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let [restored, restoreMs] = [0, 0];
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, records, ms] = line.split(' ');
    if (word === 'restored') [restored, restoreMs] = [restored + Number(records), Math.max(restoreMs, Number(ms))];
    if (word === 'running') return { child, runningMs: performance.now() - began, restored, restoreMs };
  }
  throw new Error('the worker ended before it ran');
}

const memoryOf = ({ pid }: ChildProcess, name: string): number =>
  Math.round(
    Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024,
  );

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

await using cleanup = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'streams-state-'));
cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
const broker = cleanup.use(await startKafkaBroker());
const kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'state-bench' });
cleanup.defer(() => kafka.close());
const topics = Array.from({ length: partitions }, (_, partition) => ({ topic: 'rows', partition }));
await kafka.createTopics([{ name: 'rows', partitions }]);
{
  const producer = await kafka.producer();
  for (let from = 0; from < keys; from += batch) {
    const records = Array.from({ length: Math.min(batch, keys - from) }, (_, at) => {
      const key = Buffer.from(`key-${String(from + at).padStart(12, '0')}`);
      const value = Buffer.alloc(valueBytes, from + at);
      return {
        topic: 'rows',
        partition: partitionForKey(key, partitions),
        timestamp: Date.now(),
        key,
        value,
        headers: [],
      };
    });
    await producer.send(records);
  }
  await producer.close();
}
say(`${keys.toLocaleString('en')} keys with ${valueBytes} bytes each, on ${partitions} partitions`);

const first = await start(broker.bootstrapServers, folder);
cleanup.defer(() => void first.child.kill('SIGKILL'));
const filled = performance.now();
let [peak, rss] = [0, 0];
for (;;) {
  peak = Math.max(peak, memoryOf(first.child, 'RssAnon'));
  rss = Math.max(rss, memoryOf(first.child, 'VmHWM'));
  const ends = await kafka.endOffsets(topics);
  const committed = await kafka.committedOffsets('state', topics, { requireStable: false });
  const left =
    [...ends.values()].reduce((sum, end) => sum + end, 0) - committed.reduce((sum, { offset }) => sum + offset, 0);
  if (left <= 0) break;
  await sleep(100);
}
const seconds = (performance.now() - filled) / 1_000;
await sleep(1_000);
const rssAnonMb = memoryOf(first.child, 'RssAnon');
await kill(first.child);

const second = await start(broker.bootstrapServers, folder);
cleanup.defer(() => void second.child.kill('SIGKILL'));
await kill(second.child);

rmSync(folder, { recursive: true });
const third = await start(broker.bootstrapServers, folder);
cleanup.defer(() => void third.child.kill('SIGKILL'));
await kill(third.child);

const result = {
  keys,
  rowsPerSecond: Math.round(keys / seconds),
  rssAnonMb,
  peakRssAnonMb: peak,
  peakRssMb: rss,
  backMs: Math.round(second.runningMs),
  restoredAfterKill: second.restored,
  restored: third.restored,
  restoredPerSecond: Math.round((third.restored * 1_000) / third.restoreMs),
};
say(`filled at ${result.rowsPerSecond.toLocaleString('en')} rows/s, exactly_once with its changelog`);
say(
  `RssAnon ${rssAnonMb} MB (at most ${peak} while it was filled; target below ${targets.rssAnonMb}); with the page cache's share at most ${rss}`,
);
say(
  `after a SIGKILL RUNNING ${result.backMs} ms after the start of the process (target below ${targets.backMs}), ${second.restored} records read again`,
);
say(
  `without its disk it read ${third.restored.toLocaleString('en')} records of its changelog again, ${result.restoredPerSecond.toLocaleString('en')} a second into LMDB`,
);
if (options.json) console.log(JSON.stringify(result));
process.exitCode = peak < targets.rssAnonMb && result.backMs < targets.backMs ? 0 : 1;
