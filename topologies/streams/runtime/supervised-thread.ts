import { setTimeout as sleep } from 'node:timers/promises';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { BehaviorSubject, Subject } from 'rxjs';
import type { ApplicationState } from './application-runner.ts';
import { type Log, messageOf } from './log.ts';
import type { RestoreProgress } from './restore-progress.ts';
import { closeThread, errorOf, type FromThread, fromPlain, type ThreadData } from './thread-messages.ts';

export interface SupervisedThreadOptions {
  readonly program: URL;
  readonly data: ThreadData;
  readonly resourceLimits: ResourceLimits;
  readonly closeTimeoutMs: number;
  readonly log: Log;
}

const firstBackoffMs = 100;
const lastBackoffMs = 10_000;
/** A thread that ran so long had begun well: the next fault is a new one. */
const steadyMs = 30_000;

/** A thread that is replaced by another one, after a pause that grows, whenever it ends by itself: an uncaught error, an exit, no memory left. */
export class SupervisedThread {
  /** By application. `ERROR` from the end of a thread until its successor tells otherwise. */
  readonly states$: BehaviorSubject<ReadonlyMap<string, ApplicationState>>;
  readonly restore$ = new Subject<RestoreProgress>();
  readonly #options: SupervisedThreadOptions;
  readonly #log: Log;
  readonly #started = Promise.withResolvers<void>();
  #isSettled = false;
  #isBegun = false;
  #thread: Worker | null = null;
  /** It has said that all is closed. */
  #isClosed = false;
  #exited: Promise<void> = Promise.resolve();
  #failure: unknown = null;
  #runningSince = Number.POSITIVE_INFINITY;
  #backoffMs = firstBackoffMs;
  #restart: NodeJS.Timeout | undefined;
  #closing: Promise<void> | null = null;

  constructor(options: SupervisedThreadOptions) {
    this.#options = options;
    this.states$ = new BehaviorSubject(this.#all('CREATED'));
    const { instanceId } = options.data;
    this.#log = (level, event, message, fields) =>
      options.log(level, event, message, { ...fields, worker: instanceId });
    this.#started.promise.catch(() => {}); // `start` hands it on
  }

  /**
   * Resolves when every application runs on it. A thread that ends in between is replaced, and this goes on waiting.
   * @throws what keeps it from starting: no module, a missing topic, an old broker; or that it was closed meanwhile
   */
  start(): Promise<void> {
    if (!this.#isBegun && this.#closing === null) this.#begin();
    return this.#started.promise;
  }

  #all(state: ApplicationState): ReadonlyMap<string, ApplicationState> {
    return new Map(this.#options.data.applications.map(({ applicationId }) => [applicationId, state]));
  }

  #begin(): void {
    const { program, data, resourceLimits } = this.#options;
    const thread = new Worker(program, { workerData: data, resourceLimits, name: data.instanceId });
    this.#thread = thread;
    this.#isBegun = true;
    this.#failure = null;
    this.#runningSince = Number.POSITIVE_INFINITY;
    const exited = Promise.withResolvers<void>();
    this.#exited = exited.promise;
    thread.on('message', (said: FromThread) => this.#hear(thread, said));
    thread.on('error', (error) => {
      this.#failure = error;
    });
    thread.on('exit', (code) => {
      this.#thread = null;
      exited.resolve();
      if (this.#closing === null) this.#ended(this.#failure ?? new Error(`it ended with exit code ${code}`));
    });
  }

  #hear(thread: Worker, said: FromThread): void {
    switch (said.kind) {
      case 'states':
        this.states$.next(said.states);
        break;
      case 'restore':
        this.restore$.next(said.progress);
        break;
      case 'log':
        // Of a record of fields nothing else than one is made.
        for (const [level, event, message, fields] of said.entries)
          this.#log(level, event, message, fromPlain(fields) as Parameters<Log>[3]);
        break;
      case 'running':
        this.#runningSince = performance.now();
        this.#isSettled = true;
        this.#started.resolve();
        break;
      case 'refused':
        if (this.#closing !== null) break;
        if (this.#isSettled) {
          this.#failure = errorOf(said.error);
          void thread.terminate(); // 'exit' follows
          break;
        }
        this.#isSettled = true;
        this.#started.reject(errorOf(said.error));
        break;
      case 'closed':
        this.#isClosed = true; // 'exit' follows
    }
  }

  #ended(why: unknown): void {
    if (performance.now() - this.#runningSince > steadyMs) this.#backoffMs = firstBackoffMs;
    const waitMs = this.#backoffMs;
    this.#backoffMs = Math.min(waitMs * 2, lastBackoffMs);
    this.states$.next(this.#all('ERROR'));
    const { instanceId } = this.#options.data;
    const text = `${instanceId} ended and is replaced in ${waitMs} ms: ${messageOf(why)}`;
    this.#log('error', 'thread-failed', text, { error: why });
    this.#restart = setTimeout(() => this.#begin(), waitMs);
  }

  /** Commits what is done and ends the thread; by force, when it takes longer than `closeTimeoutMs`. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { closeTimeoutMs, data } = this.#options;
    clearTimeout(this.#restart);
    const thread = this.#thread;
    thread?.postMessage(closeThread);
    const late = new AbortController();
    const isLate = sleep(closeTimeoutMs, true, { signal: late.signal }).catch(() => false);
    const isForced = await Promise.race([isLate, this.#exited.then(() => false)]);
    if (isForced) await thread?.terminate();
    if (thread !== null && !this.#isClosed) {
      const how = isForced ? `was ended by force after ${closeTimeoutMs} ms` : `ended while it was closed`;
      const text = `${data.instanceId} ${how}, with work uncommitted, which comes again`;
      this.#log('warn', 'close-failed', text, this.#failure === null ? {} : { error: this.#failure });
    }
    late.abort();
    this.#isSettled = true;
    this.#started.reject(new Error(`${data.instanceId} was closed before it ran`));
    this.states$.next(this.#all('CLOSED'));
    this.restore$.complete();
  }
}
