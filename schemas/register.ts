// `node schemas/register.ts --url URL`: registers every subject, FULL_TRANSITIVE. Producers never register at run time.
import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { standalone, subjects } from './local-schemas.ts';

/** Registers what is not there yet; what is there stays as it is. Safe to run again. @throws Error naming the refused subject */
export async function registerSchemas(
  registryUrl: string,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<number> {
  const registry = new SchemaRegistry({ host: registryUrl, retry: { retries: 5 } });
  const all = subjects();
  let done = 0;
  const queue = [...all];
  const one = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { subject, fullName } = next;
      try {
        await registry.register(
          { type: SchemaType.AVRO, schema: JSON.stringify(standalone(fullName)) },
          { subject, compatibility: COMPATIBILITY.FULL_TRANSITIVE },
        );
      } catch (error) {
        throw new Error(
          `the registry at ${registryUrl} refused ${subject}; it was not registered: ${error instanceof Error ? error.message : String(error)}`,
          { cause: error },
        );
      }
      done += 1;
      onProgress(done, all.length);
    }
  };
  await Promise.all(Array.from({ length: 4 }, one));
  return done;
}

if (import.meta.main) {
  const url = process.argv[process.argv.indexOf('--url') + 1] ?? process.env.REGISTRY_URL;
  if (url === undefined) throw new Error('which registry? node schemas/register.ts --url URL');
  console.log(`${await registerSchemas(url)} subjects are registered at ${url}`);
}
