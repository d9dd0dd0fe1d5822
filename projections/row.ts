/** Rows as text, the same in every engine: Postgres has no NUL in a string and JSON no bigint. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is what is looked for
const nul = /\u0000/g;

const storable = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? String(value) : typeof value === 'string' ? value.replace(nul, '\ufffd') : value;

/** JSON that Postgres takes: bigints as strings of digits, NUL as U+FFFD. */
export const toJson = (value: unknown): string => JSON.stringify(value, storable);

/** Undoes `toJson` for what a row holds: properties named `…Minor` are bigints again. */
export function fromJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      name.endsWith('Minor') && typeof inner === 'string' ? BigInt(inner) : fromJson(inner),
    ]),
  );
}

/** The same text for the same row, whatever the order of its properties. */
export const canonical = (row: unknown): string =>
  JSON.stringify(row, (key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : storable(key, value),
  );
