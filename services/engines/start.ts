import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine, EngineName, EngineOptions, EngineUrls } from './engine.ts';
import { startKafka } from './kafka.ts';
import { startMongo } from './mongo.ts';
import { freePort } from './ports.ts';
import { startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';
import { startRegistry } from './registry.ts';

export const engineNames: readonly EngineName[] = ['kafka', 'registry', 'postgres', 'redis', 'mongo'];

export interface StartOptions {
  /** Those to start; all when absent. A registry needs Kafka beside it or KAFKA_URL. */
  readonly only?: readonly EngineName[];
  readonly dataDir: string;
  /** Data is of no worth: any free ports, nothing made durable, the folder is removed at the end. */
  readonly ephemeral?: boolean;
  /** Ports that must be had; others are the usual ones when free, else any. */
  readonly ports?: Partial<Record<EngineName, number>>;
  /** 1 or 3; default KAFKA_BROKERS or 1. */
  readonly brokers?: number;
  readonly onReady?: (engine: EngineName, ms: number, external: boolean) => void;
}

export interface Engines extends AsyncDisposable {
  /** Ready to be given to a child as its environment. Engines that were not asked for are absent. */
  readonly urls: Partial<EngineUrls>;
  readonly running: readonly Engine[];
}

const variables: Readonly<Record<EngineName, readonly (keyof EngineUrls)[]>> = {
  kafka: ['KAFKA_URL'],
  registry: ['REGISTRY_URL'],
  postgres: ['POSTGRES_URL', 'USERS_POSTGRES_URL'],
  redis: ['REDIS_URL'],
  mongo: ['MONGO_URL'],
};

/**
 * Starts local engines side by side and resolves when all of them answer. One whose URL variable is set is not started but used.
 * @throws EngineError of the first that failed; the others have been stopped by then
 */
export async function startEngines(options: StartOptions): Promise<Engines> {
  const wanted = options.only ?? engineNames;
  const ephemeral = options.ephemeral ?? false;
  const started: Engine[] = [];
  const urls: Partial<EngineUrls> = {};
  const take = (more: Partial<EngineUrls>) => Object.assign(urls, more);
  const kafkaPort = options.ports?.kafka ?? (ephemeral ? await freePort() : undefined);

  const startOne = async (name: EngineName): Promise<void> => {
    const since = performance.now();
    const external = externalUrls(name);
    if (external !== null) {
      take(external);
      options.onReady?.(name, 0, true);
      return;
    }
    const port = name === 'kafka' ? kafkaPort : (options.ports?.[name] ?? (ephemeral ? await freePort() : undefined));
    const engine = await launchers[name](
      { dataDir: options.dataDir, ephemeral, ...(port === undefined ? {} : { port }) },
      options.brokers ?? Number(process.env.KAFKA_BROKERS ?? 1),
      () => kafkaUrl,
    );
    started.push(engine);
    take(engine.urls);
    options.onReady?.(name, performance.now() - since, false);
  };

  const close = async () => {
    await stopInOrder(started);
    if (ephemeral) await rm(options.dataDir, { recursive: true, force: true });
  };

  const kafkaStarts = wanted.includes('kafka') ? startOne('kafka') : Promise.resolve();
  // The registry makes its topics while it starts, so it begins when the broker answers.
  const kafkaUrl = kafkaStarts.then(() => {
    const url = urls.KAFKA_URL ?? process.env.KAFKA_URL;
    if (url === undefined) throw new Error('the registry keeps its data in Kafka: start kafka too, or set KAFKA_URL');
    return url;
  });
  kafkaUrl.catch(() => undefined); // told below, by kafka's own start or by the registry's
  const results = await Promise.allSettled([kafkaStarts, ...wanted.filter((name) => name !== 'kafka').map(startOne)]);
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) {
    await close();
    throw failure.reason;
  }
  return { urls, running: started, [Symbol.asyncDispose]: close };
}

const launchers: Readonly<
  Record<EngineName, (options: EngineOptions, brokers: number, kafka: () => Promise<string>) => Promise<Engine>>
> = {
  kafka: (options, brokers) => startKafka({ ...options, brokers }),
  registry: async (options, _brokers, kafka) => startRegistry({ ...options, kafkaUrl: await kafka() }),
  postgres: (options) => startPostgres(options),
  redis: (options) => startRedis(options),
  mongo: (options) => startMongo(options),
};

function externalUrls(name: EngineName): Partial<EngineUrls> | null {
  const given = variables[name].flatMap((variable) => {
    const value = process.env[variable];
    return value === undefined || value === '' ? [] : [[variable, value] as const];
  });
  if (given.length === 0) return null;
  const missing = variables[name].filter((variable) => !given.some(([known]) => known === variable));
  if (missing.length > 0) {
    throw new Error(
      `${given.map(([known]) => known).join()} is set but ${missing.join()} is not; nothing was started. Cure: set both, or none.`,
    );
  }
  return Object.fromEntries(given);
}

/** The registry lives on Kafka, so it goes first; the rest at the same time. */
async function stopInOrder(engines: readonly Engine[]): Promise<void> {
  const stop = (chosen: readonly Engine[]) =>
    Promise.all(chosen.flatMap((engine) => engine.processes.map((process) => process.stop())));
  await stop(engines.filter((engine) => engine.name === 'registry'));
  await stop(engines.filter((engine) => engine.name !== 'registry'));
}

/** A folder for engines whose data is of no worth. */
export const ephemeralFolder = (): string => join(tmpdir(), `bookstream-${randomUUID()}`);
