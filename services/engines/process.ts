import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { cureFor, EngineError } from './errors.ts';
import { unwatch, watch } from './watchdog.ts';

export interface LaunchOptions {
  /** What people call it: `Kafka`, `gateway`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Standard output and error are appended here. */
  readonly logFile: string;
  readonly uid?: number;
  readonly gid?: number;
  /** What asks it to end well; the default is SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
}

/**
 * A child that does not outlive us: it runs in a session of its own (so that Ctrl-C reaches us first and we stop the children in order)
 * and the watchdog ends it when we die without a word.
 */
export class ManagedProcess {
  static readonly #all = new Set<ManagedProcess>();

  readonly name: string;
  readonly logFile: string;
  readonly pid: number;
  /** Resolves with how it ended: `exit 1`, `SIGKILL`. Never rejects. */
  readonly exited: Promise<string>;
  #ended: string | null = null;
  readonly #child: ChildProcess;
  readonly #stopSignal: NodeJS.Signals;
  /** Where this run's output begins in the log: what an earlier run wrote explains nothing. */
  readonly #logStart: number;

  private constructor(child: ChildProcess, pid: number, options: LaunchOptions, logStart: number) {
    this.name = options.name;
    this.logFile = options.logFile;
    this.pid = pid;
    this.#child = child;
    this.#stopSignal = options.stopSignal ?? 'SIGTERM';
    this.#logStart = logStart;
    watch(pid, this.#stopSignal);
    ManagedProcess.#all.add(this);
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#ended = signal ?? `exit ${code}`;
        unwatch(pid);
        ManagedProcess.#all.delete(this);
        resolve(this.#ended);
      });
    });
  }

  /** @throws EngineError when the command cannot be run at all */
  static async launch(options: LaunchOptions): Promise<ManagedProcess> {
    mkdirSync(dirname(options.logFile), { recursive: true });
    const log = openSync(options.logFile, 'a');
    const logStart = fstatSync(log).size;
    try {
      const child = spawn(options.command, options.args, {
        stdio: ['ignore', log, log],
        detached: true,
        env: options.env ?? process.env,
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        ...(options.uid === undefined ? {} : { uid: options.uid }),
        ...(options.gid === undefined ? {} : { gid: options.gid }),
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      if (child.pid === undefined) throw new Error('no process id'); // Node gives one with every `spawn` event
      return new ManagedProcess(child, child.pid, options, logStart);
    } catch (cause) {
      throw new EngineError(options.name, `${options.name} was not started: ${String(cause)}.`, {
        cure: `see that \`${options.command}\` is installed and on the PATH.`,
        cause,
      });
    } finally {
      closeSync(log);
    }
  }

  /** Ends whatever this process still runs, at the same time: for when a start is given up half way. */
  static async stopAll(): Promise<void> {
    await Promise.all([...ManagedProcess.#all].map((process) => process.stop()));
  }

  get alive(): boolean {
    return this.#ended === null;
  }

  /** The last lines this run wrote, oldest first. */
  tail(lines = 20): readonly string[] {
    let file: number;
    try {
      file = openSync(this.logFile, 'r');
    } catch {
      return []; // the data folder is gone: there is nothing to show
    }
    try {
      const size = fstatSync(file).size;
      const from = Math.max(this.#logStart, size - 64 * 1024);
      const bytes = Buffer.alloc(Math.max(0, size - from));
      readSync(file, bytes, 0, bytes.length, from);
      return bytes
        .toString('utf8')
        .split('\n')
        .filter((line) => line.trim() !== '')
        .slice(-lines);
    } finally {
      closeSync(file);
    }
  }

  kill(signal: NodeJS.Signals): void {
    if (this.alive) this.#child.kill(signal);
  }

  /** Asks it to end, and ends it when it has not done so within `graceMs`. Safe to call again. */
  async stop(graceMs = 10_000): Promise<void> {
    if (!this.alive) return;
    this.#child.kill(this.#stopSignal);
    const late = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.exited;
    clearTimeout(late);
  }

  /**
   * Waits until `ready` resolves without throwing, asking every `everyMs`.
   * @throws EngineError with the last lines of the log and the cure, when the process ends first or `deadlineMs` passes
   */
  async until(what: string, ready: () => Promise<unknown>, deadlineMs: number, everyMs = 100): Promise<void> {
    const deadline = Date.now() + deadlineMs;
    let last: unknown = null;
    while (this.alive) {
      try {
        await ready();
        if (!this.alive) break; // then another's engine answered under its address
        return;
      } catch (error) {
        last = error;
      }
      if (Date.now() > deadline) {
        await this.stop(2_000);
        const reason = last instanceof Error ? last.message : String(last);
        throw this.#failure(
          `${this.name} did not become ready within ${deadlineMs / 1000} s (${what}: ${reason}) and was ended.`,
          last,
        );
      }
      await Promise.race([this.exited, new Promise((resolve) => setTimeout(resolve, everyMs))]);
    }
    throw this.#failure(`${this.name} ended while starting (${this.#ended}).`, last);
  }

  #failure(what: string, cause: unknown): EngineError {
    const logTail = this.tail();
    return new EngineError(this.name, what, { cure: cureFor(logTail, this.logFile), logTail, cause });
  }
}
