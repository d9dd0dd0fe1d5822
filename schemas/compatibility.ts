// `node schemas/compatibility.ts [--accept]`: every schema against its whole committed history, both ways (FULL_TRANSITIVE).
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { typeOf } from './avro-types.ts';
import { type AvroObject, standalone, subjects } from './local-schemas.ts';

const historyFolder = join(import.meta.dirname, 'history');

/** Documentation does not change what bytes mean. */
const bare = (schema: unknown): unknown =>
  Array.isArray(schema)
    ? schema.map(bare)
    : typeof schema === 'object' && schema !== null
      ? Object.fromEntries(
          Object.entries(schema)
            .filter(([name]) => name !== 'doc')
            .map(([name, member]) => [name, bare(member)]),
        )
      : schema;

const textOf = (schema: AvroObject): string => `${JSON.stringify(bare(schema), null, 1)}\n`;

const reads = (reader: AvroObject, writer: AvroObject): string | null => {
  try {
    typeOf(reader).createResolver(typeOf(writer));
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

/** Avro lets a reader take an enum with fewer symbols by its default; in a decision a symbol that turns into another is a silent lie. */
function enumsOf(schema: unknown, found = new Map<string, readonly string[]>()): Map<string, readonly string[]> {
  if (Array.isArray(schema)) for (const member of schema) enumsOf(member, found);
  else if (typeof schema === 'object' && schema !== null) {
    const { type, name, symbols } = schema as AvroObject; // JSON of a schema
    if (type === 'enum' && name !== undefined && symbols !== undefined) found.set(name, symbols);
    for (const member of Object.values(schema)) enumsOf(member, found);
  }
  return found;
}

const lostSymbols = (now: AvroObject, before: AvroObject): readonly string[] => {
  const current = enumsOf(now);
  return [...enumsOf(before)].flatMap(([name, symbols]) =>
    symbols.filter((symbol) => !current.get(name)?.includes(symbol)).map((symbol) => `${name}.${symbol} is gone`),
  );
};

/** What `now` would break for readers or writers of `before`; empty when old and new understand each other. */
export function incompatibilities(now: AvroObject, before: AvroObject): readonly string[] {
  const forwards = reads(before, now);
  const backwards = reads(now, before);
  return [
    ...(backwards === null ? [] : [`what was written before cannot be read now: ${backwards}`]),
    ...(forwards === null ? [] : [`what is written now cannot be read by older readers: ${forwards}`]),
    ...lostSymbols(now, before),
  ];
}

const versionsOf = (subject: string): readonly { readonly file: string; readonly schema: AvroObject }[] => {
  const folder = join(historyFolder, subject);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((file) => ({ file: join(subject, file), schema: JSON.parse(readFileSync(join(folder, file), 'utf8')) }));
};

/** Every schema against every version in `schemas/history/`; also says which have changed and are not in the history yet. */
export function checkHistory(): { readonly broken: readonly string[]; readonly unrecorded: readonly string[] } {
  const broken: string[] = [];
  const unrecorded: string[] = [];
  for (const { subject, fullName } of subjects()) {
    const now = standalone(fullName);
    const versions = versionsOf(subject);
    for (const { file, schema } of versions) {
      broken.push(...incompatibilities(now, schema).map((what) => `${subject} against ${file}: ${what}`));
    }
    const last = versions.at(-1);
    if (last === undefined || textOf(last.schema) !== textOf(now)) unrecorded.push(subject);
  }
  return { broken, unrecorded };
}

/** Writes the next version of each changed subject into the history. */
function accept(unrecorded: readonly string[]): void {
  for (const { subject, fullName } of subjects()) {
    if (!unrecorded.includes(subject)) continue;
    const folder = join(historyFolder, subject);
    mkdirSync(folder, { recursive: true });
    const version = String(versionsOf(subject).length + 1).padStart(3, '0');
    writeFileSync(join(folder, `${version}.json`), textOf(standalone(fullName)));
  }
}

if (import.meta.main) {
  const { broken, unrecorded } = checkHistory();
  if (broken.length > 0) {
    console.error(
      `not compatible; nothing was recorded:\n  ${broken.join('\n  ')}\nAdd fields with a default; never rename, remove or retype one.`,
    );
    process.exit(1);
  }
  if (process.argv.includes('--accept')) accept(unrecorded);
  else if (unrecorded.length > 0) {
    console.error(
      `changed and compatible, but not in schemas/history yet: ${unrecorded.join(', ')}. Run: node schemas/compatibility.ts --accept`,
    );
    process.exit(1);
  }
}
