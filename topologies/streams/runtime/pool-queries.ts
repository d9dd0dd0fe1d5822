import type { Topology } from '../plan/topology.ts';
import { ApplicationQueries } from '../query/application-queries.ts';
import type { QueryAddress, QueryDirectory } from '../query/directory.ts';
import { Peers } from '../query/peers.ts';
import { QueryEndpoint, type QueryEndpointOptions } from '../query/query-endpoint.ts';
import { known } from '../query/query-service.ts';
import type { QueryToken } from '../query/query-token.ts';
import { loadTopology } from './application-module.ts';
import type { Log } from './log.ts';
import { PooledChanges } from './pooled-changes.ts';
import { PooledInstance, PooledRows } from './pooled-rows.ts';
import type { AskedThread } from './supervised-thread.ts';
import type { ThreadData } from './thread-messages.ts';

export interface PoolQueriesOptions {
  readonly instanceId: string;
  readonly applications: ThreadData['applications'];
  readonly threads: readonly AskedThread[];
  readonly parkDeadLetters: boolean;
  readonly queryEndpoint?: QueryEndpointOptions | undefined;
  readonly queryDirectory?: QueryDirectory | undefined;
  /** How long a thread, or another instance, may take. */
  readonly timeoutMs: number;
  /** Null: everybody is answered. */
  readonly token: QueryToken | null;
  readonly log: Log;
}

/** The queries of a pool: its own, and those of other instances, to which it is one instance with one endpoint. */
export class PoolQueries {
  readonly #options: PoolQueriesOptions;
  readonly #rows: ReadonlyMap<string, PooledRows>;
  readonly #opened = new Map<string, Promise<ApplicationQueries>>();
  readonly #endpoint: QueryEndpoint;
  #address: QueryAddress | null = null;
  #starting: Promise<void> | null = null;

  constructor(options: PoolQueriesOptions) {
    this.#options = options;
    const { applications, instanceId, threads, timeoutMs, token } = options;
    this.#rows = new Map(
      applications.map(({ applicationId }) => [
        applicationId,
        new PooledRows({ applicationId, instanceId, threads, timeoutMs }),
      ]),
    );
    this.#endpoint = new QueryEndpoint(instanceId, this.#rows, token);
  }

  get address(): QueryAddress | null {
    return this.#address;
  }

  /** @throws QueryError – there is no such application; TopologyError – its module makes no topology here */
  async of(applicationId: string): Promise<ApplicationQueries> {
    const rows = known(this.#rows, applicationId);
    const opened = this.#opened.get(applicationId) ?? this.#open(applicationId, rows);
    this.#opened.set(applicationId, opened);
    opened.catch(() => this.#opened.delete(applicationId)); // tried again with the next query
    return opened;
  }

  async #open(applicationId: string, rows: PooledRows): Promise<ApplicationQueries> {
    const { instanceId, queryDirectory: directory, timeoutMs, threads, token, log } = this.#options;
    const here = new PooledInstance(applicationId, await this.#topologyOf(applicationId), rows);
    const peers = directory && new Peers({ applicationId, instanceId, directory, timeoutMs, token, log });
    return new ApplicationQueries(applicationId, here, peers ?? null, new PooledChanges(applicationId, threads));
  }

  /** As the threads have made it: with its serdes, which cannot be sent. */
  async #topologyOf(applicationId: string): Promise<Topology> {
    const { applications, parkDeadLetters } = this.#options;
    const modules = new Map(applications.map((one) => [one.applicationId, one]));
    const { url, data } = known(modules, applicationId);
    const topology = await loadTopology(url, structuredClone(data));
    return parkDeadLetters ? topology.parkingDeadLetters() : topology;
  }

  /** @throws Error – the endpoint's port is taken, or the directory refuses it */
  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    const { queryEndpoint, queryDirectory } = this.#options;
    if (queryEndpoint !== undefined) this.#address = await this.#endpoint.open(queryEndpoint, queryDirectory);
  }

  close(): Promise<void> {
    return this.#endpoint.close();
  }
}
