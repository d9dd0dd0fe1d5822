// Records a second that the engine takes, driven by the TopologyTestDriver: `npm run bench -- driver [case …] [options]`
//   --records N  input of a round (100,000)    --rounds N  measured rounds after one to warm up (5)
//   --profile    where the time goes, also when the target is met
//   --against P  the same by the library in another folder (its `topologies/streams`), in turn, and the ratio of the two
// Bytes wait in the broker in memory, in batches; measured is all from there to bytes in the output topic: serdes, nodes, state, changelogs, commits.
// A second is one of the thread's own CPU where Node tells it: wall time on a shared machine says more about its other users.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { crc32 } from 'node:zlib';
import type { ProducedRecord } from '../kafka/port.ts';
import { type Case, cases, inputOf } from './cases.ts';
import { hotFunctions } from './hot-functions.ts';

const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    records: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '5' },
    profile: { type: 'boolean', default: false },
    against: { type: 'string' },
  },
});
const records = Number(options.records);
const rounds = Number(options.rounds);
const keys = 5_000;
const batchSize = 5_000;

type Storage = 'memory' | 'lmdb';

/** What a round needs of a library: this one, or another check-out of it. */
interface Library {
  readonly streams: Pick<typeof import('../index.ts'), 'StreamsBuilder' | 'TopologyTestDriver'>;
  readonly lmdb: Pick<typeof import('../state/lmdb-storage.ts'), 'LmdbStorage'>;
}

const libraryIn = async (folder: string): Promise<Library> => ({
  streams: await import(pathToFileURL(join(folder, 'index.ts')).href),
  lmdb: await import(pathToFileURL(join(folder, 'state', 'lmdb-storage.ts')).href),
});

interface Round {
  readonly recordsPerSecond: number;
  readonly wallMs: number;
  readonly output: readonly ProducedRecord[];
}

function round(library: Library, one: Case, storage: Storage, input: readonly ProducedRecord[]): Round {
  const folder = mkdtempSync(join(tmpdir(), 'streams-bench-'));
  const { StreamsBuilder, TopologyTestDriver } = library.streams;
  const builder = new StreamsBuilder();
  one.build(builder);
  const driver = new TopologyTestDriver(builder.build(), {
    recordsPerCommit: batchSize,
    ...(storage === 'lmdb' && {
      storage: (_application: string, task: string) => new library.lmdb.LmdbStorage(join(folder, task)),
    }),
  });
  try {
    const began = performance.now();
    const cpu = process.threadCpuUsage();
    for (let from = 0; from < input.length; from += batchSize) {
      driver.broker.append(input.slice(from, from + batchSize));
      driver.run();
    }
    const { user, system } = process.threadCpuUsage(cpu);
    const wallMs = performance.now() - began;
    return { recordsPerSecond: (input.length * 1e6) / (user + system), wallMs, output: driver.broker.records('out') };
  } finally {
    driver[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same work without an engine. */
function roundByHand(byHand: NonNullable<Case['byHand']>, input: readonly ProducedRecord[]): Round {
  const began = performance.now();
  const cpu = process.threadCpuUsage();
  const output: ProducedRecord[] = [];
  for (const record of input) {
    const result = byHand(record);
    if (result !== null) output.push(result);
  }
  const { user, system } = process.threadCpuUsage(cpu);
  return { recordsPerSecond: (input.length * 1e6) / (user + system), wallMs: performance.now() - began, output };
}

/** Count and checksum of everything on the output topic: two rounds of one case must agree. */
function summaryOf({ output }: Round): string {
  let hash = 0;
  for (const { key, value, timestamp } of output) {
    hash = crc32(`${timestamp}`, hash);
    if (key !== null) hash = crc32(key, hash);
    if (value !== null) hash = crc32(value, hash);
  }
  return `${output.length.toLocaleString('en').padStart(9)} #${hash.toString(16).padStart(8, '0')}`;
}

const sorted = (numbers: readonly number[]): readonly number[] => [...numbers].sort((a, b) => a - b);
const median = (numbers: readonly number[]): number => sorted(numbers)[numbers.length >> 1] ?? Number.NaN;
const thousands = (number: number): string => Math.round(number).toLocaleString('en').padStart(9);

/** Runs in turn whatever is to be compared, so that a busy machine is busy for all. @returns whether the target is met */
async function measure(one: Case, storage: Storage, here: Library, there: Library | null): Promise<boolean> {
  const input = inputOf(one, records, keys);
  const { byHand } = one;
  const runs = new Map<string, () => Round>([['here', () => round(here, one, storage, input)]]);
  if (there !== null) runs.set('there', () => round(there, one, storage, input));
  if (byHand !== undefined) runs.set('by hand', () => roundByHand(byHand, input));
  const rates = new Map([...runs.keys()].map((name) => [name, [] as number[]]));
  const wallRates: number[] = [];
  let summary = '';
  for (let index = -1; index < rounds; index++) {
    for (const [name, run] of runs) {
      const result = run();
      const found = summaryOf(result);
      if (summary === '') summary = found;
      if (found !== summary) throw new Error(`${one.name}, ${name}: the output is ${found}, and was ${summary}`);
      if (index < 0) continue;
      rates.get(name)?.push(result.recordsPerSecond);
      if (name === 'here') wallRates.push((records * 1_000) / result.wallMs);
    }
  }
  const ours = sorted(rates.get('here') ?? []);
  const rate = median(ours);
  const target = storage === 'memory' ? one.target : null;
  const met = target === null || rate >= target;
  const columns = [
    one.name.padEnd(20),
    storage.padEnd(6),
    `${thousands(rate)} (${thousands(ours[0] ?? 0).trim()} – ${thousands(ours.at(-1) ?? 0).trim()})`.padEnd(32),
    thousands(median(wallRates)),
    summary,
  ];
  for (const name of ['there', 'by hand']) {
    const others = rates.get(name);
    if (others !== undefined)
      columns.push(`${(rate / median(others)).toFixed(2)} x ${name} (${thousands(median(others)).trim()})`);
  }
  if (target !== null) columns.push(`target ${thousands(target).trim()}: ${met ? 'met' : 'MISSED'}`);
  console.log(columns.join('  '));
  if (!met || options.profile)
    for (const line of await hotFunctions(() => round(here, one, storage, input), 25)) console.log(`    ${line}`);
  return met;
}

const here = await libraryIn(resolve(import.meta.dirname, '..'));
const there = options.against === undefined ? null : await libraryIn(resolve(options.against));
const chosen = cases.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
if (chosen.length === 0) throw new Error(`no such case; there are: ${cases.map(({ name }) => name).join(', ')}`);
console.log(
  `${records} records a round, ${keys} keys, ${batchSize} a commit; median of ${rounds} rounds (least – most)\n`,
);
console.log(`${'case'.padEnd(20)}  state   ${'records a CPU second'.padStart(22).padEnd(32)}  a wall s    outputs`);
let allMet = true;
for (const one of chosen) {
  const storages: readonly Storage[] = one.hasState ? ['memory', 'lmdb'] : ['memory'];
  for (const storage of storages) if (!(await measure(one, storage, here, there))) allMet = false;
}
process.exitCode = allMet ? 0 : 1;
