import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Side } from './sides.ts';

export interface ApplicationOptions {
  readonly bootstrap: string;
  readonly app: string;
  readonly mode: string;
  readonly commit: string;
  readonly threads: string;
  readonly state: string;
  readonly in: string;
  readonly out: string;
  readonly linger?: string;
}

export interface Told {
  readonly event: string;
  /** Epoch ms. */
  readonly t: number;
  readonly version?: string;
  readonly records?: number;
  readonly ms?: number;
}

/** A side in a process of its own. */
export class RunningApplication implements AsyncDisposable {
  readonly pid: number;
  readonly told: Told[] = [];
  readonly #name: string;
  readonly #child: ChildProcess;
  #listeners: (() => void)[] = [];
  #ended: string | null = null;

  constructor(side: Side, options: ApplicationOptions) {
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#name = side.name;
    this.#child = spawn(side.command, [...side.args, 'app', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.pid = this.#child.pid ?? 0;
    process.once('exit', this.#kill);
    this.#child.once('error', (error) => this.#end(error.message));
    this.#child.once('exit', (code, signal) => this.#end(`exit code ${code ?? signal}`));
    const { stdout } = this.#child;
    if (stdout !== null) createInterface({ input: stdout }).on('line', (line) => this.#take(line));
  }

  #kill = (): void => {
    this.#child.kill('SIGKILL');
  };

  #take(line: string): void {
    if (!line.startsWith('{')) return;
    this.told.push(JSON.parse(line));
    this.#wake();
  }

  #end(how: string): void {
    this.#ended ??= how;
    process.off('exit', this.#kill);
    this.#wake();
  }

  #wake(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }

  /** @throws when it has ended */
  check(): void {
    if (this.#ended !== null) throw new Error(`${this.#name} ended by itself (${this.#ended}); the round was given up`);
  }

  /** The first time that it told of `event`. @throws when it ends before, or has not in two minutes */
  async until(event: string): Promise<Told> {
    const deadline = Date.now() + 120_000;
    for (;;) {
      const told = this.told.find((one) => one.event === event);
      if (told !== undefined) return told;
      this.check();
      if (Date.now() > deadline)
        throw new Error(`${this.#name} was not "${event}" in two minutes; the round was given up`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#listeners.push(resolve);
      const timer = setTimeout(resolve, 1_000);
      await promise;
      clearTimeout(timer);
    }
  }

  get peakRssMb(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'latin1');
    return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024);
  }

  /** @throws when it does not end in a minute, or with another exit code than 0 */
  async stop(): Promise<void> {
    this.check();
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(this.#kill, 60_000);
    await exit;
    clearTimeout(timer);
    if (this.#child.exitCode !== 0) throw new Error(`${this.#name} did not end well: ${this.#ended}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended !== null) return;
    const exit = once(this.#child, 'exit');
    this.#kill();
    await exit;
  }
}
