// `npm run chaos -- crash-matrix [options]`: the order-flow application of the benchmark, disturbed in every way of rows.ts, on brokers of its own.
//   --seed N      which commits are hit, and when (otherwise by the clock)    --rows a,b    only these
//   --orders N    of each row (100,000)                                       --short       as `npm test` runs them, 2,000 orders
//   --mode M      exactly_once (default), or at_least_once to see the rows fail    --json   one JSON object a row on stdout
import { optionsOf, refuse, wholeNumber } from '../bench/options.ts';
import { type Ground, openGround } from './ground.ts';
import { rows } from './rows.ts';
import { type RowResult, runRow } from './run-row.ts';

const file = import.meta.filename;
const listed = `\n\nThe rows:\n${rows.map(({ name, what }) => `  ${name.padEnd(26)} ${what}`).join('\n')}`;
const { values: options } = optionsOf(
  file,
  {
    options: {
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      rows: { type: 'string' },
      orders: { type: 'string' },
      mode: { type: 'string', default: 'exactly_once' },
      short: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  },
  listed,
);
const { mode } = options;
const seed = wholeNumber(file, '--seed', options.seed, 0);
const orders = wholeNumber(file, '--orders', options.orders ?? (options.short ? '2000' : '100000'));
const wanted = options.rows?.split(',') ?? rows.map(({ name }) => name);
const unknown = wanted.filter((name) => !rows.some((row) => row.name === name));
if (unknown.length > 0) refuse(file, `--rows ${unknown.join(',')}: there are no such rows`, listed);
if (mode !== 'exactly_once' && mode !== 'at_least_once')
  throw refuse(file, `--mode ${mode}: exactly_once or at_least_once is needed`);

const say = (line: string): void => (options.json ? console.error(line) : console.log(line));
const again = (row: string): string =>
  `npm run chaos -- crash-matrix --seed ${seed} --rows ${row} --orders ${orders}${options.short ? ' --short' : ''}${mode === 'exactly_once' ? '' : ` --mode ${mode}`}`;

function tell({ row, mistakes, statuses, sales, hits, seconds }: RowResult): void {
  const verdict = mistakes.length === 0 ? 'PASS' : 'FAIL';
  const counts = `${statuses.toLocaleString('en')} statuses, ${sales.toLocaleString('en')} sales`;
  say(
    `${verdict}  ${row.padEnd(26)} ${counts}, ${seconds.toFixed(1)} s${hits.length > 0 ? `; ${hits.join(', ')}` : ''}`,
  );
  for (const mistake of mistakes.slice(0, 3)) say(`        ${mistake.split('\n').slice(0, 3).join('\n        ')}`);
  if (mistakes.length > 3) say(`        and ${mistakes.length - 3} more`);
}

say(`crash-matrix: seed ${seed}, ${mode}, ${orders.toLocaleString('en')} orders a row`);
const failed: string[] = [];
for (const brokers of [1, 3] as const) {
  const some = rows.filter((row) => row.brokers === brokers && wanted.includes(row.name));
  if (some.length === 0) continue;
  await using ground: Ground = await openGround(brokers, orders);
  for (const row of some) {
    const result = await runRow(row, ground, { seed, extent: options.short ? 'short' : 'full', mode });
    tell(result);
    if (options.json) console.log(JSON.stringify({ seed, mode, orders, ...result }));
    if (result.mistakes.length > 0) failed.push(row.name);
  }
}
for (const row of failed) say(`again: ${again(row)}`);
say(`${wanted.length - failed.length} passed, ${failed.length} failed`);
process.exit(failed.length === 0 ? 0 : 1);
