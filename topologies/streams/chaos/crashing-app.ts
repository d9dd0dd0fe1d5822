/**
 * A member of the order-flow application that stops itself in the middle of a commit:
 *
 *   crashing-app.ts --bootstrap B --app ID --instance ID --state DIR --in SUFFIX --out SUFFIX [--mode at_least_once|exactly_once]
 *                   [--rate INPUTS_A_SECOND] [--at STEP --after N --signal SIGKILL|SIGSTOP]
 *
 * When commits have come to STEP (see commit-steps.ts) for the Nth time the process sends itself the signal. Stdout has one JSON object a line:
 * `running` whenever its state becomes RUNNING, `hit` (with `step` and `n`) right before the signal, `log` for warnings and errors of the engine.
 * SIGTERM commits what is done and ends it with exit code 0.
 */
import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { inputTopics, orderFlow, outputTopics } from '../bench/order-flow/topology.ts';
import { StreamsBuilder, StreamsWorker } from '../index.ts';
import { isCommitStep, watchCommits } from './commit-steps.ts';
import { paced } from './paced.ts';

const { values: options } = parseArgs({
  options: {
    bootstrap: { type: 'string', default: 'localhost:9092' },
    app: { type: 'string', default: 'order-flow' },
    instance: { type: 'string', default: 'one' },
    state: { type: 'string', default: '.state' },
    in: { type: 'string', default: '' },
    out: { type: 'string', default: '' },
    mode: { type: 'string', default: 'exactly_once' },
    rate: { type: 'string' },
    at: { type: 'string' },
    after: { type: 'string', default: '1' },
    signal: { type: 'string', default: 'SIGKILL' },
  },
});

/** Written when it returns, so that a word said before a SIGKILL is heard. */
const tell = (event: string, more: Readonly<Record<string, unknown>> = {}): void => {
  writeSync(1, `${JSON.stringify({ event, ...more })}\n`);
};

const { at, signal, mode } = options;
const after = Number(options.after);
if (mode !== 'exactly_once' && mode !== 'at_least_once') throw new RangeError(`--mode ${mode} is not known`);
if (signal !== 'SIGKILL' && signal !== 'SIGSTOP') throw new RangeError(`--signal ${signal} is not known`);
if (at !== undefined) {
  if (!isCommitStep(at)) throw new RangeError(`--at ${at} is no step of a commit; nothing was started`);
  let n = 0;
  watchCommits(at, () => {
    n += 1;
    if (n !== after) return;
    tell('hit', { step: at, n });
    process.kill(process.pid, signal);
  });
}

const inputs = inputTopics(options.in);
const pace = options.rate === undefined ? null : paced(Number(options.rate));
const builder = new StreamsBuilder();
orderFlow(
  builder,
  pace === null
    ? inputs
    : { orders: pace(inputs.orders), reservations: pace(inputs.reservations), payments: pace(inputs.payments) },
  outputTopics(options.out),
);
const worker = new StreamsWorker({
  applications: [{ applicationId: options.app, topology: builder.build() }],
  bootstrapServers: options.bootstrap,
  stateDir: options.state,
  instanceId: options.instance,
  processingGuarantee: mode,
  log: (level, event, message) => {
    if (level !== 'info') tell('log', { level, about: event, message });
  },
});
worker.state$.subscribe((state) => {
  if (state === 'RUNNING') tell('running');
});

let ending = false;
process.once('SIGTERM', async () => {
  ending = true;
  await worker.close();
  process.exit(0);
});
await worker.start().catch((error: unknown) => {
  if (!ending) throw error; // else it was told to end before it ran
});
