import type { KafkaPort } from '@bookstream/streams/kafka/port';
import type { BadRecord } from './batch.ts';
import { RebuildCancelledError } from './errors.ts';
import type { Projection } from './projection.ts';
import type { RebuildEvents } from './rebuild-events.ts';
import type { Sink } from './sink.ts';

export type RebuildPhase = 'LOAD' | 'INDEX' | 'VERIFY' | 'CATCH_UP' | 'COMPARE' | 'SWITCH';

export interface RebuildProgress {
  readonly projection: string;
  readonly build: number;
  readonly phase: RebuildPhase;
  /** Records. */
  readonly done: number;
  readonly total: number;
  /** Records per second, lately. */
  readonly rate: number;
}

/** What every step of a rebuild works on. */
export interface RebuildTask {
  readonly projection: Projection;
  readonly port: KafkaPort;
  readonly sink: Sink;
  readonly build: number;
  /** Cancelled. */
  readonly signal: AbortSignal;
  readonly events: RebuildEvents;
  readonly report: RebuildReport;
  /** Records that were left out, so far. */
  readonly bad: BadRecord[];
}

const everyMs = 1_000;

export const isCondemned = async (sink: Sink, projection: string, build: number): Promise<boolean> =>
  (await sink.builds(projection)).some((known) => known.build === build && known.state === 'DROPPED');

/** Tells how far a rebuild is, and learns on the same occasions whether it was cancelled from elsewhere. */
export class RebuildReport {
  readonly #of: Pick<RebuildTask, 'projection' | 'sink' | 'build' | 'signal' | 'events'>;
  readonly #onProgress: (progress: RebuildProgress) => void;
  #phase: RebuildPhase = 'LOAD';
  #total = 0;
  #rate = 0;
  #last = { at: performance.now(), done: 0 };
  /** Records. */
  done = 0;

  constructor(
    of: Pick<RebuildTask, 'projection' | 'sink' | 'build' | 'signal' | 'events'>,
    onProgress: (progress: RebuildProgress) => void,
  ) {
    this.#of = of;
    this.#onProgress = onProgress;
  }

  expect(total: number): void {
    this.#total = total;
  }

  /** @throws the signal's reason */
  enter(phase: RebuildPhase): void {
    this.#of.signal.throwIfAborted();
    this.#phase = phase;
    this.#tell();
  }

  #tell(): void {
    this.#onProgress({
      projection: this.#of.projection.name,
      build: this.#of.build,
      phase: this.#phase,
      done: this.done,
      total: this.#total,
      rate: this.#rate,
    });
  }

  /** To who watches and as an event, at most once a second unless `now`. @throws RebuildCancelledError – somebody condemned the build */
  async tell(now = false): Promise<void> {
    const ms = performance.now() - this.#last.at;
    if (!now && ms < everyMs) return;
    const lately = ((this.done - this.#last.done) * 1_000) / Math.max(ms, 1);
    this.#rate = this.#rate === 0 ? lately : this.#rate * 0.7 + lately * 0.3;
    this.#last = { at: performance.now(), done: this.done };
    this.#tell();
    const { projection, sink, build, events } = this.#of;
    if (await isCondemned(sink, projection.name, build)) throw new RebuildCancelledError(projection.name, build);
    await events.send({
      type: 'RebuildProgressed',
      projection: projection.name,
      build,
      done: BigInt(this.done),
      total: BigInt(this.#total),
      rate: this.#rate,
    });
  }

  /** Goes on telling while `work` runs, and ends it when that fails. */
  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController();
    const timer = setInterval(() => {
      this.tell().catch((error: unknown) => abort.abort(error));
    }, everyMs);
    try {
      return await work(AbortSignal.any([this.#of.signal, abort.signal]));
    } finally {
      clearInterval(timer);
    }
  }
}
