/**
 * The engine on the order-flow topology, as a program of its own: it needs a broker (Kafka ≥ 4.0 for exactly_once) and its three input topics.
 *
 *   app.ts [app] --bootstrap B --app ID --mode at_least_once|exactly_once --commit MS --threads T --state DIR --in SUFFIX --out SUFFIX [--linger MS]
 *
 * - `exactly_once_v2` is the same as `exactly_once`.
 * - `--threads`: so many worker threads, as instances `ID-0`, `ID-1`, … of the group; one is a thread of its own too. This one supervises and prints.
 * - `--commit` and `--linger` are accepted for the sake of a common command line, and change nothing: the engine commits when a slice of work is done and
 *   the last commit is answered, and sends a slice as a whole.
 *
 * Stdout has one JSON object a line, `t` in epoch ms: `start` (the process began), `running` (every worker's state became RUNNING), `first` (the first input
 * value was decoded, in whichever thread), `restored` (with `records` and `ms`, when there was something to restore). What the engine logs as warning or error goes to stderr.
 * SIGTERM commits what is done and ends it with exit code 0.
 */
import { type ProcessingGuarantee, StreamsPool } from '../../index.ts';
import { connectKafka } from '../../kafka/index.ts';
import { firstDecoded, type Suffixes } from './threaded.ts';
import { outputTopics, partitions } from './topology.ts';

const tell = (event: string, t: number, more: Readonly<Record<string, unknown>> = {}): void => {
  process.stdout.write(`${JSON.stringify({ event, t: Math.round(t), ...more })}\n`);
};
tell('start', performance.timeOrigin);

const refuse = (why: string): never => {
  console.error(`${why}; nothing was started`);
  process.exit(2);
};

const options = {
  bootstrap: 'localhost:9092',
  app: 'order-flow',
  mode: 'exactly_once',
  commit: '100',
  threads: '1',
  state: '.state',
  in: '',
  out: '',
  linger: '',
};
const isOption = (name: string): name is keyof typeof options => Object.hasOwn(options, name);
// By hand: parseArgs refuses a value that begins with a dash, as suffixes like to do.
const words = process.argv.slice(process.argv[2] === 'app' ? 3 : 2);
for (let i = 0; i < words.length; i += 2) {
  const [word = '', value] = words.slice(i, i + 2);
  const name = word.slice(2);
  if (!word.startsWith('--') || !isOption(name) || value === undefined) refuse(`${word} is no option with a value`);
  else options[name] = value;
}

const guarantees = new Map<string, ProcessingGuarantee>([
  ['exactly_once', 'exactly_once'],
  ['exactly_once_v2', 'exactly_once'],
  ['at_least_once', 'at_least_once'],
]);
const processingGuarantee = guarantees.get(options.mode);
const threads = Number(options.threads);
if (processingGuarantee === undefined) refuse(`--mode ${options.mode} is none of ${[...guarantees.keys()].join(', ')}`);
if (!(Number.isInteger(threads) && threads > 0)) refuse(`--threads ${options.threads} is no whole number above 0`);

{
  const kafka = await connectKafka({ bootstrapServers: options.bootstrap, clientId: options.app });
  const outputs = outputTopics(options.out);
  const names = [outputs.orderStatus.name, outputs.bookSales.name];
  const there = await kafka.partitionCounts(names);
  const missing = names.filter((name) => !there.has(name));
  if (missing.length > 0) await kafka.createTopics(missing.map((name) => ({ name, partitions })));
  await kafka.close();
}

let begun = false;
const channel = new BroadcastChannel(firstDecoded);
channel.onmessage = ({ data: t }) => {
  if (!begun) tell('first', t);
  begun = true;
};

const pool = new StreamsPool({
  applications: [
    {
      applicationId: options.app,
      module: new URL('threaded.ts', import.meta.url),
      data: { in: options.in, out: options.out } satisfies Suffixes,
    },
  ],
  workers: threads,
  bootstrapServers: options.bootstrap,
  stateDir: options.state,
  instanceId: options.app,
  ...(processingGuarantee && { processingGuarantee }),
  log: (level, event, message, fields) => {
    if (event === 'restored' && Number(fields?.records) > 0)
      tell('restored', Date.now(), { records: fields?.records, ms: fields?.ms });
    if (level !== 'info') console.error(level, event, message);
  },
});

let ending = false;
process.once('SIGTERM', async () => {
  ending = true;
  await pool.close();
  process.exit(0);
});

try {
  await pool.start();
  tell('running', Date.now());
} catch (error) {
  if (!ending) throw error; // else it was told to end before it ran
}
