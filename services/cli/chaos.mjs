// `npm run chaos -- NAME [--rounds N] [--seed S]`: the full form of a proof whose short form is part of `npm test`. Every round has a seed of its own,
// told before it runs, so that a red one can be run again. `crash-matrix` is a program of its own, with options of its own.
import { parseArgs } from 'node:util';
import { installPackages, run } from './install.mjs';

const proofs = {
  crash: {
    what: 'a worker killed three times while 500 orders flow, on real Kafka; a round is a platform of its own',
    rounds: 3,
    step: 1,
    vitest: ['--project', 'e2e', 'services/e2e/crash.int.test.ts'],
  },
  simulation: {
    what: 'all topologies over one broker in memory: order of delivery, doubles, crashes, outages; 25 seeds a round',
    rounds: 20,
    step: 25,
    vitest: ['--project', 'unit', 'topologies/simulation/simulation.test.ts'],
  },
};

const programs = {
  'crash-matrix': {
    what: 'two joins and an aggregation on real Kafka, killed at every step of a commit, frozen, regrouped; [--seed N] [--rows a,b] [--orders N]',
    file: 'topologies/streams/chaos/crash-matrix.ts',
  },
};

const [name = '', ...rest] = process.argv.slice(2);
if (Object.hasOwn(programs, name)) {
  installPackages();
  process.exit(run('node', [programs[name].file, ...rest]));
}

const usage = [
  'npm run chaos -- NAME [options]',
  ...Object.entries({ ...proofs, ...programs }).map(([one, { what }]) => `  ${one.padEnd(13)} ${what}`),
  '',
  '  --rounds N    how often, each with a seed of its own (crash 3, simulation 20)',
  '  --seed N      of the first round (otherwise by the clock)',
  '  crash-matrix has options of its own: npm run chaos -- crash-matrix --help',
].join('\n');
const refuse = (why) => {
  console.error(`${why}; nothing was run.\n\n${usage}`);
  process.exit(2);
};

function optionsOf() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        seed: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    if (!String(error?.code).startsWith('ERR_PARSE_ARGS')) throw error;
    const [what] = error.message.split('. '); // Node goes on with how to write what begins with a dash
    return refuse(what.replace(/\.$/, ''));
  }
}

function wholeNumber(what, text, least) {
  const number = Number(text);
  if (String(text).trim() !== '' && Number.isInteger(number) && number >= least) return number;
  return refuse(`${what} ${text}: a whole number of at least ${least} is needed`);
}

const { values, positionals } = optionsOf();
if (values.help || process.argv.length === 2) {
  console.log(usage);
  process.exit(0);
}
const [wanted, ...others] = positionals;
if (wanted === undefined) refuse('which proof is not said');
if (others.length > 0) refuse(`${others.join(' ')}: one name at a time`);
if (Object.hasOwn(programs, wanted)) refuse(`${wanted} must come before its options`);
if (!Object.hasOwn(proofs, wanted)) refuse(`there is no proof ${JSON.stringify(wanted)}`);
const proof = proofs[wanted];
const rounds = wholeNumber('--rounds', values.rounds ?? proof.rounds, 1);
const first = wholeNumber('--seed', values.seed ?? Date.now() % 1_000_000, 0);

installPackages();
const red = [];
for (let round = 0; round < rounds; round += 1) {
  const seed = first + round * proof.step;
  console.error(`\n${wanted}: round ${round + 1} of ${rounds}, seed ${seed}`);
  if (run('vitest', ['run', ...proof.vitest], { env: { BOOKSTREAM_SEED: String(seed) } }) !== 0) red.push(seed);
}
console.log(`${rounds - red.length} passed, ${red.length} failed`);
for (const seed of red) console.log(`again: npm run chaos -- ${wanted} --rounds 1 --seed ${seed}`);
process.exit(red.length === 0 ? 0 : 1);
