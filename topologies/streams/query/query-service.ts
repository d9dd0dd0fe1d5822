import { QueryError } from '../errors.ts';
import type { KafkaPort } from '../kafka/port.ts';
import type { Topology } from '../plan/topology.ts';
import type { LocalState } from '../runtime/local-state.ts';
import type { Log } from '../runtime/log.ts';
import { ApplicationQueries } from './application-queries.ts';
import type { QueryAddress, QueryDirectory } from './directory.ts';
import { LocalRows } from './local-rows.ts';
import { Peers } from './peers.ts';
import { QueryEndpoint, type QueryEndpointOptions } from './query-endpoint.ts';
import type { QueryToken } from './query-token.ts';
import type { StoreChanges } from './store-changes.ts';

export interface QueryServiceOptions {
  readonly applications: readonly { readonly applicationId: string; readonly topology: Topology }[];
  readonly instanceId: string;
  readonly queryEndpoint?: QueryEndpointOptions;
  readonly queryDirectory?: QueryDirectory;
  readonly queryTimeoutMs?: number;
  /** Null: everybody is answered. */
  readonly token: QueryToken | null;
  readonly log?: Log;
}

/** One application, as it runs here. */
export interface QueriedApplication {
  readonly local: LocalState;
  readonly changes: StoreChanges;
}

/** What this worker has of an application. */
export interface LocalApplication {
  readonly rows: LocalRows;
  readonly changes: StoreChanges;
}

/** The queries of one worker: its own, and those of other instances that come over HTTP. */
export class QueryService {
  readonly #options: QueryServiceOptions;
  readonly #applications = new Map<string, ApplicationQueries>();
  readonly #endpoint: QueryEndpoint;
  readonly #locals: ReadonlyMap<string, LocalApplication>;
  #address: QueryAddress | null = null;

  /** @param locals of each application, in their order */
  constructor(
    options: QueryServiceOptions,
    kafka: Pick<KafkaPort, 'endOffsets' | 'committedOffsets'>,
    locals: readonly QueriedApplication[],
  ) {
    this.#options = options;
    const { instanceId, queryDirectory: directory, queryTimeoutMs: timeoutMs = 1_000, token, log = () => {} } = options;
    const here = new Map<string, LocalApplication>();
    options.applications.forEach(({ applicationId, topology }, at) => {
      const application = locals[at];
      if (application === undefined) throw new TypeError(`${applicationId} runs nowhere`);
      const rows = new LocalRows({
        applicationId,
        instanceId,
        topology,
        kafka,
        local: () => application.local,
      });
      const peers = directory && new Peers({ applicationId, instanceId, directory, timeoutMs, token, log });
      const { changes } = application;
      here.set(applicationId, { rows, changes });
      this.#applications.set(applicationId, new ApplicationQueries(applicationId, rows, peers ?? null, changes));
    });
    this.#locals = here;
    const rowsOf = [...here].map(([applicationId, { rows }]): [string, LocalRows] => [applicationId, rows]);
    this.#endpoint = new QueryEndpoint(instanceId, new Map(rowsOf), token);
  }

  get address(): QueryAddress | null {
    return this.#address;
  }

  /** @throws QueryError */
  of(applicationId: string): ApplicationQueries {
    return known(this.#applications, applicationId);
  }

  /** Without other instances. @throws QueryError */
  local(applicationId: string): LocalApplication {
    return known(this.#locals, applicationId);
  }

  /** @throws Error – the endpoint's port is taken, or the directory refuses it */
  async start(): Promise<void> {
    const { queryEndpoint, queryDirectory } = this.#options;
    if (queryEndpoint === undefined) return;
    this.#address = await this.#endpoint.open(queryEndpoint, queryDirectory);
  }

  async close(): Promise<void> {
    for (const { changes } of this.#locals.values()) changes.close();
    await this.#endpoint.close();
  }
}

/** @throws QueryError – there is no such application */
export function known<T>(applications: ReadonlyMap<string, T>, applicationId: string): T {
  const application = applications.get(applicationId);
  if (application !== undefined) return application;
  const all = [...applications.keys()].join(', ');
  throw new QueryError(`this instance does not run ${applicationId}; nothing was read. It runs: ${all}.`);
}
