import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isObjectType,
  type SelectionSetNode,
} from 'graphql';
import { refusal } from './errors.ts';

export const maxDepth = 12;
export const maxAliases = 30;
export const maxCost = 3_000;

interface Sum {
  cost: number;
  depth: number;
  aliases: number;
}

type Variables = Readonly<Record<string, unknown>>;

/** What an operation may cost, judged before it runs, over the variables as they came. The same for HTTP and WebSocket. */
export function exceeds(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Variables,
  operationName?: string | null,
): GraphQLError | null {
  const operations = document.definitions.filter((one) => one.kind === 'OperationDefinition');
  const operation = operationName ? operations.find((one) => one.name?.value === operationName) : operations[0];
  if (operation === undefined) return null; // execution says so
  const fragments = new Map(
    document.definitions.flatMap((one) => (one.kind === 'FragmentDefinition' ? [[one.name.value, one] as const] : [])),
  );
  const root = {
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
  }[operation.operation];
  const sum: Sum = { cost: 0, depth: 0, aliases: 0 };
  if (root) measure(operation.selectionSet, root, { schema, fragments, variables }, 1, 1, sum, new Set());
  const over = (what: string, is: number, most: number): GraphQLError =>
    refusal(
      'TOO_COMPLEX',
      `The operation has ${what} ${is}, at most ${most} is allowed; nothing was run. Ask for less at once.`,
      { [what]: is, most },
    );
  if (sum.depth > maxDepth) return over('depth', sum.depth, maxDepth);
  if (sum.aliases > maxAliases) return over('aliases', sum.aliases, maxAliases);
  if (sum.cost > maxCost) return over('cost', sum.cost, maxCost);
  return null;
}

interface Where {
  readonly schema: GraphQLSchema;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly variables: Variables;
}

function measure(
  set: SelectionSetNode,
  type: GraphQLObjectType | null,
  where: Where,
  times: number,
  depth: number,
  sum: Sum,
  path: Set<string>,
): void {
  sum.depth = Math.max(sum.depth, depth);
  if (sum.depth > maxDepth || sum.cost > maxCost) return; // enough is known
  for (const selection of set.selections) {
    if (selection.kind === 'FragmentSpread') {
      const fragment = where.fragments.get(selection.name.value);
      if (fragment === undefined || path.has(fragment.name.value)) continue; // validation says so
      path.add(fragment.name.value);
      measure(
        fragment.selectionSet,
        typeNamed(where, fragment.typeCondition.name.value) ?? type,
        where,
        times,
        depth,
        sum,
        path,
      );
      path.delete(fragment.name.value);
      continue;
    }
    if (selection.kind === 'InlineFragment') {
      const condition = selection.typeCondition?.name.value;
      measure(
        selection.selectionSet,
        condition === undefined ? type : (typeNamed(where, condition) ?? type),
        where,
        times,
        depth,
        sum,
        path,
      );
      continue;
    }
    if (selection.alias !== undefined) sum.aliases += 1;
    const field = type?.getFields()[selection.name.value];
    sum.cost += times * weightOf(field?.astNode);
    if (selection.selectionSet === undefined) continue;
    const size = pageSize(selection.arguments ?? [], where.variables);
    const next = field === undefined ? null : getNamedType(field.type);
    measure(
      selection.selectionSet,
      next !== null && isObjectType(next) ? next : null,
      where,
      times * size,
      depth + 1,
      sum,
      path,
    );
  }
}

const typeNamed = ({ schema }: Where, name: string): GraphQLObjectType | null => {
  const type = schema.getType(name);
  return isObjectType(type) ? type : null;
};

type Directed = {
  readonly directives?:
    | readonly {
        readonly name: { readonly value: string };
        readonly arguments?: readonly { readonly value: unknown }[] | undefined;
      }[]
    | undefined;
};

/** Objects cost 1 and leaves nothing, unless `@cost` says otherwise. */
function weightOf(node: Directed | null | undefined): number {
  const value = node?.directives?.find((one) => one.name.value === 'cost')?.arguments?.[0]?.value;
  if (typeof value === 'object' && value !== null && 'value' in value) return Number(value.value);
  return 1;
}

type Argument = { readonly name: { readonly value: string }; readonly value: { readonly kind: string } };

/** How many items a page has at most: `first` or `last`, by value or by variable. */
function pageSize(given: readonly Argument[], variables: Variables): number {
  for (const { name, value } of given) {
    if (name.value !== 'first' && name.value !== 'last') continue;
    if (value.kind === 'IntValue' && 'value' in value) return Math.max(1, Number(value.value));
    if (value.kind === 'Variable' && 'name' in value) {
      const variable = variables[(value as { name: { value: string } }).name.value]; // a variable has a name
      if (typeof variable === 'number') return Math.max(1, variable);
    }
  }
  return 1;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** A bucket per name that fills again with time: so many at once, so many a minute after that. */
export class RateLimit {
  readonly #atOnce: number;
  readonly #perMinute: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: { readonly atOnce: number; readonly perMinute: number }) {
    this.#atOnce = options.atOnce;
    this.#perMinute = options.perMinute;
  }

  /** @throws RATE_LIMITED with how long to wait */
  take(name: string, now = Date.now()): void {
    if (this.#buckets.size > 50_000) this.#buckets.clear(); // an attack of many names must not fill the memory
    const bucket = this.#buckets.get(name) ?? { tokens: this.#atOnce, at: now };
    const tokens = Math.min(this.#atOnce, bucket.tokens + ((now - bucket.at) / 60_000) * this.#perMinute);
    if (tokens < 1) {
      const seconds = Math.ceil(((1 - tokens) / this.#perMinute) * 60);
      throw refusal('RATE_LIMITED', `Too many attempts; this one was not made. Try again in ${seconds} s.`, {
        retryAfterSeconds: seconds,
      });
    }
    this.#buckets.set(name, { tokens: tokens - 1, at: now });
  }
}
