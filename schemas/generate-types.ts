// `npm run types`: TypeScript types of every record and the union of every topic; `--check` only says whether they are current.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AvroObject, type AvroSchema, localSchemas } from './local-schemas.ts';
import { topicEntries } from './manifest.ts';

const folder = join(import.meta.dirname, 'types');
const contextOf = (schema: AvroObject): string => schema.namespace?.split('.')[1] ?? '';

const primitives: Readonly<Record<string, string>> = {
  string: 'string',
  int: 'number',
  long: 'bigint',
  double: 'number',
  boolean: 'boolean',
  bytes: 'Uint8Array',
  null: 'null',
};

function typeOf(schema: AvroSchema, uses: (named: AvroObject) => void): string {
  if (Array.isArray(schema)) {
    const members = schema.map((member) => typeOf(member, uses));
    return [...members.filter((member) => member !== 'null'), ...members.filter((m) => m === 'null')].join(' | ');
  }
  if (typeof schema === 'string') {
    const primitive = primitives[schema];
    if (primitive !== undefined) return primitive;
    const named = localSchemas.get(schema);
    if (named === undefined) throw new Error(`unknown type ${schema}`);
    uses(named);
    return named.name ?? '';
  }
  const object = schema as AvroObject; // arrays and strings are handled above
  if (object.logicalType === 'timestamp-millis') return 'number';
  if (object.type === 'array') {
    const item = typeOf(object.items ?? 'null', uses);
    return `readonly ${item.includes(' ') ? `(${item})` : item}[]`;
  }
  if (object.type === 'map') return `Readonly<Record<string, ${typeOf(object.values ?? 'null', uses)}>>`;
  return typeOf(object.type, uses);
}

const doc = (text: string | undefined, indent: string): string =>
  text === undefined ? '' : `${indent}/** ${text} */\n`;

/** Records that stand alone on a topic carry their name as `type`; value objects do not need one. */
const onTopics = new Set(topicEntries.flatMap((entry) => entry.records.map((record) => `${entry.context}.${record}`)));

function declare(schema: AvroObject, uses: (named: AvroObject) => void): string {
  if (schema.type === 'enum') {
    const symbols = (schema.symbols ?? []).map((symbol) => `'${symbol}'`);
    return `${doc(schema.doc, '')}export type ${schema.name} = ${symbols.join(' | ')};\n`;
  }
  const context = contextOf(schema);
  const discriminant = onTopics.has(`${context}.${schema.name}`) ? `  readonly type: '${schema.name}';\n` : '';
  const fields = (schema.fields ?? []).map((field) => {
    const instant = JSON.stringify(field.type).includes('timestamp-millis');
    const text = instant ? [field.doc, 'Epoch ms.'].filter(Boolean).join(' ') : field.doc;
    return `${doc(text, '  ')}  readonly ${field.name}: ${typeOf(field.type, uses)};\n`;
  });
  return `${doc(schema.doc, '')}export interface ${schema.name} {\n${discriminant}${fields.join('')}}\n`;
}

/** The text of every generated file by its name. */
export function generate(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const context of new Set([...localSchemas.values()].map(contextOf))) {
    const foreign = new Map<string, Set<string>>();
    const uses = (named: AvroObject) => {
      const from = contextOf(named);
      if (from === context) return;
      foreign.set(from, (foreign.get(from) ?? new Set()).add(named.name ?? ''));
    };
    const declarations = [...localSchemas.values()]
      .filter((schema) => contextOf(schema) === context)
      .map((schema) => declare(schema, uses));
    const unions = topicEntries
      .filter((entry) => entry.context === context)
      .map(
        (entry) =>
          `/** What stands on \`${entry.name}\`. */\nexport type ${entry.union} = ${entry.records.join(' | ')};\n`,
      );
    const imports = [...foreign]
      .sort()
      .map(([from, names]) => `import type { ${[...names].sort().join(', ')} } from './${from}.ts';\n`);
    const head = '// Generated from the .avsc files: change those, then `npm run types`.\n';
    files.set(`${context}.ts`, [head + imports.join(''), ...declarations, ...unions].join('\n'));
  }
  return files;
}

/** Names of generated files that are not what the schemas say now. */
export function stale(): readonly string[] {
  const wanted = generate();
  const present = existsSync(folder) ? readdirSync(folder) : [];
  return [
    ...[...wanted].filter(([name, text]) => {
      const path = join(folder, name);
      return !existsSync(path) || readFileSync(path, 'utf8') !== text;
    }),
  ]
    .map(([name]) => name)
    .concat(present.filter((name) => !wanted.has(name)));
}

if (import.meta.main) {
  if (process.argv.includes('--check')) {
    const old = stale();
    if (old.length > 0) {
      console.error(`schemas/types is not current: ${old.join(', ')}. Run: npm run types`);
      process.exit(1);
    }
  } else {
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of generate()) writeFileSync(join(folder, name), text);
  }
}
