import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getArgumentValues,
  getNamedType,
  getVariableValues,
  isObjectType,
  type SelectionSetNode,
} from 'graphql';
import { refusal } from './errors.ts';

/** Words and signs of a document; refused while it is parsed, before validation, whose time grows with their square. */
export const maxTokens = 2_000;
const maxDepth = 12;
const maxAliases = 30;
const maxCost = 3_000;
/** A page whose size the operation does not name. */
const defaultPage = 20;

interface Sum {
  cost: number;
  depth: number;
  aliases: number;
}

type Variables = Readonly<Record<string, unknown>>;
type Coerced = Parameters<typeof getArgumentValues>[2];

/**
 * What speaks against an operation before it runs: variables that do not fit, and what it would cost, over variables and arguments as they
 * will be with their defaults. The same for HTTP and WebSocket.
 * @returns nothing when it may run
 */
export function refusals(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Variables,
  operationName?: string | null,
): readonly GraphQLError[] {
  const operations = document.definitions.filter((one) => one.kind === 'OperationDefinition');
  const operation = operationName ? operations.find((one) => one.name?.value === operationName) : operations[0];
  if (operation === undefined) return []; // execution says so
  const { variableValues, errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  if (variableValues === undefined) {
    return errors.map(
      ({ message, nodes }) =>
        new GraphQLError(message, { nodes: nodes ?? null, extensions: { code: 'BAD_USER_INPUT' } }),
    );
  }
  const fragments = new Map(
    document.definitions.flatMap((one) => (one.kind === 'FragmentDefinition' ? [[one.name.value, one] as const] : [])),
  );
  const root = {
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
  }[operation.operation];
  const sum: Sum = { cost: 0, depth: 0, aliases: 0 };
  if (root) measure(operation.selectionSet, root, { schema, fragments, variables: variableValues }, 1, 1, sum);
  const over = (what: string, is: number, most: number): readonly GraphQLError[] => [
    refusal(
      'TOO_COMPLEX',
      `The operation has ${what} ${is}, at most ${most} is allowed; nothing was run. Ask for less at once.`,
      { [what]: is, most },
    ),
  ];
  if (sum.depth > maxDepth) return over('depth', sum.depth, maxDepth);
  if (sum.aliases > maxAliases) return over('aliases', sum.aliases, maxAliases);
  if (sum.cost > maxCost) return over('cost', sum.cost, maxCost);
  return [];
}

interface Where {
  readonly schema: GraphQLSchema;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly variables: Coerced;
}

/** Validation has seen to it that fragments do not go round in circles. */
function measure(
  set: SelectionSetNode,
  type: GraphQLObjectType | null,
  where: Where,
  times: number,
  depth: number,
  sum: Sum,
): void {
  sum.depth = Math.max(sum.depth, depth);
  for (const selection of set.selections) {
    if (sum.depth > maxDepth || sum.cost > maxCost) return; // enough is known, and a fan of fragments ends here
    if (selection.kind === 'FragmentSpread') {
      const fragment = where.fragments.get(selection.name.value);
      if (fragment === undefined) continue; // validation has said so
      sum.cost += 1; // so that a fan of empty-handed fragments ends as well
      const next = typeNamed(where, fragment.typeCondition.name.value) ?? type;
      measure(fragment.selectionSet, next, where, times, depth, sum);
      continue;
    }
    if (selection.kind === 'InlineFragment') {
      const condition = selection.typeCondition?.name.value;
      const next = condition === undefined ? type : (typeNamed(where, condition) ?? type);
      measure(selection.selectionSet, next, where, times, depth, sum);
      continue;
    }
    if (selection.alias !== undefined) sum.aliases += 1;
    // What the schema says of itself has its own limit of depth in validation, and costs no question to a database.
    if (selection.name.value === '__schema' || selection.name.value === '__type') {
      sum.cost += 100;
      continue;
    }
    const field = type?.getFields()[selection.name.value];
    sum.cost += times * weightOf(field?.astNode);
    if (selection.selectionSet === undefined) continue;
    const next = field === undefined ? null : getNamedType(field.type);
    const size = field === undefined ? 1 : pageSize(field, selection, where.variables);
    measure(selection.selectionSet, isObjectType(next) ? next : null, where, times * size, depth + 1, sum);
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

/** 1, unless `@cost` says otherwise. */
function weightOf(node: Directed | null | undefined): number {
  const value = node?.directives?.find((one) => one.name.value === 'cost')?.arguments?.[0]?.value;
  if (typeof value === 'object' && value !== null && 'value' in value) return Number(value.value);
  return 1;
}

/** How many items a field gives at most: a page's `first` or `last`, with the defaults of variable and argument. */
function pageSize(field: GraphQLField<unknown, unknown>, node: FieldNode, variables: Coerced): number {
  if (!field.args.some(({ name }) => name === 'first')) return 1;
  try {
    const { first, last } = getArgumentValues(field, node, variables);
    const asked = first ?? last;
    return typeof asked === 'number' ? Math.max(1, asked) : defaultPage;
  } catch {
    return 1; // execution says what is wrong with the argument and runs nothing of the field
  }
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
