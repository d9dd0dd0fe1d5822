import { typeOf } from '@bookstream/schemas/avro-types';
import { type AvroObject, fullNameOf, standalone, subjectOf } from '@bookstream/schemas/local-schemas';
import { manifest, type TopicId } from '@bookstream/schemas/manifest';

/** A schema that none of our processes was built with. */
export interface NewerSchema {
  readonly id: number;
  /** In the Confluent wire format. @param value of our own version of the record */
  encode(value: object): Uint8Array;
}

/**
 * Registers the next version of a record: ours and one field more, which has a default, so it is compatible both ways and whoever registers or
 * looks up our own version afterwards finds it as before.
 * @param field another one makes another version
 */
export async function registerNewer(
  registryUrl: string,
  topic: TopicId,
  record: string,
  field: string,
): Promise<NewerSchema> {
  const { name, context } = manifest[topic];
  const fullName = fullNameOf(context, record);
  const ours = standalone(fullName);
  const schema: AvroObject = {
    ...ours,
    fields: [...(ours.fields ?? []), { name: field, type: 'string', default: '' }],
  };
  const id = await registerSchema(registryUrl, subjectOf(name, fullName), { schema: JSON.stringify(schema) });
  const type = typeOf(schema);
  return { id, encode: (value) => wireFormat(id, type.toBuffer({ ...value, [field]: 'from a newer writer' })) };
}

/** By the Confluent API, as any producer outside would. @returns the schema's id */
export async function registerSchema(
  registryUrl: string,
  subject: string,
  body: { readonly schema: string; readonly schemaType?: 'AVRO' | 'JSON' },
): Promise<number> {
  const answer = await fetch(`${registryUrl}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify(body),
  });
  const told = (await answer.json()) as { readonly id?: number }; // the Confluent API's form
  if (told.id === undefined) throw new Error(`the registry refused ${subject}: ${JSON.stringify(told)}`);
  return told.id;
}

/** A zero byte, the schema's id in four bytes, then Avro. */
export function wireFormat(schemaId: number, avro: Uint8Array): Uint8Array {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(schemaId, 1);
  return Buffer.concat([header, avro]);
}
