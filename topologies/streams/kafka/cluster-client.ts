import { setTimeout as sleep } from 'node:timers/promises';
import { ByteReader } from './bytes.ts';
import { BrokerConnectionError, BrokerRefusalError, UnsupportedBrokerError } from './errors.ts';
import { linkOpener } from './kafkajs-seam/link-opener.ts';
import type { ConnectionConfig } from './kafkajs-seam/patched-kafkajs.ts';
import type { Link } from './link.ts';
import { partitionName, type TopicPartition } from './port.ts';
import { type BrokerAddress, findCoordinatorRequest, metadataRequest } from './protocol/cluster.ts';
import type { Request } from './protocol/request.ts';

/** A leader or coordinator has moved, is loading, or lacks replicas for the moment: ask again, with fresh metadata. */
export const isTransient = (errorCode: number): boolean => transient.has(errorCode);
const transient = new Set([3, 5, 6, 7, 9, 13, 14, 15, 16, 19, 20, 56, 72, 74, 75, 76, 78]);

/** How long the broker may be silent over a request that should take milliseconds. */
const answerWithinMs = 10_000;

/** Waits between attempts until a deadline: 1 ms at first where the answer is near, growing to 250. */
export class Backoff {
  readonly #until: number;
  #waitMs: number;

  constructor(withinMs: number, firstWaitMs = 1) {
    this.#until = performance.now() + withinMs;
    this.#waitMs = firstWaitMs;
  }

