import { escapeIdentifier } from 'pg';
import type { HeldRows } from '../batch.ts';
import type { ColumnType, Table, TableOf } from '../projection.ts';
import { fromJson, toJson } from '../row.ts';

/** How a table's rows stand in Postgres: names, types, and the statements made of them once. */

const sqlTypes: Readonly<Record<ColumnType, string>> = {
  // "C": keys sort as the bytes they are, in the database as here.
  text: 'text collate "C"',
  integer: 'integer',
  bigint: 'bigint',
  boolean: 'boolean',
  instant: 'timestamptz',
  texts: 'text[]',
  json: 'jsonb',
};

/** A statement with its $1, which is JSON. */
export interface Write {
  readonly statement: string;
  readonly argument: string;
}

interface ColumnPlan {
  readonly property: string;
  readonly sql: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const columnsOf = (table: Table): readonly ColumnPlan[] =>
  Object.entries(table.columns).map(([property, column]) => ({
    property,
    sql: snake(property),
    type: column.replace('?', '') as ColumnType, // a Column is a ColumnType and perhaps a question mark
    nullable: column.endsWith('?'),
  }));

/** Name of a table in one build; readers name the view, which is the table's own name. */
export const buildTable = (table: Table, build: number): string => escapeIdentifier(`${table.name}_b${build}`);

export class PostgresTable {
  readonly table: Table;
  readonly key: string;
  /** For `select`, in an order of its own. */
  readonly columns: string;
  readonly #plan: readonly ColumnPlan[];

  constructor(table: Table) {
    this.table = table;
    this.key = snake(table.key);
    this.#plan = columnsOf(table);
    this.columns = this.#plan.map((column) => column.sql).join(', ');
  }

  create(build: number): string {
    const columns = this.#plan.map(
      (column) => `${column.sql} ${sqlTypes[column.type]}${column.nullable ? '' : ' not null'}`,
    );
    return `create table ${buildTable(this.table, build)} (${columns.join(', ')})`;
  }

  /** Primary key and indexes, after the rows: building them once is much faster than keeping them. */
  indexes(build: number): readonly string[] {
    const name = buildTable(this.table, build);
    return [
      `alter table ${name} add primary key (${this.key})`,
      ...this.table.indexes.flatMap((index) =>
        index.sql === undefined
          ? []
          : [`create index ${escapeIdentifier(`${this.table.name}_b${build}_${index.name}`)} on ${name} ${index.sql}`],
      ),
      `analyze ${name}`,
    ];
  }

  /** @param keys an SQL expression, such as `$1` */
  select(build: number, keys: string): string {
    return `select ${this.columns} from ${buildTable(this.table, build)} where ${this.key} = any(${keys})`;
  }

  /** $1: key to begin behind, or null; $2: how many. */
  selectNext(build: number): string {
    const { key } = this;
    return `select ${this.columns} from ${buildTable(this.table, build)} where $1::text is null or ${key} > $1 order by ${key} limit $2`;
  }

  /** What makes the table hold `changed`: statements, each with its $1. A row of an append-only table that is there already stays as it is. */
  writes(build: number, changed: HeldRows): readonly Write[] {
    const rows = [...changed.values()].flatMap(({ row }) => (row === null ? [] : [row]));
    const gone = this.table.appendOnly ? [] : [...changed].flatMap(([key, { row }]) => (row === null ? [key] : []));
    return [
      ...(rows.length > 0 ? [{ statement: this.#upsert(build), argument: this.#toRecordset(rows) }] : []),
      ...(gone.length > 0 ? [{ statement: this.#delete(build), argument: toJson(gone) }] : []),
    ];
  }

  /** $1: the rows as a JSON array, which carries text arrays and jsonb that `unnest` would flatten. */
  #upsert(build: number): string {
    const types = this.#plan.map((column) => `${column.sql} ${sqlTypes[column.type].replace(' collate "C"', '')}`);
    const rest = this.#plan.filter((column) => column.sql !== this.key);
    return (
      `insert into ${buildTable(this.table, build)} (${this.columns}) ` +
      `select ${this.columns} from jsonb_to_recordset($1) as rows (${types.join(', ')}) ` +
      `on conflict (${this.key}) do ${
        rest.length === 0 || this.table.appendOnly
          ? 'nothing'
          : `update set ${rest.map((column) => `${column.sql} = excluded.${column.sql}`).join(', ')}`
      }`
    );
  }

  /** $1: keys as a JSON array. */
  #delete(build: number): string {
    return `delete from ${buildTable(this.table, build)} where ${this.key} = any(array(select jsonb_array_elements_text($1)))`;
  }

  copy(build: number): string {
    return `copy ${buildTable(this.table, build)} (${this.columns}) from stdin`;
  }

  #toRecordset(rows: readonly object[]): string {
    return toJson(
      rows.map((row) => {
        const values = new Map(Object.entries(row));
        return Object.fromEntries(this.#plan.map((column) => [column.sql, toSql(column, values.get(column.property))]));
      }),
    );
  }

  /** A line of COPY's text format. */
  toCopy(row: object): string {
    const values = new Map(Object.entries(row));
    return `${this.#plan.map((column) => copyField(column, values.get(column.property))).join('\t')}\n`;
  }

  /** A row of ours from what `pg` gives for `columns`. */
  read(raw: Readonly<Record<string, unknown>>): object {
    return Object.fromEntries(this.#plan.map((column) => [column.property, fromSql(column, raw[column.sql])]));
  }
}

const toSql = (column: ColumnPlan, value: unknown): unknown =>
  column.type === 'instant' && typeof value === 'number' ? new Date(value).toISOString() : (value ?? null);

function fromSql({ type }: ColumnPlan, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'bigint') return BigInt(String(value));
  if (type === 'instant') return value instanceof Date ? value.getTime() : Date.parse(String(value));
  if (type === 'json') return fromJson(value);
  return value;
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

const escapeCopy = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL cannot be stored, the others end a field or a line
  text.replace(/[\\\t\n\r\u0000]/g, (letter) => escapes[letter] ?? '\ufffd');

function copyField(column: ColumnPlan, value: unknown): string {
  if (value === null || value === undefined) return '\\N';
  if (column.type === 'json') return escapeCopy(toJson(value));
  if (column.type === 'instant') return String(toSql(column, value));
  if (Array.isArray(value)) {
    const quoted = value.map((item) => `"${String(item).replace(/["\\]/g, '\\$&')}"`);
    return escapeCopy(`{${quoted.join(',')}}`);
  }
  return escapeCopy(String(value));
}

const plans = new WeakMap<Table, PostgresTable>();

export function postgresTable(table: Table): PostgresTable {
  const plan = plans.get(table) ?? new PostgresTable(table);
  plans.set(table, plan);
  return plan;
}

/** What a query needs of a table: its columns for `select`, and rows with their type. */
export const reader = <R extends object>(table: TableOf<R>) => {
  const plan = postgresTable(table);
  return {
    columns: plan.columns,
    read: (raw: Readonly<Record<string, unknown>>): R => plan.read(raw) as R, // the columns are the row's properties
  };
};
