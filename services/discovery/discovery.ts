import { Redis } from 'ioredis';

/** A process of a service that is alive: it has said so within the last `ttlMs`. */
export interface Instance {
  readonly service: string;
  /** Unique within the service. */
  readonly instance: string;
  /** Where its own API answers; null for one that only works on topics. */
  readonly url: string | null;
  /** Where `/readyz` answers. */
  readonly healthUrl: string;
  readonly pid: number;
  /** Epoch ms. */
  readonly startedAt: number;
  /** Free to each service: applications, tasks, stores it holds. */
  readonly details: Readonly<Record<string, string>>;
}

/** One whose API can be called. */
export type Reachable = Instance & { readonly url: string };

export interface DiscoveryOptions {
  readonly redisUrl: string;
  /** How long a silent instance counts as alive. */
  readonly ttlMs?: number;
  readonly heartbeatMs?: number;
}

export interface Registration {
  /** Changes what the next heartbeat says. */
  update(details: Readonly<Record<string, string>>): void;
  /** Takes the instance out at once. */
  close(): Promise<void>;
}

const prefix = 'bookstream:instance:';
const keyOf = (service: string, instance: string) => `${prefix}${service}:${instance}`;

/**
 * Who runs where. Redis holds one key an instance, which dies with its heartbeat. When Redis is away nobody stops: heartbeats go on trying,
 * and the last known address of a service stays good.
 */
export class Discovery {
  readonly #redis: Redis;
  readonly #ttlMs: number;
  readonly #heartbeatMs: number;
  readonly #lastKnown = new Map<string, readonly Reachable[]>();
  #turn = 0;

  constructor(options: DiscoveryOptions) {
    this.#ttlMs = options.ttlMs ?? 10_000;
    this.#heartbeatMs = options.heartbeatMs ?? 3_000;
    this.#redis = new Redis(options.redisUrl, {
      lazyConnect: true,
      connectTimeout: 2_000,
      commandTimeout: 2_000,
      maxRetriesPerRequest: 1,
      retryStrategy: (attempt) => Math.min(2_000, attempt * 100),
    });
    this.#redis.on('error', () => undefined); // every command that matters rejects with it
  }

  /** Tells of this process now and every heartbeat. @throws Error when Redis does not take the first one */
  async register(
    self: Omit<Instance, 'pid' | 'startedAt' | 'details'> & Partial<Pick<Instance, 'details'>>,
  ): Promise<Registration> {
    let told: Instance = { details: {}, ...self, pid: process.pid, startedAt: Date.now() };
    const key = keyOf(self.service, self.instance);
    const tell = async () => void (await this.#redis.set(key, JSON.stringify(told), 'PX', this.#ttlMs));
    await tell();
    const timer = setInterval(() => void tell().catch(() => undefined), this.#heartbeatMs); // the next one may succeed
    timer.unref();
    return {
      update: (details) => {
        told = { ...told, details };
      },
      close: async () => {
        clearInterval(timer);
        await this.#redis.del(key).catch(() => undefined); // it dies by itself within ttlMs
      },
    };
  }

  /** Those alive, of one service or all, ordered by service and instance. @throws Error when Redis is away */
  async listInstances(service?: string): Promise<readonly Instance[]> {
    const keys: string[] = [];
    let cursor = '0';
    do {
      const [next, found] = await this.#redis.scan(cursor, 'MATCH', `${prefix}${service ?? '*'}:*`, 'COUNT', 200);
      keys.push(...found);
      cursor = next;
    } while (cursor !== '0');
    if (keys.length === 0) return [];
    const values = await this.#redis.mget(...new Set(keys));
    return values
      .flatMap((value) => (value === null ? [] : [JSON.parse(value) as Instance])) // written by `register` only
      .toSorted((a, b) => `${a.service} ${a.instance}`.localeCompare(`${b.service} ${b.instance}`));
  }

  /**
   * An instance of `service` that has an API, each in turn.
   * @returns null when none is known; while Redis is away the last known ones are used
   */
  async findService(service: string): Promise<Reachable | null> {
    const found = await this.listInstances(service).then(
      (instances) => instances.filter((instance): instance is Reachable => instance.url !== null),
      () => this.#lastKnown.get(service) ?? [],
    );
    if (found.length > 0) this.#lastKnown.set(service, found);
    this.#turn += 1;
    return found[this.#turn % Math.max(1, found.length)] ?? null;
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
  }
}
