export interface ToldFamily {
  readonly type: string;
  readonly help: string;
  readonly samples: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

const metricName = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const headForm = new RegExp(`^# (HELP|TYPE) (${metricName}) (.*)$`);
const sampleForm = new RegExp(`^(${metricName})(?:\\{(.*)\\})? (\\S+)$`);
const labelForm = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)/y;
const types = ['counter', 'gauge', 'histogram', 'summary'];
/** What may stand behind a family's name in its samples. */
const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

/**
 * Reads an answer to a scrape in Prometheus' text format 0.0.4, every line of it, and more strictly than Prometheus does: each family stands
 * once, with its help before its type before its samples, and none of them twice.
 * @throws Error with the line that has no place
 */
export function readMetrics(text: string): ReadonlyMap<string, ToldFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line is not ended');
  const families = new Map<string, ToldFamily>();
  const seen = new Set<string>();
  let help: readonly [name: string, text: string] | null = null;
  let current: readonly [name: string, family: ToldFamily] | null = null;
  for (const [index, line] of text.slice(0, -1).split('\n').entries()) {
    const wrong = (why: string) => new Error(`line ${index + 1}: ${why}: ${line}`);
    if (line === '') continue;
    const [, head, named = '', rest = ''] = headForm.exec(line) ?? [];
    if (head === 'HELP') {
      if (families.has(named)) throw wrong('this family stood before');
      help = [named, rest];
      current = null;
    } else if (head === 'TYPE') {
      if (help?.[0] !== named) throw wrong('a type without its help');
      if (!types.includes(rest)) throw wrong('no type');
      current = [named, { type: rest, help: help[1], samples: [] }];
      families.set(...current);
      help = null;
    } else {
      const [, name = '', inBraces = '', number = ''] = sampleForm.exec(line) ?? [];
      if (current === null || name === '') throw wrong('no sample of a family');
      const [family, { type, samples }] = current;
      if (!suffixes[type]?.some((suffix) => name === family + suffix))
        throw wrong(`a sample of another than ${family}`);
      const labels = labelsOf(inBraces);
      if (labels === null) throw wrong('labels that cannot be read');
      const series = JSON.stringify([name, Object.entries(labels).toSorted()]);
      if (seen.has(series)) throw wrong('this sample stood before');
      seen.add(series);
      samples.push({ name, labels, value: numberOf(number) ?? fail(wrong('no number')) });
    }
  }
  return families;
}

function labelsOf(inBraces: string): Readonly<Record<string, string>> | null {
  const labels: Record<string, string> = {};
  labelForm.lastIndex = 0;
  let at = 0;
  for (let match = labelForm.exec(inBraces); match !== null; match = labelForm.exec(inBraces)) {
    const [, name = '', value = ''] = match;
    if (Object.hasOwn(labels, name)) return null;
    labels[name] = value;
    at = labelForm.lastIndex;
  }
  return at === inBraces.length ? labels : null;
}

function numberOf(text: string): number | null {
  if (/^nan$/i.test(text)) return Number.NaN; // a mean of nothing
  if (/^[+-]?inf$/i.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : null;
}

function fail(error: Error): never {
  throw error;
}
