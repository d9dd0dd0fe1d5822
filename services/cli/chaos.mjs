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
const program = programs[name];
if (program !== undefined) {
  installPackages();
  process.exit(run('node', [program.file, ...rest]));
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string' }, seed: { type: 'string' } },
});
const proof = proofs[positionals[0] ?? ''];
const rounds = Number(values.rounds ?? proof?.rounds);
const first = Number(values.seed ?? Date.now() % 1_000_000);
if (proof === undefined || !Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(first)) {
  console.error('usage: npm run chaos -- NAME [--rounds N] [--seed S]; nothing was run. There are:');
  for (const [name, { what }] of Object.entries({ ...proofs, ...programs }))
    console.error(`  ${name.padEnd(13)} ${what}`);
  process.exit(2);
}

installPackages();
const red = [];
for (let round = 0; round < rounds; round += 1) {
  const seed = first + round * proof.step;
  console.error(`\n${positionals[0]}: round ${round + 1} of ${rounds}, seed ${seed}`);
  if (run('vitest', ['run', ...proof.vitest], { env: { BOOKSTREAM_SEED: String(seed) } }) !== 0) red.push(seed);
}
console.log(`${rounds - red.length} passed, ${red.length} failed`);
for (const seed of red) console.log(`again: npm run chaos -- ${positionals[0]} --rounds 1 --seed ${seed}`);
process.exit(red.length === 0 ? 0 : 1);
