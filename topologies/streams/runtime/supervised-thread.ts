import { setTimeout as sleep } from 'node:timers/promises';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { BehaviorSubject, filter, firstValueFrom, Subject } from 'rxjs';
import { QueryError } from '../errors.ts';
import type { ApplicationState } from './application-runner.ts';
import { type Log, messageOf } from './log.ts';
import type { RestoreProgress } from './restore-progress.ts';
import {
  errorOf,
  type FromThread,
  fromPlain,
  type PlainError,
  type ThreadAnswers,
  type ThreadData,
  type ToThread,
} from './thread-messages.ts';

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

/** What those need of it who ask it. */
export type AskedThread = Pick<SupervisedThread, 'up' | 'ask'>;

interface Question {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** Who queries is promised the class. */
const queryErrorOf = (plain: PlainError): Error => {
  const error = errorOf(plain);
  return plain.fields.code === 'QUERY' ? new QueryError(plain.message, { cause: error }) : error;
};

/** A thread that is replaced by another one, after a pause that grows, whenever it ends by itself: an uncaught error, an exit, no memory left. */
export class SupervisedThread {
  /** By application. `ERROR` from the end of a thread until its successor tells otherwise. */
  readonly states$: BehaviorSubject<ReadonlyMap<string, ApplicationState>>;
  readonly restore$ = new Subject<RestoreProgress>();
  /** `up`: it answers questions. */
  readonly life$ = new BehaviorSubject<'down' | 'up' | 'closed'>('down');
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
  #closing: Promise<readonly string[] | null> | null = null;
  #replaced = 0;
  #paused: ReadonlySet<string> = new Set();
  readonly #questions = new Map<number, Question>();
  #lastQuestion = 0;

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

  get instanceId(): string {
    return this.#options.data.instanceId;
  }

  /** How often another one has taken its place. */
  get replaced(): number {
    return this.#replaced;
  }

  /** Resolves when it answers; with false when it never will again. */
  async up(): Promise<boolean> {
    return (await firstValueFrom(this.life$.pipe(filter((life) => life !== 'down')))) === 'up';
  }

  /**
   * @param timeoutMs absent: as long as it takes
   * @returns undefined: it does not answer, since it is being replaced, or closed, or too busy
   * @throws what it throws, by its `code`
   */
  async ask<W extends keyof ThreadAnswers>(
    what: W,
    about: Parameters<ThreadAnswers[W]>,
    timeoutMs?: number,
  ): Promise<Awaited<ReturnType<ThreadAnswers[W]>> | undefined> {
    if (this.life$.value !== 'up') return undefined;
    this.#lastQuestion += 1;
    const id = this.#lastQuestion;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#questions.set(id, { resolve, reject });
    this.#say({ kind: 'ask', id, what, about });
    const late = timeoutMs === undefined ? undefined : setTimeout(() => resolve(undefined), timeoutMs);
    try {
      return (await promise) as Awaited<ReturnType<ThreadAnswers[W]>> | undefined; // what the thread gives is typed so
    } finally {
      clearTimeout(late);
      this.#questions.delete(id);
    }
  }

  /** These applications and no others pause, also on its successors. */
  pause(applications: ReadonlySet<string>): void {
    this.#paused = applications;
    this.#say({ kind: 'pause', applications });
  }

  #say(said: ToThread): void {
    this.#thread?.postMessage(said);
  }

  #all(state: ApplicationState): ReadonlyMap<string, ApplicationState> {
    return new Map(this.#options.data.applications.map(({ applicationId }) => [applicationId, state]));
  }

  #begin(): void {
    const { program, data, resourceLimits } = this.#options;
    const thread = new Worker(program, { workerData: data, resourceLimits, name: data.instanceId });
    this.#thread = thread;
    this.#isBegun = true;
    if (this.#paused.size > 0) this.pause(this.#paused);
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
      if (this.life$.value === 'up') this.life$.next('down');
      for (const { resolve } of this.#questions.values()) resolve(undefined);
      exited.resolve();
      if (this.#closing === null) this.#ended(this.#failure ?? new Error(`it ended with exit code ${code}`));
    });
  }

  #hear(thread: Worker, said: FromThread): void {
    switch (said.kind) {
      case 'states':
        if (this.life$.value === 'down') this.life$.next('up');
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
      case 'answer': {
        const question = this.#questions.get(said.id); // none: it is too late
        if ('error' in said) question?.reject(queryErrorOf(said.error));
        else question?.resolve(said.answer);
        break;
      }
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
    this.#restart = setTimeout(() => {
      this.#replaced += 1;
      this.#begin();
    }, waitMs);
  }

  /**
   * Commits what is done and ends the thread; by force, when it takes longer.
   * @returns null: all is closed; else it was ended by force, or by itself, and these are the applications that were not
   */
  close(timeoutMs = this.#options.closeTimeoutMs): Promise<readonly string[] | null> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(closeTimeoutMs: number): Promise<readonly string[] | null> {
    const { data } = this.#options;
    clearTimeout(this.#restart);
    const thread = this.#thread;
    this.#say({ kind: 'close' });
    const late = new AbortController();
    const isLate = sleep(closeTimeoutMs, true, { signal: late.signal }).catch(() => false);
    const isForced = await Promise.race([isLate, this.#exited.then(() => false)]);
    if (isForced) await thread?.terminate();
    const open = [...this.states$.value].flatMap(([id, state]) => (state === 'CLOSED' ? [] : id));
    const left = thread === null || this.#isClosed ? null : open;
    if (left !== null) {
      const how = isForced ? `was ended by force after ${closeTimeoutMs} ms` : `ended while it was closed`;
      const text = `${data.instanceId} ${how}, with work uncommitted, which comes again`;
      this.#log('warn', 'close-failed', text, this.#failure === null ? {} : { error: this.#failure });
    }
    late.abort();
    this.#isSettled = true;
    this.#started.reject(new Error(`${data.instanceId} was closed before it ran`));
    this.states$.next(this.#all('CLOSED'));
    this.life$.next('closed');
    this.restore$.complete();
    return left;
  }
}
