import { QueryError } from '../errors.ts';
import type { KafkaPort } from '../kafka/port.ts';
import type { Topology } from '../plan/topology.ts';
import type { LocalState } from '../runtime/local-state.ts';
import { ApplicationQueries } from './application-queries.ts';
import type { QueryAddress, QueryDirectory } from './directory.ts';
import { LocalRows } from './local-rows.ts';
import { Peers } from './peers.ts';
import { QueryEndpoint, type QueryEndpointOptions } from './query-endpoint.ts';
import type { StoreChanges } from './store-changes.ts';

export interface QueryServiceOptions {
  readonly applications: readonly { readonly applicationId: string; readonly topology: Topology }[];
  readonly instanceId: string;
  readonly queryEndpoint?: QueryEndpointOptions;
  readonly queryDirectory?: QueryDirectory;
  readonly queryTimeoutMs?: number;
}

/** One application, as it runs here. */
export interface QueriedApplication {
  readonly local: LocalState;
  readonly changes: StoreChanges;
}

/** The queries of one worker: its own, and those of other instances that come over HTTP. */
export class QueryService {
  readonly #options: QueryServiceOptions;
  readonly #applications = new Map<string, ApplicationQueries>();
  readonly #endpoint: QueryEndpoint;
  readonly #locals: readonly QueriedApplication[];
  #address: QueryAddress | null = null;

  /** @param locals of each application, in their order */
  constructor(
    options: QueryServiceOptions,
    kafka: Pick<KafkaPort, 'endOffsets' | 'committedOffsets'>,
    locals: readonly QueriedApplication[],
  ) {
    this.#options = options;
    this.#locals = locals;
    const { instanceId, queryDirectory: directory, queryTimeoutMs: timeoutMs = 1_000 } = options;
    const rows = new Map<string, LocalRows>();
    options.applications.forEach(({ applicationId, topology }, at) => {
      const application = locals[at];
      if (application === undefined) throw new TypeError(`${applicationId} runs nowhere`);
      const ofApplication = new LocalRows({
        applicationId,
        instanceId,
        topology,
        kafka,
        local: () => application.local,
      });
      const peers = directory && new Peers({ applicationId, instanceId, directory, timeoutMs });
      rows.set(applicationId, ofApplication);
      this.#applications.set(
        applicationId,
        new ApplicationQueries(applicationId, ofApplication, peers ?? null, application.changes),
      );
    });
    this.#endpoint = new QueryEndpoint(instanceId, rows);
  }

  get address(): QueryAddress | null {
    return this.#address;
  }

  /** @throws QueryError */
  of(applicationId: string): ApplicationQueries {
    const queries = this.#applications.get(applicationId);
    if (queries !== undefined) return queries;
    const known = [...this.#applications.keys()].join(', ');
    throw new QueryError(`this worker does not run ${applicationId}; nothing was read. It runs: ${known}.`);
  }

  /** @throws Error – the endpoint's port is taken, or the directory refuses it */
  async start(): Promise<void> {
    const { queryEndpoint, queryDirectory, instanceId } = this.#options;
    if (queryEndpoint === undefined) return;
    const port = await this.#endpoint.listen(queryEndpoint);
    this.#address = { instanceId, host: queryEndpoint.advertisedHost ?? queryEndpoint.host, port };
    await queryDirectory?.announce(this.#address);
  }

  async close(): Promise<void> {
    for (const { changes } of this.#locals) changes.close();
    await this.#endpoint.close();
  }
}
