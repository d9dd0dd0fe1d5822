import { UnsupportedError, type Value } from './case.ts';

/** The named functions of the cases: `append:!` is `append` with the parameter `!`. */
type Key = string | null;

export const str = (x: Value): string => (x === null ? 'null' : String(x));

export const num = (x: Value): number => {
  if (x === null) return 0;
  if (typeof x === 'number') return x;
  return /^-?[0-9]{1,15}$/.test(x) ? Number(x) : x.length;
};

const split = (spec: string): readonly [name: string, parameter: string] => {
  const colon = spec.indexOf(':');
  return colon < 0 ? [spec, ''] : [spec.slice(0, colon), spec.slice(colon + 1)];
};

function pick<F>(kind: string, spec: string, functions: Readonly<Record<string, (parameter: string) => F>>): F {
  const [name, parameter] = split(spec);
  const make = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (make === undefined) throw new UnsupportedError(`the ${kind} ${spec}`);
  return make(parameter);
}

const part = (x: Value, n: string): string | null => (x === null ? null : str(x).split(':')[Number(n)] || null);

export const predicate = (spec: string): ((k: Key, v: Value) => boolean) =>
  pick<(k: Key, v: Value) => boolean>('predicate', spec, {
    startsWith: (p) => (_k, v) => v !== null && str(v).startsWith(p),
    contains: (p) => (_k, v) => v !== null && str(v).includes(p),
    keyStartsWith: (p) => (k) => k?.startsWith(p) ?? false,
    evenLength: () => (_k, v) => v !== null && str(v).length % 2 === 0,
    even: () => (_k, v) => v !== null && num(v) % 2 === 0,
    gt: (n) => (_k, v) => v !== null && num(v) > Number(n),
    isNull: () => (_k, v) => v === null,
    keyIsNull: () => (k) => k === null,
    true: () => () => true,
    false: () => () => false,
  });

const unlessNull =
  (f: (v: string | number) => Value) =>
  (_k: Key, v: Value): Value =>
    v === null ? null : f(v);

export const valueMapper = (spec: string): ((k: Key, v: Value) => Value) =>
  pick<(k: Key, v: Value) => Value>('value mapper', spec, {
    identity: () => (_k, v) => v,
    upper: () => unlessNull((v) => str(v).toUpperCase()),
    lower: () => unlessNull((v) => str(v).toLowerCase()),
    append: (s) => unlessNull((v) => str(v) + s),
    prefix: (s) => unlessNull((v) => s + str(v)),
    length: () => unlessNull((v) => str(v).length),
    toInt: () => unlessNull(num),
    add: (n) => unlessNull((v) => num(v) + Number(n)),
    nullIf: (x) => unlessNull((v) => (str(v) === x ? null : v)),
    part: (n) => (_k, v) => part(v, n),
    toString: () => (_k: Key, v: Value) => str(v),
    withKey: () => (k, v) => `${str(k)}=${str(v)}`,
    const: (s) => () => s,
    null: () => () => null,
  });

export const keySelector = (spec: string): ((k: Key, v: Value) => Key) =>
  pick<(k: Key, v: Value) => Key>('key selector', spec, {
    key: () => (k) => k,
    value: () => (_k, v) => (v === null ? null : str(v)),
    firstChar: () => (_k, v) => (v === null ? null : str(v).slice(0, 1) || null),
    lastChar: () => (_k, v) => (v === null ? null : str(v).slice(-1) || null),
    part: (n) => (_k, v) => part(v, n),
    keyFirstChar: () => (k) => k?.slice(0, 1) || null,
    keyUpper: () => (k) => k?.toUpperCase() ?? null,
    keyAppend: (s) => (k) => str(k) + s,
    keyBase: () => (k) => k?.split('@')[0] ?? null,
    const: (s) => () => s,
    null: () => () => null,
  });

type Pair = readonly [Key, Value];