  /** @returns false when the time is up */
  async again(): Promise<boolean> {
    if (performance.now() >= this.#until) return false;
    await sleep(this.#waitMs);
    this.#waitMs = Math.min(this.#waitMs * 1.5, 250);
    return true;
  }
}

/** One connection to each broker, opened when first used. What must keep an order, or may block, has links of its own. */
export class Links {
  readonly #client: ClusterClient;
  readonly #open = new Map<number, { readonly address: string; readonly link: Promise<Link> }>();
  #closed = false;

  constructor(client: ClusterClient) {
    this.#client = client;
  }

  /** @throws BrokerConnectionError – the broker is unknown or cannot be reached, or these links were closed */
  async to(nodeId: number): Promise<Link> {
    if (this.#closed) throw new BrokerConnectionError(`The connection to broker ${nodeId} was closed by us`);
    const address = this.#client.addressOf(nodeId);
    const place = `${address.host}:${address.port}`;
    const open = this.#open.get(nodeId);
    if (open?.address === place) {
      const link = await open.link.catch(() => null);
      if (link?.alive) return link;
      if (this.#open.get(nodeId) !== open) return this.to(nodeId); // Somebody else has opened a new one meanwhile.
      link?.destroy();
    } else {
      open?.link.then((link) => link.destroy()).catch(() => {}); // It never opened.
    }
    const link = this.#client.open(address.host, address.port);
    this.#open.set(nodeId, { address: place, link });
    return link;
  }

  /** For good: who was waiting on a link is told by its end, and must not open it again. */
  close(): void {
    this.#closed = true;
    for (const { link } of this.#open.values()) link.then((one) => one.destroy()).catch(() => {}); // It never opened.
    this.#open.clear();
  }
}

/** Who leads what and who coordinates whom, and requests to them. */
export class ClusterClient {
  readonly config: ConnectionConfig;
  readonly open: (host: string, port: number) => Promise<Link>;
  readonly #shared: Links;
  readonly #addresses = new Map<number, BrokerAddress>();
  readonly #leaders = new Map<string, number>();
  readonly #coordinators = new Map<string, number>();
  #seeds = 0;
  #closed = false;

  constructor(config: ConnectionConfig) {
    if (config.bootstrapServers.length === 0) {
      throw new UnsupportedBrokerError(
        'No broker was named: bootstrapServers is empty, so nothing was started. Give it host:port.',
      );
    }
    this.config = config;
    this.open = linkOpener(config);
    this.#shared = new Links(this);
  }

  links(): Links {
    return new Links(this);
  }

  addressOf(nodeId: number): BrokerAddress {
    const address = this.#addresses.get(nodeId);
    if (!address) throw new BrokerConnectionError(`Broker ${nodeId} is not in the cluster's metadata`);
    return address;
  }

  /** Undefined: not known, or there is none for the moment; `refresh` the topic. */
  leaderOf({ topic, partition }: TopicPartition): number | undefined {
    return this.#leaders.get(`${topic}-${partition}`);
  }

  /** Sends on `links` (the shared ones by default) and obeys the broker's throttling. */
  async ask<T>(nodeId: number, request: Request<T>, links: Links = this.#shared): Promise<T> {
    return this.askLink(await links.to(nodeId), request);
  }

  /** Sends before the first await, so requests on one link leave in the order of the calls. */
  async askLink<T>(link: Link, request: Request<T>): Promise<T> {
    const payload = await link.send(request.api, request.body, answerWithinMs + (request.waitMs ?? 0));
    const { throttleMs, value } = request.read(new ByteReader(payload));
    link.throttle(throttleMs);
    return value;
  }

  /** Asks whichever broker answers first in turn; a known one, else one of the bootstrap servers. */
  async askAny<T>(request: Request<T>): Promise<T> {
    if (this.#closed) throw new BrokerConnectionError(`${request.api.name} was not sent: this client is closed`);
    let cause: unknown;
    for (const nodeId of this.#addresses.keys()) {
      try {
        return await this.ask(nodeId, request);
      } catch (error) {
        if (!(error instanceof BrokerConnectionError)) throw error;
        cause = error;
      }
    }
    const { bootstrapServers } = this.config;
    for (let tried = 0; tried < bootstrapServers.length; tried++) {
      const server = bootstrapServers[this.#seeds++ % bootstrapServers.length] ?? '';
      const colon = server.lastIndexOf(':');
      try {
        const link = await this.open(server.slice(0, colon), Number(server.slice(colon + 1)));
        try {
          return await this.askLink(link, request);
        } finally {
          link.destroy();
        }
      } catch (error) {
        if (!(error instanceof BrokerConnectionError)) throw error;
        cause = error;
      }
    }
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BrokerConnectionError(
      `${request.api.name}: none of ${bootstrapServers.join(', ')} could be reached. The last: ${why}`,
      { cause },
    );
  }

  /**
   * Learns the leaders of `topics`.
   * @returns partition counts of those that exist
   */
  async refresh(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const metadata = await this.askAny(metadataRequest(topics));
    for (const broker of metadata.brokers) this.#addresses.set(broker.nodeId, broker);
    const counts = new Map<string, number>();
    for (const { topic, errorCode, partitions } of metadata.topics) {
      if (errorCode === 0) counts.set(topic, partitions.length);
      else if (!isTransient(errorCode)) throw new BrokerRefusalError(`Metadata of ${topic}`, errorCode);
      for (const { partition, leader } of partitions) {
        if (leader >= 0) this.#leaders.set(`${topic}-${partition}`, leader);
        else this.#leaders.delete(`${topic}-${partition}`);
      }
    }
    return counts;
  }

  /** Those that the cluster counts as alive now: one that has just died is among them until its session has ended (9 s by default). */
  async brokers(): Promise<readonly number[]> {
    const { brokers } = await this.askAny(metadataRequest([]));
    for (const broker of brokers) this.#addresses.set(broker.nodeId, broker);
    return brokers.map(({ nodeId }) => nodeId);
  }

  /** The broker that coordinates a group or a transactional id; remembered until `forgetCoordinator`. */
  async coordinator(type: 'group' | 'transaction', key: string): Promise<number> {
    const known = this.#coordinators.get(`${type}:${key}`);
    if (known !== undefined) return known;
    const backoff = new Backoff(30_000, 20);
    for (;;) {
      const answer = await this.askAny(findCoordinatorRequest(key, type));
      if (answer.errorCode === 0) {
        this.#addresses.set(answer.nodeId, answer);
        this.#coordinators.set(`${type}:${key}`, answer.nodeId);
        return answer.nodeId;
      }
      if (!isTransient(answer.errorCode) || !(await backoff.again())) {
        throw new BrokerRefusalError(`The coordinator of ${type} ${key} was not found`, answer.errorCode, {
          retriable: true,
        });
      }
    }
  }

  forgetCoordinator(type: 'group' | 'transaction', key: string): void {
    this.#coordinators.delete(`${type}:${key}`);
  }

  /**
   * Asks a coordinator until it gives an answer for good: connection errors and transient refusals are repeated within `withinMs`.
   * @param errorOf the code by which an answer is judged
   * @param repeatable codes beyond the transient ones that mean "not yet"
   */
  async askCoordinator<T>(
    type: 'group' | 'transaction',
    key: string,
    request: Request<T>,
    errorOf: (value: T) => number,
    options: { readonly withinMs?: number; readonly repeatable?: readonly number[]; readonly links?: Links } = {},
  ): Promise<T> {
    const backoff = new Backoff(options.withinMs ?? 30_000);
    for (;;) {
      try {
        const value = await this.ask(await this.coordinator(type, key), request, options.links);
        const errorCode = errorOf(value);
        const again = isTransient(errorCode) || options.repeatable?.includes(errorCode);
        if (!again || !(await backoff.again())) return value;
        if (errorCode !== 14 && isTransient(errorCode)) this.forgetCoordinator(type, key);
      } catch (error) {
        if (!(error instanceof BrokerConnectionError) || !(await backoff.again())) throw error;
        this.forgetCoordinator(type, key);
      }
    }
  }

  /**
   * Sends one request to each leader and repeats it for the partitions that were refused for the moment.
   * @throws BrokerRefusalError – a partition was refused for good, or still after `withinMs`
   */
  async askLeaders<I extends TopicPartition, R extends TopicPartition & { readonly errorCode: number }>(
    items: readonly I[],
    request: (items: readonly I[]) => Request<readonly R[]>,
    withinMs = 30_000,
  ): Promise<readonly R[]> {
    const done: R[] = [];
    const backoff = new Backoff(withinMs, 5);
    let left = items;
    let failure: unknown;
    for (;;) {
      const unknown = left.filter((item) => this.leaderOf(item) === undefined);
      if (unknown.length > 0) await this.refresh([...new Set(unknown.map(({ topic }) => topic))]);
      const byNode = Map.groupBy(left, (item) => this.leaderOf(item) ?? -1);
      const again: I[] = [...(byNode.get(-1) ?? [])];
      byNode.delete(-1);
      await Promise.all(
        [...byNode].map(async ([nodeId, group]) => {
          try {
            for (const result of await this.ask(nodeId, request(group))) {
              if (result.errorCode === 0) done.push(result);
              else {
                failure = new BrokerRefusalError(
                  `${request(group).api.name} of ${partitionName(result)}`,
                  result.errorCode,
                );
                if (!isTransient(result.errorCode)) throw failure;
                again.push(
                  ...group.filter((item) => item.topic === result.topic && item.partition === result.partition),
                );
              }
            }
          } catch (error) {
            if (!(error instanceof BrokerConnectionError)) throw error;
            failure = error;
            again.push(...group);
          }
        }),
      );
      if (again.length === 0) return done;
      if (!(await backoff.again())) {
        throw (
          failure ??
          new BrokerRefusalError(`No leader for ${again.map(partitionName).join(', ')}`, 5, { retriable: true })
        );
      }
      await this.refresh([...new Set(again.map(({ topic }) => topic))]);
      left = again;
    }
  }

  close(): void {
    this.#closed = true;
    this.#shared.close();
  }
}
