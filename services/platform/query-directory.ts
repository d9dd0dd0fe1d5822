import type { QueryAddress, QueryDirectory } from '@bookstream/streams';
import type { Discovery } from '../discovery/discovery.ts';

const keptMs = 1_000;

/**
 * The query endpoints of one service's instances, by discovery: each instance registers `details`. While Redis is away the last known ones
 * stay good.
 */
export class DiscoveredQueries implements QueryDirectory {
  readonly #discovery: Pick<Discovery, 'listInstances'>;
  readonly #service: string;
  readonly #now: () => number;
  #self: QueryAddress | null = null;
  #known: readonly QueryAddress[] = [];
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(discovery: Pick<Discovery, 'listInstances'>, service: string, now = () => performance.now()) {
    this.#discovery = discovery;
    this.#service = service;
    this.#now = now;
  }

  announce(self: QueryAddress): void {
    this.#self = self;
  }

  /** What this instance tells of itself when it registers. */
  get details(): Readonly<Record<string, string>> {
    return this.#self === null ? {} : { queries: `${this.#self.host}:${this.#self.port}` };
  }

  async instances(): Promise<readonly QueryAddress[]> {
    if (this.#now() - this.#askedAt < keptMs) return this.#known;
    this.#askedAt = this.#now();
    const found = await this.#discovery.listInstances(this.#service).catch(() => null);
    if (found !== null)
      this.#known = found.flatMap(({ instance, details }) => {
        const [, host, port] = /^(.+):(\d+)$/.exec(details.queries ?? '') ?? [];
        return host === undefined ? [] : [{ instanceId: instance, host, port: Number(port) }];
      });
    return this.#known;
  }
}
