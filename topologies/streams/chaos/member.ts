import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Told {
  readonly event: string;
  readonly step?: string;
  readonly n?: number;
  readonly message?: string;
}

const waitMs = 60_000;

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** A process of crashing-app.ts. */
export class Member implements AsyncDisposable {
  readonly name: string;
  readonly told: Told[] = [];
  /** Resolves with how it ended, when all that it said was read. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  #end: string | null = null;
  #wake = Promise.withResolvers<void>();
  readonly #kill = (): void => void this.#child.kill('SIGKILL');

  /** @param codeCache folder for compiled code, which members share: without it each start costs half a second more */
  constructor(name: string, options: Readonly<Record<string, string>>, codeCache: string) {
    this.name = name;
    // By `=`: a value may begin with a dash.
    const args = Object.entries(options).map(([option, value]) => `--${option}=${value}`);
    const program = join(import.meta.dirname, 'crashing-app.ts');
    this.#child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_COMPILE_CACHE: codeCache },
    });
    children.add(this.#child);
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        children.delete(this.#child);
        this.#end = signal ?? `exit code ${code}`;
        this.#woken();
        resolve(this.#end);
      });
    });
    const { stdout } = this.#child;
    if (stdout !== null)
      createInterface({ input: stdout }).on('line', (line) => {
        this.told.push(JSON.parse(line)); // written by crashing-app.ts only
        this.#woken();
      });
  }

  #woken(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  get alive(): boolean {
    return this.#end === null;
  }

  times(event: string): number {
    return this.told.filter((one) => one.event === event).length;
  }

  /** Waits for the `count`th time that it tells of `event`. @throws when it ends before, or has not within a minute */
  async until(event: string, count = 1): Promise<void> {
    const deadline = Date.now() + waitMs;
    while (this.times(event) < count) {
      const last = this.told.at(-1)?.message ?? '';
      if (!this.alive) throw new Error(`member ${this.name} ended (${this.#end}) before "${event}"; ${last}`);
      if (Date.now() > deadline)
        throw new Error(`member ${this.name} did not say "${event}" in ${waitMs / 1_000} s; ${last}`);
      const timer = setTimeout(() => this.#woken(), 1_000);
      await this.#wake.promise;
      clearTimeout(timer);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGTERM, and SIGKILL when that is not obeyed within half a minute. @returns how it ended */
  async stop(): Promise<string> {
    if (this.alive) this.#child.kill('SIGTERM');
    const timer = setTimeout(this.#kill, 30_000);
    const how = await this.ended;
    clearTimeout(timer);
    return how;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.alive) return;
    this.#kill();
    await this.ended;
  }
}
