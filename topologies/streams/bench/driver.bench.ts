// Records a second that the engine takes, driven by the TopologyTestDriver: `npm run bench -- driver [case …] [options]`
//   --records N  input of a round (100,000)    --rounds N  measured rounds (5)    --warm-up N  rounds before them (5)
//   --profile    where the time goes, also when the target is met
//   --against P  the same by the library in another folder (its `topologies/streams`), in turn, and the ratio of the two
// Bytes wait in the broker in memory, in batches; measured is all from there to bytes in the output topic: serdes, nodes, state, changelogs, commits.
// A second is one of the thread's own CPU where Node tells it: wall time on a shared machine says more about its other users.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { crc32 } from 'node:zlib';
import type { ProducedRecord } from '../kafka/port.ts';
import { type Case, cases, inputOf } from './cases.ts';
import { HotFunctions } from './hot-functions.ts';
import { optionsOf, refuse, wholeNumber } from './options.ts';

const file = import.meta.filename;
const { values: options, positionals: wanted } = optionsOf(file, {
  allowPositionals: true,
  options: {
    records: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '5' },
    'warm-up': { type: 'string', default: '5' },
    profile: { type: 'boolean', default: false },
    against: { type: 'string' },
  },
});
const records = wholeNumber(file, '--records', options.records);
const rounds = wholeNumber(file, '--rounds', options.rounds);
const warmUp = wholeNumber(file, '--warm-up', options['warm-up'], 0);
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

/** What is measured: takes batches, and gives what came out of them. */
interface Runner extends Disposable {
  take(batch: readonly ProducedRecord[]): void;
  output(): readonly ProducedRecord[];
}

function engine(library: Library, one: Case, storage: Storage): Runner {
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
  return {
    take(batch) {
      driver.broker.append(batch);
      driver.run();
    },
    output() {
      const records = driver.broker.records('out');
      driver.broker.truncate(); // the engine is measured, not how a heap grows that keeps everything
      return records;
    },
    [Symbol.dispose]() {
      driver[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The same work without an engine. */
function byHand(answer: NonNullable<Case['byHand']>): Runner {
  let output: ProducedRecord[] = [];
  return {
    take(batch) {
      output = [];
      for (const record of batch) {
        const result = answer(record);
        if (result !== null) output.push(result);
      }
    },
    output: () => output,
    [Symbol.dispose]() {},
  };
}

interface Round {
  readonly rate: number;
  readonly wallRate: number;
  /** Count and checksum of all output: rounds of one case must agree. */
  readonly summary: string;
}

function round(one: Case, runner: Runner, from: number, watch = (work: () => void): void => work()): Round {
  let [cpuMicros, wallMs, outputs, hash] = [0, 0, 0, 0];
  for (const batch of inputOf(one, { from, records, batch: batchSize, keys })) {
    const began = performance.now();
    const cpu = process.threadCpuUsage();
    watch(() => runner.take(batch));
    const { user, system } = process.threadCpuUsage(cpu);
    wallMs += performance.now() - began;
    cpuMicros += user + system;
    for (const { key, value, timestamp } of runner.output()) {
      outputs += 1;
      hash = crc32(`${timestamp}`, hash);
      if (key !== null) hash = crc32(key, hash);
      if (value !== null) hash = crc32(value, hash);
    }
  }
  const summary = `${outputs.toLocaleString('en').padStart(9)} #${hash.toString(16).padStart(8, '0')}`;
  return { rate: (records * 1e6) / cpuMicros, wallRate: (records * 1_000) / wallMs, summary };
}

const sorted = (numbers: readonly number[]): readonly number[] => [...numbers].sort((a, b) => a - b);
const median = (numbers: readonly number[]): number => sorted(numbers)[numbers.length >> 1] ?? Number.NaN;
const thousands = (number: number): string => Math.round(number).toLocaleString('en').padStart(9);

/**
 * Runs in turn whatever is to be compared, so that a busy machine is busy for all. Each goes on where its last round ended: V8 begins anew with
 * the closures of a new graph, and a task lives long. @returns whether the target is met
 */
function measure(one: Case, storage: Storage, here: Library, there: Library | null): boolean {
  using runners = new DisposableStack();
  const ourEngine = runners.use(engine(here, one, storage));
  const compared = new Map<string, Runner>([['here', ourEngine]]);
  if (there !== null) compared.set('there', runners.use(engine(there, one, storage)));
  if (one.byHand !== undefined) compared.set('by hand', runners.use(byHand(one.byHand)));
  const rates = new Map([...compared.keys()].map((name) => [name, [] as number[]]));
  const wallRates: number[] = [];
  let summary = '';
  for (let index = 0; index < warmUp + rounds; index++) {
    summary = '';
    for (const [name, runner] of compared) {
      const result = round(one, runner, index * records);
      if (summary === '') summary = result.summary;
      if (result.summary !== summary)
        throw new Error(
          `${one.name}, ${name}: the output is ${result.summary}, and that of the engine here ${summary}`,
        );
      if (index < warmUp) continue;
      rates.get(name)?.push(result.rate);
      if (name === 'here') wallRates.push(result.wallRate);
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
  if (!met || options.profile) {
    const hot = new HotFunctions();
    round(one, ourEngine, (warmUp + rounds) * records, (work) => hot.watch(work));
    for (const line of hot.lines(25)) console.log(`    ${line}`);
  }
  return met;
}

const unknown = wanted.filter((name) => !cases.some((one) => one.name === name));
if (unknown.length > 0)
  refuse(file, `no such case: ${unknown.join(', ')}. There are ${cases.map(({ name }) => name).join(', ')}`);
const here = await libraryIn(resolve(import.meta.dirname, '..'));
const there = options.against === undefined ? null : await libraryIn(resolve(options.against));
const chosen = cases.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
console.log(
  `${records} records a round, ${keys} keys, ${batchSize} a commit; median of ${rounds} rounds (least – most)\n`,
);
console.log(`${'case'.padEnd(20)}  state   ${'records a CPU second'.padStart(22).padEnd(32)}  a wall s    outputs`);
let allMet = true;
for (const one of chosen) {
  const storages: readonly Storage[] = one.hasState ? ['memory', 'lmdb'] : ['memory'];
  for (const storage of storages) if (!measure(one, storage, here, there)) allMet = false;
}
process.exitCode = allMet ? 0 : 1;
