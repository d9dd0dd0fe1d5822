import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import type { Resolver, Type } from 'avsc';
import { isLocal, localType, typeOf } from './avro-types.ts';
import { RegistryUnavailableError, SchemasNotConnectedError } from './errors.ts';
import { type AvroObject, standalone, subjects } from './local-schemas.ts';
import { schemaOfId } from './schema-of-id.ts';

/** How bytes of one schema id are read: by the writer's schema, into our own where we have one. */
export interface Reader {
  readonly fullName: string;
  readonly shortName: string;
  readonly type: Type;
  readonly resolver: Resolver | undefined;
}

/** An id by which nothing can be read, and until when we believe it: somebody may register one later. */
interface Missing {
  readonly until: number;
  /** Why the schema is of no use to us; null: the registry has none of this id. */
  readonly cause: Error | null;
}

interface Connected {
  readonly idOf: ReadonlyMap<string, number>;
  readonly readers: Map<number, Reader>;
  readonly missing: Map<number, Missing>;
  readonly ask: (id: number) => Promise<void>;
}

const believeMissingMs = 5_000;
let connected: Connected | null = null;

export function schemas(): Connected {
  if (connected === null) throw new SchemasNotConnectedError();
  return connected;
}

const readerOf = (writer: Type): Reader => {
  const fullName = writer.name ?? '';
  const shortName = fullName.slice(fullName.lastIndexOf('.') + 1);
  if (!isLocal(fullName)) return { fullName, shortName, type: writer, resolver: undefined };
  const type = localType(fullName);
  try {
    return { fullName, shortName, type, resolver: type.equals(writer) ? undefined : type.createResolver(writer) };
  } catch (cause) {
    throw new Error(`it does not fit our ${fullName}`, { cause }); // avsc writes out both schemas, or stumbles over what it compares
  }
};

/** Ids without a registry, the same in every process: for tests that need no engine. */
export function useLocalSchemas(): void {
  const names = [...new Set(subjects().map((subject) => subject.fullName))].sort();
  const idOf = new Map(names.map((name, index) => [name, index + 1]));
  const readers = new Map(names.map((name, index) => [index + 1, readerOf(localType(name))]));
  const missing = new Map<number, Missing>();
  const ask = async (id: number) => void missing.set(id, { until: Number.POSITIVE_INFINITY, cause: null });
  connected = { idOf, readers, missing, ask };
}

const withTimeout = async <T>(answer: Promise<T>, ms: number): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
};

const statusOf = (error: unknown): number | null =>
  typeof error === 'object' && error !== null && 'status' in error && typeof error.status === 'number'
    ? error.status
    : null;

/** What was ever resolved, on disk: it survives an outage of the registry. */
interface CachedIds {
  readonly url: string;
  /** Subject → hash of our schema and its id. */
  readonly own: Record<string, { readonly hash: string; readonly id: number }>;
  /** Id → a writer's schema that is not ours. */
  readonly foreign: Record<string, AvroObject>;
}

function readCache(path: string, url: string): CachedIds {
  try {
    const cached = JSON.parse(readFileSync(path, 'utf8')) as CachedIds; // written by this module only
    if (cached.url === url) return cached;
  } catch {
    // No cache yet, or one that a crash cut short: the registry knows it all.
  }
  return { url, own: {}, foreign: {} };
}

const hashOf = (schema: AvroObject): string => createHash('sha256').update(JSON.stringify(schema)).digest('hex');

/**
 * Looks up the ids of all our records, once for the process. Schemas must have been registered (`bookstream setup`).
 * @param options.cacheDir where ids and foreign schemas are remembered over restarts
 * @throws RegistryUnavailableError – nothing is cached and the registry does not answer
 */
export async function connectSchemas(options: {
  readonly registryUrl: string;
  readonly cacheDir: string;
}): Promise<void> {
  const { registryUrl, cacheDir } = options;
  mkdirSync(cacheDir, { recursive: true });
  const path = join(cacheDir, 'schema-ids.json');
  const cache = readCache(path, registryUrl);
  const registry = new SchemaRegistry({ host: registryUrl, retry: { retries: 1, maxRetryTimeInSecs: 1 } });
  const idOf = new Map<string, number>();
  const readers = new Map<number, Reader>();
  const missing = new Map<number, Missing>();
  const save = () => {
    const unfinished = `${path}.${process.pid}`;
    writeFileSync(unfinished, JSON.stringify(cache));
    renameSync(unfinished, path);
  };

  const wanted = subjects().map((subject) => {
    const schema = standalone(subject.fullName);
    return { ...subject, schema, hash: hashOf(schema) };
  });
  const unknown = wanted.filter((subject) => cache.own[subject.subject]?.hash !== subject.hash);
  await Promise.all(
    unknown.map(async ({ subject, schema, hash }) => {
      try {
        const lookup = registry.getRegistryIdBySchema(subject, {
          type: SchemaType.AVRO,
          schema: JSON.stringify(schema),
        });
        cache.own[subject] = { hash, id: await withTimeout(lookup, 20_000) };
      } catch (error) {
        if (statusOf(error) === 404) {
          throw new Error(
            `${subject} is not registered at ${registryUrl}; nothing was started. Run: npm run bookstream -- setup`,
          );
        }
        throw new RegistryUnavailableError(registryUrl, { cause: error });
      }
    }),
  );
  for (const { subject, fullName } of wanted) {
    const id = cache.own[subject]?.id;
    if (id === undefined) continue;
    idOf.set(fullName, id);
    readers.set(id, readerOf(localType(fullName)));
  }
  for (const [id, schema] of Object.entries(cache.foreign)) {
    try {
      readers.set(Number(id), readerOf(typeOf(schema)));
    } catch {
      // Ours has moved away from it since: the next record of it is told so.
    }
  }
  if (unknown.length > 0) save();

  const learn = async (id: number): Promise<void> => {
    try {
      const schema = await schemaOfId(registryUrl, id);
      if (schema === null) {
        missing.set(id, { until: Date.now() + believeMissingMs, cause: null });
        return;
      }
      readers.set(id, readerOf(typeOf(schema)));
      cache.foreign[String(id)] = schema;
    } catch (error) {
      if (!(error instanceof Error) || error instanceof RegistryUnavailableError) throw error;
      missing.set(id, { until: Date.now() + believeMissingMs, cause: error });
      return;
    }
    missing.delete(id);
    save();
  };
  const asking = new Map<number, Promise<void>>();
  const once = (id: number): Promise<void> => {
    const pending = asking.get(id) ?? learn(id).finally(() => asking.delete(id));
    asking.set(id, pending);
    return pending;
  };
  connected = { idOf, readers, missing, ask: once };
}
