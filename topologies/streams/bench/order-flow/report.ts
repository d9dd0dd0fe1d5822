import type { SideName } from './sides.ts';

export type What = 'throughput' | 'latency' | 'restore';

/** Names of the numbers that measurements give. */
export type Column =
  | 'inputsPerSecond'
  | 'secondHalf'
  | 'cpuMicrosPerInput'
  | 'brokerCpuMicrosPerInput'
  | 'othersCores'
  | 'peakRssMb'
  | 'startUpMs'
  | 'p50'
  | 'p95'
  | 'p99'
  | 'measured'
  | 'recordsPerSecond'
  | 'records';

interface Shown {
  readonly name: Column;
  readonly title: string;
  readonly digits: number;
}

const shown = (name: Column, title: string, digits = 0): Shown => ({ name, title, digits });
const startUp = shown('startUpMs', 'start-up ms');
const others = shown('othersCores', "others' cores", 2);
const memory = shown('peakRssMb', 'peak RSS MB');

const columnsOf: Readonly<Record<What, readonly Shown[]>> = {
  throughput: [
    shown('inputsPerSecond', 'inputs/s'),
    shown('secondHalf', 'second half'),
    shown('cpuMicrosPerInput', 'CPU µs/input', 1),
    shown('brokerCpuMicrosPerInput', "broker's", 1),
    others,
    memory,
    startUp,
  ],
  latency: [
    shown('p50', 'p50 ms', 1),
    shown('p95', 'p95 ms', 1),
    shown('p99', 'p99 ms', 1),
    shown('measured', 'measured'),
    others,
  ],
  restore: [shown('recordsPerSecond', 'records/s'), shown('records', 'records'), startUp, memory],
};

export const columns = (what: What): readonly Shown[] => columnsOf[what];

type Numbers = Readonly<Record<Column, number>>;

const sorted = (numbers: readonly number[]): readonly number[] => [...numbers].sort((a, b) => a - b);
const median = (numbers: readonly number[]): number => {
  const rising = sorted(numbers);
  const middle = rising.length >> 1;
  const upper = rising[middle] ?? Number.NaN;
  return rising.length % 2 === 1 ? upper : ((rising[middle - 1] ?? Number.NaN) + upper) / 2;
};

/** Collects the rounds of both sides, and says what they come to: medians, spread, and ours by the original's. */
export class Report {
  readonly #what: What;
  readonly #about: Readonly<Record<string, unknown>>;
  readonly #rounds = new Map<SideName, Numbers[]>();

  constructor(what: What, about: Readonly<Record<string, unknown>>) {
    this.#what = what;
    this.#about = about;
  }

  /** @returns the round as a line */
  add(side: SideName, round: number, numbers: Numbers): string {
    const rounds = this.#rounds.get(side) ?? [];
    rounds.push(numbers);
    this.#rounds.set(side, rounds);
    return this.#line(side, String(round), ({ name }) => numbers[name]);
  }

  summary(): readonly string[] {
    const lines = [...this.#rounds.keys()].flatMap((side) => [
      this.#line(side, 'med', ({ name }) => median(this.#all(side, name))),
      this.#line('', 'least', ({ name }) => Math.min(...this.#all(side, name))),
      this.#line('', 'most', ({ name }) => Math.max(...this.#all(side, name))),
    ]);
    if (this.#rounds.size === 2) lines.push(this.#line('ratio', '', ({ name }) => this.#ratio(name), 2));
    return lines;
  }

  toJSON(): unknown {
    const sides = [...this.#rounds].map(([side, rounds]) => {
      const medians = Object.fromEntries(columns(this.#what).map(({ name }) => [name, median(this.#all(side, name))]));
      return [side, { median: medians, rounds }];
    });
    const ratio = Object.fromEntries(columns(this.#what).map(({ name }) => [name, this.#ratio(name)]));
    return { ...this.#about, ...Object.fromEntries(sides), ...(this.#rounds.size === 2 && { ratio }) };
  }

  #all(side: SideName, name: Column): readonly number[] {
    return (this.#rounds.get(side) ?? []).map((numbers) => numbers[name]);
  }

  #ratio(name: Column): number {
    return median(this.#all('ours', name)) / median(this.#all('original', name));
  }

  #line(side: string, round: string, value: (column: Shown) => number, digits?: number): string {
    const cells = columns(this.#what).map((column) => {
      const places = digits ?? column.digits;
      const number = value(column);
      return number
        .toLocaleString('en', { minimumFractionDigits: places, maximumFractionDigits: places })
        .padStart(column.title.length);
    });
    return [side.padEnd(9), round.padEnd(5), ...cells].join('  ');
  }
}
