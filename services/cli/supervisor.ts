import { join } from 'node:path';
import { EngineError } from '../engines/errors.ts';
import { freePort } from '../engines/ports.ts';
import { ManagedProcess } from '../engines/process.ts';

export interface ChildSpec {
  /** Name of the service, of its log and, with its number, of the instance. */
  readonly name: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
}

const readyWithinMs = 90_000;
const restartsAllowed = 5;
const restartWindowMs = 60_000;

/** Runs one service process, brings it back when it dies, and gives up when it dies again and again. */
export class Supervised {
  readonly name: string;
  readonly #spec: ChildSpec;
  readonly #say: (line: string) => void;
  readonly #onGivenUp: (error: EngineError) => void;
  #process: ManagedProcess | null = null;
  #healthPort = 0;
  #stopping = false;
  #restarts: number[] = [];

  constructor(spec: ChildSpec, say: (line: string) => void, onGivenUp: (error: EngineError) => void) {
    this.name = spec.name;
    this.#spec = spec;
    this.#say = say;
    this.#onGivenUp = onGivenUp;
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  get healthUrl(): string {
    return `http://127.0.0.1:${this.#healthPort}/readyz`;
  }

  /** Resolves when the service says that it is ready. @throws EngineError with the end of its log */
  async start(): Promise<void> {
    this.#healthPort = await freePort();
    const child = await this.#launch();
    await this.#untilReady(child);
    void this.#watch(child);
  }

  #launch(): Promise<ManagedProcess> {
    const { name, args, env, logFile } = this.#spec;
    return ManagedProcess.launch({
      name,
      command: process.execPath,
      args: ['--disable-warning=TimeoutNegativeWarning', join(import.meta.dirname, 'bookstream.ts'), ...args],
      env: { ...env, HEALTH_PORT: String(this.#healthPort), BOOKSTREAM_INSTANCE: name },
      logFile,
    }).then((child) => {
      this.#process = child;
      return child;
    });
  }

  async #untilReady(child: ManagedProcess): Promise<void> {
    await child.until('/readyz', () => isReady(this.healthUrl), readyWithinMs);
  }

  async #watch(child: ManagedProcess): Promise<void> {
    const how = await child.exited;
    if (this.#stopping) return;
    const now = Date.now();
    this.#restarts = [...this.#restarts.filter((at) => now - at < restartWindowMs), now];
    if (this.#restarts.length > restartsAllowed) {
      this.#onGivenUp(
        new EngineError(this.name, `${this.name} died ${this.#restarts.length} times within a minute (last: ${how}).`, {
          cure: `see ${child.logFile}.`,
          logTail: child.tail(),
        }),
      );
      return;
    }
    this.#say(`${this.name} ended (${how}); starting it again`);
    try {
      const next = await this.#launch();
      if (this.#stopping) await next.stop();
      else void this.#watch(next);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.#onGivenUp(error); // not even the program could be run
    }
  }

  /** Ends it for good and waits for that. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#process?.stop(12_000); // its own deadline is 10 s
  }
}

/** @throws Error with what is not ready yet */
export async function isReady(url: string): Promise<void> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  const body: unknown = await answer.json();
  if (answer.ok) return;
  const parts =
    typeof body === 'object' && body !== null && 'parts' in body ? (body.parts as Record<string, string>) : {}; // Health's report
  const waiting = Object.entries(parts).filter(([, state]) => state !== 'ready');
  throw new Error(waiting.map(([part, state]) => `${part}: ${state}`).join(', ') || `HTTP ${answer.status}`);
}
