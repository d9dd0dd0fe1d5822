import { expect, test } from 'vitest';
import { readMetrics } from './metrics-answer.ts';

const right = `# HELP taken_total How many.
# TYPE taken_total counter
taken_total{by="a, \\"b\\"}"} 2
taken_total 1

# HELP times How long.
# TYPE times histogram
times_bucket{le="+Inf"} 1
times_sum 1e-7
times_count 1
`;

test('every line of an answer has its place', () => {
  const told = readMetrics(right);
  expect([...told.keys()]).toEqual(['taken_total', 'times']);
  expect(told.get('taken_total')?.samples[0]).toEqual({ name: 'taken_total', labels: { by: 'a, \\"b\\"}' }, value: 2 });
  expect(told.get('times')?.samples.map(({ value }) => value)).toEqual([1, 1e-7, 1]);
});

test.each([
  ['a family twice', `${right}# HELP taken_total Again.\n`, 'stood before'],
  ['a sample twice', right.replace('taken_total 1', 'taken_total 1\ntaken_total 1'), 'stood before'],
  ['a sample among those of another', right.replace('times_sum', 'taken_total'), 'a sample of another than times'],
  ['a sample of nobody', 'taken 1\n', 'no sample of a family'],
  ['a bucket of a counter', right.replace('taken_total 1', 'taken_total_bucket 1'), 'a sample of another'],
  ['a type without help', right.replace('# HELP times How long.\n', ''), 'a type without its help'],
  ['an unknown type', right.replace('histogram', 'histograms'), 'no type'],
  ['a label that is not ended', right.replace('}"}', '}'), 'labels that cannot be read'],
  ['what is no number', right.replace('} 2', '} two'), 'no number'],
  ['a line that is cut', right.trimEnd(), 'not ended'],
  ['text', `${right}hello there, you\n`, 'no sample of a family'],
])('%s is found', (_what, text, why) => {
  expect(() => readMetrics(text)).toThrow(why);
});
