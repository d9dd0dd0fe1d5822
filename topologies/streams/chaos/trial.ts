import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createOutputs } from '../bench/order-flow/load.ts';
import { randomOf } from '../bench/order-flow/orders.ts';
import { outputTopics } from '../bench/order-flow/topology.ts';
import type { ProcessingGuarantee } from '../index.ts';
import type { KafkaBroker } from '../test/kafka-broker.ts';
import { CommittedOutputs } from './committed-outputs.ts';
import type { Ground } from './ground.ts';
import { Member } from './member.ts';

export interface TrialOptions {
  readonly mode: ProcessingGuarantee;
  /** About so long would one member take over the orders if nothing happened. */
  readonly seconds: number;
  readonly seed: number;
  /** How often the row's disturbance comes. */
  readonly rounds: number;
  /** Without any progress. */
  readonly stalledMs: number;
}

/** One application on a ground: with outputs, members and local state of its own. */
export class Trial implements AsyncDisposable {
  readonly options: TrialOptions;
  readonly random: () => number;
  readonly members: Member[] = [];
  readonly #ground: Ground;
  readonly #name: string;
  readonly #outputs: CommittedOutputs;

  private constructor(ground: Ground, name: string, options: TrialOptions) {
    this.#ground = ground;
    this.#name = name;
    this.options = options;
    this.random = randomOf(options.seed);
    this.#outputs = new CommittedOutputs(ground.kafka, this.topics);
  }

  /** @param name no other trial on this ground has it */
  static async open(ground: Ground, name: string, options: TrialOptions): Promise<Trial> {
    await createOutputs(ground.kafka, `-${name}`);
    return new Trial(ground, name, options);
  }

  get topics(): ReturnType<typeof outputTopics> {
    return outputTopics(`-${this.#name}`);
  }

  get brokers(): readonly KafkaBroker[] {
    return this.#ground.brokers;
  }

  get statuses(): number {
    return this.#outputs.statuses;
  }

  get sales(): number {
    return this.#outputs.sales;
  }

  get isDone(): boolean {
    const { length } = this.#ground.orders;
    return this.statuses >= length && this.sales >= length;
  }

  /** A whole number from `least` to `most`, by the seed. */
  between(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1));
  }

  /** @param stop where the process is to stop itself, see crashing-app.ts */
  start(
    instance: string,
    stop: { readonly at?: string; readonly after?: number; readonly signal?: string } = {},
  ): Member {
    const { bootstrap, folder, inputs, orders } = this.#ground;
    const { mode, seconds } = this.options;
    const options = {
      bootstrap,
      app: `chaos-${this.#name}`,
      instance,
      state: join(folder, this.#name),
      in: inputs,
      out: `-${this.#name}`,
      mode,
      rate: String(Math.ceil((3 * orders.length) / seconds)),
      ...Object.fromEntries(Object.entries(stop).map(([name, value]) => [name, String(value)])),
    };
    const member = new Member(`${this.#name}/${instance}`, options, join(folder, 'code-cache'));
    this.members.push(member);
    return member;
  }

  /** Until that part (0 to 1) of the orders has its committed status. @throws when nothing comes any more */
  async untilDone(part: number): Promise<void> {
    const wanted = Math.ceil(part * this.#ground.orders.length);
    await this.#until(() => this.statuses >= wanted, `${wanted} orders had a status`);
  }

  /** Until all is committed, and it has been quiet for a moment; then ends the members. @returns what of that went wrong */
  async finish(): Promise<readonly string[]> {
    await this.#until(() => this.isDone, 'all was done');
    await sleep(500);
    const alive = this.members.filter((member) => member.alive);
    const ends = await Promise.all(alive.map(async (member) => ({ member, how: await member.stop() })));
    return ends.flatMap(({ member, how }) =>
      how === 'exit code 0' ? [] : [`member ${member.name} was asked to end, and ended by ${how}`],
    );
  }

  async #until(done: () => boolean, what: string): Promise<void> {
    let [seen, since] = [-1, Date.now()];
    while (!done()) {
      const all = this.statuses + this.sales;
      if (all !== seen) [seen, since] = [all, Date.now()];
      if (Date.now() - since > this.options.stalledMs)
        throw new Error(
          `nothing more came in ${this.options.stalledMs / 1_000} s before ${what}: ${this.statuses} statuses and ${this.sales} sales of ${this.#ground.orders.length} orders`,
        );
      await sleep(50);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member[Symbol.asyncDispose]()));
    await this.#outputs[Symbol.asyncDispose]();
  }
}
