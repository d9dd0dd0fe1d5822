import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Case } from './case.ts';
import { runCase } from './run-case.ts';

const folder = join(import.meta.dirname, 'cases');

describe.each(readdirSync(folder).filter((name) => name.endsWith('.json')))('Kafka Streams answers %s', (file) => {
  const cases: readonly Case[] = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  for (const one of cases) {
    test(`${one.id}: ${one.title}`, ({ skip }) => {
      const verdict = runCase(one);
      if (verdict.kind === 'unsupported') skip(`not in the library yet: ${verdict.what}`);
      expect(verdict).toEqual({ kind: 'passed' });
    });
  }
});

test('a wrong answer is told with its place', () => {
  const [one] = JSON.parse(readFileSync(join(folder, 'stateless.json'), 'utf8')) as readonly Case[]; // a recorded file
  if (one === undefined) throw new Error('stateless.json is empty');
  const [first, ...others] = one.expected.output ?? [];
  if (first === undefined) throw new Error(`${one.id} expects nothing`);
  const verdict = runCase({ ...one, expected: { output: [{ ...first, value: 'another' }, ...others] } });
  expect(verdict).toMatchObject({ kind: 'failed', difference: expect.stringContaining('output, entry 0') });
});

test('a missing and an additional output are differences', () => {
  const [one] = JSON.parse(readFileSync(join(folder, 'stateless.json'), 'utf8')) as readonly Case[]; // a recorded file
  if (one === undefined) throw new Error('stateless.json is empty');
  const output = one.expected.output ?? [];
  for (const wrong of [output.slice(1), output.slice(0, -1), [...output, ...output.slice(-1)]]) {
    expect(runCase({ ...one, expected: { output: wrong } }).kind).toBe('failed');
  }
});
