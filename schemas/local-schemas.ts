import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TopicEntry, topicEntries } from './manifest.ts';

/** An Avro schema as JSON; only what we walk through is named. */
export type AvroSchema = string | readonly AvroSchema[] | AvroObject;
export interface AvroObject {
  readonly type: string | AvroSchema;
  readonly name?: string;
  readonly namespace?: string;
  readonly doc?: string;
  readonly fields?: readonly AvroField[];
  readonly items?: AvroSchema;
  readonly values?: AvroSchema;
  readonly symbols?: readonly string[];
  readonly logicalType?: string;
  readonly default?: unknown;
}
export interface AvroField {
  readonly name: string;
  readonly doc?: string;
  readonly type: AvroSchema;
  readonly default?: unknown;
}

export const fullNameOf = (context: string, record: string): string => `bookstream.${context}.v1.${record}`;

/** TopicRecordNameStrategy: several records share a topic, each with a history of its own. */
export const subjectOf = (topic: string, fullName: string): string => `${topic}-${fullName}`;

function readAll(): ReadonlyMap<string, AvroObject> {
  const found = new Map<string, AvroObject>();
  for (const folder of readdirSync(import.meta.dirname, { withFileTypes: true })) {
    if (!folder.isDirectory()) continue;
    for (const file of readdirSync(join(import.meta.dirname, folder.name)).sort()) {
      if (!file.endsWith('.avsc')) continue;
      const schema: AvroObject = JSON.parse(readFileSync(join(import.meta.dirname, folder.name, file), 'utf8'));
      found.set(`${schema.namespace}.${schema.name}`, schema);
    }
  }
  return found;
}

/** Every `.avsc` by full name, references to others by name. */
export const localSchemas = readAll();

/** The schema with every type it names written out where it is first used: what a registry and a reader can take alone. */
export function standalone(fullName: string): AvroObject {
  const written = new Set<string>();
  const inline = (schema: AvroSchema): AvroSchema => {
    if (Array.isArray(schema)) return schema.map(inline);
    if (typeof schema === 'string') {
      const named = localSchemas.get(schema);
      return named === undefined || written.has(schema) ? schema : inline(named);
    }
    const object = schema as AvroObject; // arrays and strings are handled above
    if (object.name !== undefined) written.add(`${object.namespace}.${object.name}`);
    return {
      ...object,
      ...(object.fields ? { fields: object.fields.map((field) => ({ ...field, type: inline(field.type) })) } : {}),
      ...(object.items ? { items: inline(object.items) } : {}),
      ...(object.values ? { values: inline(object.values) } : {}),
    };
  };
  const schema = localSchemas.get(fullName);
  if (schema === undefined) throw new Error(`no schema ${fullName} in schemas/: add its .avsc or mend the manifest`);
  return inline(schema) as AvroObject; // a named schema is an object
}

export interface Subject {
  readonly subject: string;
  readonly topic: string;
  readonly fullName: string;
}

/** Every (topic, record) of the manifest, in its order. */
export const subjects = (entries: readonly TopicEntry[] = topicEntries): readonly Subject[] =>
  entries.flatMap((entry) =>
    entry.records.map((record) => {
      const fullName = fullNameOf(entry.context, record);
      return { subject: subjectOf(entry.name, fullName), topic: entry.name, fullName };
    }),
  );