export const flatMapper = (spec: string): ((k: Key, v: Value) => readonly Pair[]) =>
  pick<(k: Key, v: Value) => readonly Pair[]>('flat mapper', spec, {
    words: () => (_k, v) =>
      v === null
        ? []
        : str(v)
            .split(' ')
            .filter((word) => word !== '')
            .map((word) => [word, word]),
    chars: () => (_k, v) => (v === null ? [] : [...str(v)].map((char) => [char, char])),
    twice: () => (k, v) => [
      [k, v],
      [k, v],
    ],
    swap: () => (k, v) => [[v === null ? null : str(v), k]],
    none: () => () => [],
  });

export const joiner = (spec: string): ((l: Value, r: Value, k: Key) => Value) =>
  pick<(l: Value, r: Value, k: Key) => Value>('joiner', spec, {
    concat: () => (l, r) => `${str(l)}+${str(r)}`,
    concatKey: () => (l, r, k) => `${str(k)}:${str(l)}+${str(r)}`,
    sum: () => (l, r) => num(l) + num(r),
    left: () => (l) => l,
    right: () => (_l, r) => r,
    nullIfEqual: () => (l, r) => (str(l) === str(r) ? null : `${str(l)}+${str(r)}`),
  });

export const initializer = (spec: string): (() => Value) =>
  pick<() => Value>('initializer', spec, {
    empty: () => () => '',
    zero: () => () => 0,
    null: () => () => null,
    const: (s) => () => s,
  });

const s = (a: Value): string => (a === null ? '' : str(a));
const listed = (v: string, a: Value): string => (a === null || a === '' ? v : `${str(a)},${v}`);

export const aggregator = (spec: string): ((k: Key, v: Value, a: Value) => Value) =>
  pick<(k: Key, v: Value, a: Value) => Value>('aggregator', spec, {
    concat: () => (_k, v, a) => s(a) + str(v),
    list: () => (_k, v, a) => listed(str(v), a),
    tracePlus: () => (_k, v, a) => `${s(a)}+${str(v)}`,
    traceMinus: () => (_k, v, a) => `${s(a)}-${str(v)}`,
    sum: () => (_k, v, a) => num(a) + num(v),
    minus: () => (_k, v, a) => num(a) - num(v),
    min: () => (_k, v, a) => (a === null ? num(v) : Math.min(num(a), num(v))),
    max: () => (_k, v, a) => (a === null ? num(v) : Math.max(num(a), num(v))),
    count: () => (_k, _v, a) => num(a) + 1,
    first: () => (_k, v, a) => (a === null ? v : a),
    last: () => (_k, v) => v,
    withKey: () => (k, v, a) => listed(`${str(k)}=${str(v)}`, a),
    deleteOn: (x) => (_k, v, a) => (str(v) === x ? null : s(a) + str(v)),
    removeFirst: () => (_k, v, a) => (a === null ? null : str(a).replace(str(v), () => '')),
    null: () => () => null,
  });

export const merger = (spec: string): ((k: Key, a: Value, b: Value) => Value) =>
  pick<(k: Key, a: Value, b: Value) => Value>('session merger', spec, {
    concat: () => (_k, a, b) => s(a) + s(b),
    list: () => (_k, a, b) => [s(a), s(b)].filter((part) => part !== '').join(','),
    bar: () => (_k, a, b) => `${s(a)}|${s(b)}`,
    sum: () => (_k, a, b) => num(a) + num(b),
    max: () => (_k, a, b) => Math.max(num(a), num(b)),
    min: () => (_k, a, b) => Math.min(num(a), num(b)),
  });

export const transformer = (spec: string): ((k: Key, v: Value) => Value) =>
  pick<(k: Key, v: Value) => Value>('transformer', spec, {
    withKey: () => (k, v) => `${str(k)}=${str(v)}`,
    upperOrNone: () => (_k, v) => (v === null ? 'NONE' : str(v).toUpperCase()),
    identity: () => (_k, v) => v,
  });

/** The integer in a value, `x@25` → 25; without one the record's own time. */
export const timeFromValue = (record: { readonly value: unknown; readonly timestamp: number }): number => {
  if (typeof record.value === 'number') return record.value;
  const digits = typeof record.value === 'string' ? /@(-?[0-9]+)$/.exec(record.value) : null;
  return digits === null ? record.timestamp : Number(digits[1]);
};
