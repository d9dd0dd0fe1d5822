import { table } from '../table.ts';
import type { ConfirmedOrder } from './confirmed-orders.ts';

export interface Round {
  readonly orders: readonly ConfirmedOrder[];
  /** Cores that the whole shop kept busy in the mean, engines included. */
  readonly shopCores: number;
  /** And everybody else. */
  readonly othersCores: number;
}

/** A shop that was measured. */
export interface Side {
  readonly name: 'here' | 'against';
  readonly revision: string;
  readonly rounds: readonly Round[];
}

const shares = [0.5, 0.95, 0.99] as const;

/** The nearest-rank percentile. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

const ms = (value: number): string => value.toFixed(1);
const confirmedOf = (orders: readonly ConfirmedOrder[]): number[] => orders.map((order) => order.confirmed);

/** Every moment that is timed, in the order in which it comes. */
function moments(orders: readonly ConfirmedOrder[]): Map<string, readonly number[]> {
  const named = new Map<string, number[]>();
  for (const { steps } of orders)
    for (const [name, at] of Object.entries(steps)) named.set(name, [...(named.get(name) ?? []), at]);
  const happened = [...named].sort(([, a], [, b]) => percentile(a, 0.5) - percentile(b, 0.5));
  return new Map([
    ...happened.map(([name, times]) => [`${name} happened`, times] as const),
    ['orderPlace answered', orders.map((order) => order.answered)],
    ['CONFIRMED seen', confirmedOf(orders)],
  ]);
}

function roundLines({ name, revision, rounds }: Side): readonly string[][] {
  return rounds.map(({ orders, shopCores, othersCores }, index) => [
    `${name} ${revision}`,
    String(index + 1),
    ...shares.map((share) => ms(percentile(confirmedOf(orders), share))),
    ms(Math.max(...confirmedOf(orders))),
    shopCores.toFixed(2),
    othersCores.toFixed(2),
  ]);
}

/** For people: where the time goes, every round by itself and, of two sides, the ratio. */
export function comparison(sides: readonly Side[]): string {
  const timed = sides.map((side) => moments(side.rounds.flatMap(({ orders }) => orders)));
  const [first, second] = timed;
  const names = [...new Set(timed.flatMap((times) => [...times.keys()]))];
  const rows = names.map((name) => [
    name,
    ...timed.flatMap((times) => shares.map((share) => ms(percentile(times.get(name) ?? [], share)))),
    ...(second === undefined
      ? []
      : shares.map((share) =>
          (percentile(second.get(name) ?? [], share) / percentile(first?.get(name) ?? [], share)).toFixed(2),
        )),
  ]);
  const heads = [...sides.map(({ name }) => name), ...(second === undefined ? [] : ['here/against'])];
  return [
    table([['ms since orderPlace was sent', ...heads.flatMap((head) => [`${head} p50`, 'p95', 'p99'])], ...rows]),
    '',
    table([
      ['to CONFIRMED seen', 'round', 'p50', 'p95', 'p99', 'most', "shop's cores", "others' cores"],
      ...sides.flatMap(roundLines),
    ]),
  ].join('\n');
}
