import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../engines/ports.ts';
import { ManagedProcess } from '../../engines/process.ts';
import { toolsFolder } from '../../engines/tools.ts';

const startWithinMs = 300_000;

/**
 * The shop of a checkout, this one or another, by `npm start` in its folder, on data and a port of its own that last from start to start. When
 * this process is killed, the watchdog ends the shop; its folder is left then.
 */
export class StartedShop implements AsyncDisposable {
  readonly origin: string;
  readonly #checkout: string;
  readonly #dataDir: string;
  readonly #env: NodeJS.ProcessEnv;
  #starts = 0;
  #process: ManagedProcess | null = null;

  private constructor(checkout: string, dataDir: string, port: number) {
    this.origin = `http://127.0.0.1:${port}`;
    this.#checkout = checkout;
    this.#dataDir = dataDir;
    // What npm told this process is true of this checkout only; the engines that were downloaded are those of all.
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_') && name !== 'INIT_CWD');
    this.#env = {
      ...Object.fromEntries(inherited),
      BOOKSTREAM_DATA: dataDir,
      BOOKSTREAM_TOOLS: toolsFolder(),
      PORT: String(port),
    };
  }

  static async prepare(checkout: string): Promise<StartedShop> {
    return new StartedShop(checkout, mkdtempSync(join(tmpdir(), 'bookstream-confirmed-')), await freePort());
  }

  /** The ancestor of all its processes. */
  get pid(): number {
    if (this.#process === null) throw new Error(`the shop of ${this.#checkout} has not been started`);
    return this.#process.pid;
  }

  /** Resolves when it is up and seeded. @throws EngineError with the end of its log and the cure */
  async start(): Promise<void> {
    this.#starts += 1;
    const logFile = join(this.#dataDir, `npm-start-${this.#starts}.log`);
    this.#process = await ManagedProcess.launch({
      name: `the shop of ${this.#checkout}`,
      command: 'npm',
      args: ['start', '--', '--no-web'],
      cwd: this.#checkout,
      env: this.#env,
      logFile,
    });
    const isUp = async (): Promise<void> => {
      if (!readFileSync(logFile, 'utf8').includes('Bookstream is up')) throw new Error('it has not said that it is up');
    };
    await this.#process.until('its word that it is up', isUp, startWithinMs);
  }

  async stop(): Promise<void> {
    const running = this.#process;
    if (running === null) return;
    this.#process = null;
    if (!running.alive) return;
    execFileSync('npm', ['run', '-s', 'bookstream', '--', 'down'], {
      cwd: this.#checkout,
      env: this.#env,
      stdio: 'ignore',
    });
    await running.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.stop();
    } finally {
      rmSync(this.#dataDir, { recursive: true, force: true });
    }
  }
}
