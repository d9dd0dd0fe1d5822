import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { KafkaPort } from '../../kafka/index.ts';
import { readCommitted } from '../../test/read-committed.ts';
import { ExpectedAnswers } from './expected-answers.ts';
import { createOutputs } from './load.ts';
import { ordersOf, type Pace } from './orders.ts';
import { RunningApplication } from './running-application.ts';
import type { Side } from './sides.ts';
import { outputTopics } from './topology.ts';

/** What all measurements of a run share. */
export interface Bench {
  readonly kafka: KafkaPort;
  readonly bootstrap: string;
  readonly brokerPid: number;
  readonly folder: string;
  readonly mode: string;
  readonly commit: string;
  readonly threads: string;
  readonly linger?: string;
  readonly orders: number;
  /** Of the orders that were loaded under the suffix `inputs`. */
  readonly pace: Pace;
  readonly inputs: string;
}

/** One application with outputs and local state of its own; may be started again with what it left. */
export class Trial implements Disposable {
  readonly #bench: Bench;
  readonly #side: Side;
  readonly #name: string;
  readonly #inputs: string;

  private constructor(bench: Bench, side: Side, name: string, inputs: string) {
    this.#bench = bench;
    this.#side = side;
    this.#name = name;
    this.#inputs = inputs;
  }

  /** @param name tells it from the others on the broker */
  static async of(bench: Bench, side: Side, name: string, inputs = bench.inputs): Promise<Trial> {
    const trial = new Trial(bench, side, `${name}-${side.name}`, inputs);
    await createOutputs(bench.kafka, trial.outputs);
    return trial;
  }

  /** The suffix of its output topics. */
  get outputs(): string {
    return `-${this.#name}`;
  }

  start(): RunningApplication {
    const { bootstrap, mode, commit, threads, linger } = this.#bench;
    mkdirSync(this.#state, { recursive: true });
    return new RunningApplication(this.#side, {
      bootstrap,
      app: `order-flow-${this.#name}`,
      mode,
      commit,
      threads,
      state: this.#state,
      in: this.#inputs,
      out: this.outputs,
      ...(linger !== undefined && { linger }),
    });
  }

  /** Its outputs, against the orders that were loaded. @throws when they are wrong */
  async verify(): Promise<void> {
    const { kafka, orders, pace } = this.#bench;
    const { orderStatus, bookSales } = outputTopics(this.outputs);
    const expected = new ExpectedAnswers(ordersOf(orders, pace), this.#side.tellsEveryUpdate);
    await readCommitted(kafka, orderStatus.name, (record) => expected.takeStatus(record));
    await readCommitted(kafka, bookSales.name, (record) => expected.takeSales(record));
    expected.check();
  }

  wipe(): void {
    rmSync(this.#state, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    this.wipe();
  }

  get #state(): string {
    return join(this.#bench.folder, this.#name);
  }
}
