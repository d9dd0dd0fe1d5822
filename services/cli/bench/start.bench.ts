// Cold and warm start of the whole platform, and what it holds in memory: `npm run bench -- start [warm starts]`. Cold means empty data, with
// the packages installed and the engines downloaded.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { optionsOf, refuse, wholeNumber } from '@bookstream/streams/bench/options';
import { freePort } from '../../engines/ports.ts';
import { root } from '../running.ts';

const file = import.meta.filename;
const [warm = '3', ...more] = optionsOf(file, { allowPositionals: true }).positionals;
if (more.length > 0) refuse(file, `too many arguments: ${more.join(' ')}`);
const warmStarts = wholeNumber(file, 'warm starts', warm, 0);
const dataDir = mkdtempSync(join(tmpdir(), 'bookstream-start-'));
const port = await freePort();

interface Started {
  readonly seconds: number;
  readonly stopSeconds: number;
  /** MB resident, by process. */
  readonly memory: ReadonlyMap<string, number>;
}

async function start(): Promise<Started> {
  const began = performance.now();
  const env = { ...process.env, BOOKSTREAM_DATA: dataDir, PORT: String(port) };
  const child = spawn('npm', ['start'], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (text: Buffer) => {
      if (text.includes('Bookstream is up')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`npm start ended with ${code}`)));
  });
  const seconds = (performance.now() - began) / 1000;
  const memory = residentOf(dataDir);
  const stopping = performance.now();
  execFileSync('npm', ['run', '-s', 'bookstream', '--', 'down'], { cwd: root, env, stdio: 'ignore' });
  await exited;
  return { seconds, stopSeconds: (performance.now() - stopping) / 1000, memory };
}

/** Every process that has the data folder in its environment or its arguments. */
function residentOf(folder: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const isOurs = args.join(' ').includes(folder) || readFileSync(`/proc/${pid}/environ`, 'utf8').includes(folder);
      const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
      if (isOurs && Number(pid) !== process.pid) {
        const name = nameOf(args);
        found.set(name, (found.get(name) ?? 0) + (pages * 4096) / 1e6);
      }
    } catch {
      // It ended while we looked, or is not ours to see.
    }
  }
  return found;
}

const nameOf = (args: readonly string[]): string => {
  const line = args.join(' ');
  const known = [
    'kafka.Kafka',
    'registry',
    'redis-server',
    'LocalMongo',
    'postgres',
    'service gateway',
    'service worker',
    'service users',
  ];
  return known.find((name) => line.includes(name)) ?? 'npm, bookstream up';
};

try {
  const cold = await start();
  console.log(`cold start ${cold.seconds.toFixed(1)} s, stop ${cold.stopSeconds.toFixed(1)} s`);
  for (let round = 1; round <= warmStarts; round += 1) {
    const warm = await start();
    console.log(`warm start ${warm.seconds.toFixed(1)} s, stop ${warm.stopSeconds.toFixed(1)} s`);
    if (round < warmStarts) continue;
    for (const [name, mb] of [...warm.memory].sort((a, b) => b[1] - a[1]))
      console.log(`  ${mb.toFixed(0).padStart(5)} MB  ${name}`);
    console.log(
      `  ${[...warm.memory.values()]
        .reduce((a, b) => a + b, 0)
        .toFixed(0)
        .padStart(5)} MB  in all (resident, shared pages counted in each)`,
    );
  }
} finally {
  rmSync(dataDir, { recursive: true, force: true });
}
