import type { ManagedProcess } from './process.ts';

/** Where the engines are found, under the names of the variables that say so. */
export interface EngineUrls {
  /** Bootstrap list, `host:port,…` */
  readonly KAFKA_URL: string;
  /** Base of the registry's Confluent API. */
  readonly REGISTRY_URL: string;
  readonly POSTGRES_URL: string;
  readonly USERS_POSTGRES_URL: string;
  readonly MONGO_URL: string;
  readonly REDIS_URL: string;
}

export type EngineName = 'kafka' | 'registry' | 'postgres' | 'redis' | 'mongo';

export interface EngineOptions {
  /** Holds the engine's data in a folder of its name, and its log in `logs/`. */
  readonly dataDir: string;
  /** Data is of no worth: skip what makes it survive a power cut. */
  readonly ephemeral: boolean;
  /** Demanded; without it the usual port is taken when free, else any. */
  readonly port?: number;
}

/** A running engine. Its processes end in the order in which they stand here. */
export interface Engine {
  readonly name: EngineName;
  readonly urls: Partial<EngineUrls>;
  readonly processes: readonly ManagedProcess[];
}
