import { RegistryUnavailableError } from './errors.ts';
import type { AvroObject } from './local-schemas.ts';

const askTimeoutMs = 4_000;

/** The answer of `GET /schemas/ids/:id`. */
interface SchemaText {
  readonly schema: string;
  /** Absent: Avro. */
  readonly schemaType?: string;
  readonly references?: readonly unknown[];
}

/**
 * Asks the registry by which schema an id's records were written. By hand, because what its client gives back has lost the logical types, and
 * nothing that is a `timestamp-millis` here can be read from a mere `long`.
 * @returns null: the registry has no such id
 * @throws RegistryUnavailableError; any other Error: it has one, which is of no use, and says why
 */
export async function schemaOfId(registryUrl: string, id: number): Promise<AvroObject | null> {
  const text = await textOf(registryUrl, id).catch((cause: unknown) => {
    throw new RegistryUnavailableError(registryUrl, { cause });
  });
  if (text === null) return null;
  const { schema, schemaType = 'AVRO', references = [] } = text;
  if (schemaType !== 'AVRO') throw new Error(`it is ${schemaType}`);
  if (references.length > 0) throw new Error('it refers to other schemas instead of writing them out');
  return JSON.parse(schema);
}

/**
 * While Apicurio reads its journal at a start it answers 404 for every id that it has not come to yet; only its readiness tells. So a no is
 * asked for again of a registry that was ready before.
 */
async function textOf(registryUrl: string, id: number): Promise<SchemaText | null> {
  const url = `${registryUrl}/schemas/ids/${id}`;
  let answer = await ask(url);
  if (answer.status === 404) {
    const { status } = await ask(new URL('/health/ready', registryUrl).href);
    if (status === 503) throw new Error('it is not ready yet'); // a registry without that address is taken at its word
    answer = await ask(url);
  }
  if (answer.status === 404) return null;
  if (answer.status !== 200) throw new Error(`HTTP ${answer.status}`);
  const text: SchemaText = JSON.parse(answer.body);
  if (typeof text.schema !== 'string') throw new Error('its answer has no schema');
  return text;
}

async function ask(url: string): Promise<{ readonly status: number; readonly body: string }> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(askTimeoutMs) });
  return { status: answer.status, body: await answer.text() };
}
