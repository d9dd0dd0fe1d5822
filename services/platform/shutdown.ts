import type { Logger } from './logger.ts';

interface Step {
  readonly name: string;
  readonly run: () => Promise<void> | void;
}

const defaultDeadlineMs = 10_000;

/**
 * Ends a process in the reverse of the order in which its parts came up, within one deadline. A step that fails or hangs does not keep
 * the others from running: kafkajs, for one, can wait for ever for a stuck handler.
 */
export class Shutdown {
  readonly #steps: Step[] = [];
  readonly #deadlineMs: number;
  #running: Promise<boolean> | null = null;

  constructor(deadlineMs = defaultDeadlineMs) {
    this.#deadlineMs = deadlineMs;
  }

  get began(): boolean {
    return this.#running !== null;
  }

  add(name: string, run: () => Promise<void> | void): void {
    this.#steps.push({ name, run });
  }

  /** @returns whether every step ended well and in time. Later calls wait for the first. */
  run(logger?: Logger): Promise<boolean> {
    this.#running ??= this.#runAll(logger);
    return this.#running;
  }

  async #runAll(logger?: Logger): Promise<boolean> {
    const end = performance.now() + this.#deadlineMs;
    let well = true;
    for (const step of this.#steps.toReversed()) {
      const left = Math.max(200, end - performance.now());
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${step.name} did not end within ${Math.round(left)} ms`)), left);
      });
      try {
        await Promise.race([Promise.resolve().then(step.run), late]);
      } catch (error) {
        well = false;
        logger?.error('shutdown-step-failed', `${step.name} did not end well; the next step follows`, {
          error: error instanceof Error ? error : new Error(String(error)),
        });
      } finally {
        clearTimeout(timer);
      }
    }
    return well;
  }

  /** SIGINT and SIGTERM end the process well (exit 0; 1 when a step failed), a second one at once; so does a fault nobody caught (exit 1). */
  onSignals(logger: Logger): void {
    const end = async (code: number) => {
      const well = await this.run(logger);
      process.exit(well ? code : 1);
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (this.began) process.exit(130);
        logger.info('shutdown', `${signal}: finishing what is open, then leaving`);
        void end(0);
      });
    }
    const fault = (error: unknown) => {
      logger.error('fault', 'a fault nobody caught ends this process', {
        error: error instanceof Error ? error : new Error(String(error)),
      });
      void end(1);
    };
    process.on('uncaughtException', fault);
    process.on('unhandledRejection', fault);
  }
}
