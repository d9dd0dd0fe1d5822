import type { Log } from '../runtime/log.ts';
import type { QueryAddress, QueryDirectory } from './directory.ts';
import type { RowAnswer, TasksHere } from './queried-instance.ts';
import type { QueryToken } from './query-token.ts';
import { decodeAnswer, encodeQuery } from './row-codec.ts';
import type { RowQuery } from './row-query.ts';

export interface PeersOptions {
  readonly applicationId: string;
  readonly instanceId: string;
  readonly directory: QueryDirectory;
  /** How long another instance may take, ms. */
  readonly timeoutMs: number;
  /** What they are shown; null: nothing. */
  readonly token: QueryToken | null;
  readonly log: Log;
}

export interface Peer {
  readonly address: QueryAddress;
  readonly here: TasksHere;
}

/** How long an instance that did not answer is not asked, ms: a query should not wait for it each time. */
const shunnedMs = 1_000;

/** The other instances of one application. Whatever they do, it answers: with null, or an empty list. */
export class Peers {
  readonly #options: PeersOptions;
  readonly #shunned = new Map<string, number>();
  /** Those that do not take our token; told once, until they do. */
  readonly #refusing = new Set<string>();
  #known: readonly Peer[] = [];
  #refreshing: Promise<void> | null = null;

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** Who had the task when they were last asked; of several the one that the group has spoken to last. */
  ownerOf(taskId: string): Peer | null {
    const owners = this.#known.filter(({ here }) => here.tasks.includes(taskId));
    return owners.reduce<Peer | null>(
      (best, one) => (best === null || one.here.generationId > best.here.generationId ? one : best),
      null,
    );
  }

  /** Asks everybody what they have. Calls at the same time share one round. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #refresh(): Promise<void> {
    const { applicationId } = this.#options;
    const path = `/tasks?application=${encodeURIComponent(applicationId)}`;
    const peers = await this.#ofAll(async (address): Promise<Peer | null> => {
      const text = await this.#ask(address, path, null);
      return text === null ? null : { address, here: JSON.parse(text) };
    });
    this.#known = peers;
  }

  async rows(address: QueryAddress, store: string, partition: number, query: RowQuery): Promise<RowAnswer | null> {
    const application = this.#options.applicationId;
    const head = JSON.stringify({ application, store, partition }).slice(0, -1);
    const text = await this.#ask(address, '/rows', `${head},"query":${encodeQuery(query)}}`);
    return text === null ? null : decodeAnswer(text);
  }

  /** What anybody has of it, also of tasks that are not theirs any more. */
  rowsOfAll(store: string, partition: number, query: RowQuery): Promise<readonly RowAnswer[]> {
    return this.#ofAll((address) => this.rows(address, store, partition, query));
  }

  async #ofAll<T>(ask: (address: QueryAddress) => Promise<T | null>): Promise<readonly T[]> {
    const { directory, instanceId } = this.#options;
    const all = await Promise.resolve()
      .then(() => directory.instances())
      .catch(() => []); // a directory that is away makes no query fail
    const others = all.filter((one) => one.instanceId !== instanceId);
    const answers = await Promise.all(others.map(ask));
    return answers.filter((answer) => answer !== null);
  }

  #tell({ instanceId }: QueryAddress, base: string, status: number): void {
    if (status !== 401) this.#refusing.delete(base);
    if (status !== 401 || this.#refusing.has(base)) return;
    this.#refusing.add(base);
    const { applicationId, log } = this.#options;
    const text = `${applicationId}: ${instanceId} at ${base} answers no queries of this instance, so what it has is missing or stale here: give both the same queryToken`;
    log('warn', 'query-refused', text, { applicationId, instanceId });
  }

  /** Null: no answer, or a refusal. */
  async #ask(address: QueryAddress, path: string, body: string | null): Promise<string | null> {
    const base = `http://${address.host}:${address.port}`;
    if (performance.now() < (this.#shunned.get(base) ?? 0)) return null;
    const { token, timeoutMs } = this.#options;
    try {
      const response = await fetch(base + path, {
        ...(body !== null && { method: 'POST', body }),
        headers: {
          ...(body !== null && { 'content-type': 'application/json' }),
          ...(token !== null && { authorization: token.authorization }),
        },
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.text();
      this.#tell(address, base, response.status);
      return response.ok ? text : null;
    } catch {
      this.#shunned.set(base, performance.now() + shunnedMs); // gone or frozen: others may know
      return null;
    }
  }
}
