// The engine and Apache Kafka Streams on the same topology, broker and input, in turn: `npm run bench -- order-flow [options]`
//   --mode M      exactly_once (default) or at_least_once         --orders N   a third of the inputs (200,000)
//   --rounds N    of each side (3)                                --threads N  (1)
//   --commit MS   the original's commit interval (100)            --linger MS  the original's; its default is 100
//   --latency     2,000 inputs a second in real time: from payment to committed status, instead of the throughput
//   --restore     how fast local state comes back, instead of the throughput
//   --only SIDE   ours or original                                --json       one JSON object on stdout
//   --profile     where the time of ours goes; costs some of it
// "others' cores" is what the rest of the machine was busy with: compare times only while it is near 0; CPU time an input suffers less.
// Every round's output is checked against plain code; a wrong answer fails the benchmark. topology.ts and java/OrderFlow.java are what runs.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectKafka } from '../../kafka/index.ts';
import { startKafkaBroker } from '../../test/kafka-broker.ts';
import { HotFunctions } from '../hot-functions.ts';
import { optionsOf, refuse, wholeNumber } from '../options.ts';
import type { Bench } from './bench.ts';
import { latency } from './latency.ts';
import { createInputs, loadInputs } from './load.ts';
import { type Column, columns, Report } from './report.ts';
import { restore } from './restore.ts';
import { original, originalVersion, ours, type Side } from './sides.ts';
import { throughput } from './throughput.ts';

const file = import.meta.filename;
const { values: options } = optionsOf(file, {
  options: {
    mode: { type: 'string', default: 'exactly_once' },
    orders: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '1' },
    commit: { type: 'string', default: '100' },
    linger: { type: 'string' },
    latency: { type: 'boolean', default: false },
    restore: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});
const orders = wholeNumber(file, '--orders', options.orders);
const rounds = wholeNumber(file, '--rounds', options.rounds);
const threads = wholeNumber(file, '--threads', options.threads);
const commitMs = wholeNumber(file, '--commit', options.commit, 0);
if (options.linger !== undefined) wholeNumber(file, '--linger', options.linger, 0);
const { mode, only = 'both' } = options;
if (mode !== 'exactly_once' && mode !== 'at_least_once')
  refuse(file, `--mode ${mode}: exactly_once or at_least_once is needed`);
if (options.only !== undefined && only !== 'ours' && only !== 'original')
  refuse(file, `--only ${only}: ours or original is needed`);
const say = (line: string): void => (options.json ? console.error(line) : console.log(line));

/** One measurement of a side, as numbers by name. */
type Measure = (bench: Bench, side: Side, round: number) => Promise<Readonly<Record<Column, number>>>;
const what = options.latency ? 'latency' : options.restore ? 'restore' : 'throughput';
const measure = { throughput, latency, restore }[what] as Measure; // each gives the numbers that its columns name

await using cleanup = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'streams-order-flow-'));
cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
const classes = join(folder, 'classes');
mkdirSync(classes);
const profiles = options.profile ? join(folder, 'profiles') : null;
const sides = [
  ...(options.only === 'original' ? [] : [ours(profiles)]),
  ...(options.only === 'ours' ? [] : [original(classes)]),
];
const broker = cleanup.use(await startKafkaBroker());
const kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'order-flow-bench' });
cleanup.defer(() => kafka.close());
const inputs = '-loaded';
const bench: Bench = {
  kafka,
  bootstrap: broker.bootstrapServers,
  brokerPid: broker.pid,
  folder,
  mode: options.mode,
  commit: options.commit,
  threads: options.threads,
  ...(options.linger !== undefined && { linger: options.linger }),
  orders,
  pace: { startMs: Date.now() - orders * 10 - 60_000 },
  inputs,
};
const about = {
  what,
  mode,
  commitMs,
  threads,
  orders,
  rounds,
  only,
  kafka: originalVersion,
  kafkaStreams: originalVersion,
};
const report = new Report(what, about);
say(
  `${what}, ${options.mode}, commit ${options.commit} ms, threads ${options.threads}; Kafka and Kafka Streams ${originalVersion}`,
);
if (what !== 'latency') {
  await createInputs(kafka, inputs);
  const bytes = await loadInputs(kafka, inputs, orders, bench.pace);
  say(
    `${orders.toLocaleString('en')} orders = ${(3 * orders).toLocaleString('en')} inputs of ${bytes.toFixed(1)} bytes`,
  );
}
say(`\n${['side'.padEnd(9), 'round', ...columns(what).map(({ title }) => title)].join('  ')}`);
for (let round = 1; round <= rounds; round += 1) {
  // Who goes first changes from round to round.
  for (const side of round % 2 === 1 ? sides : sides.toReversed())
    say(report.add(side.name, round, await measure(bench, side, round)));
}
say(`\n${report.summary().join('\n')}`);
if (profiles !== null) {
  const hot = new HotFunctions();
  for (const name of readdirSync(profiles)) hot.add(JSON.parse(readFileSync(join(profiles, name), 'utf8')));
  say(`\nwhere the time of ours goes:\n${hot.lines(40).join('\n')}`);
}
if (options.json) console.log(JSON.stringify(report));
