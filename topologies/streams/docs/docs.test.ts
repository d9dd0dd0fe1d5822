import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { format } from 'node:util';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { type Example, type Page, pages, withoutBlanks } from './examples.ts';

const packageFolder = join(import.meta.dirname, '..');
const build = join(packageFolder, 'build');
mkdirSync(build, { recursive: true });
/** Inside the package, so that `@bookstream/streams` is what stands here. */
const folder = mkdtempSync(join(build, 'examples-'));

afterEach(() => void vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true }));

/** Lines are those of the page, for stack traces. @returns what it printed */
async function run(name: string, { code, line }: Pick<Example, 'code' | 'line'>): Promise<readonly string[]> {
  const printed: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((...args: unknown[]) => void printed.push(format(...args)));
  const file = join(folder, `${basename(name)}-${line}.ts`);
  writeFileSync(file, '\n'.repeat(line - 1) + code);
  await import(file);
  return printed;
}

describe('every example that says it runs', () => {
  const runnable = pages.flatMap(({ path, examples }) =>
    examples.filter((example) => example.runs).map((example): [string, Example] => [path, example]),
  );
  test.each(runnable)('%s', async (path, example) => {
    const printed = await run(path, example);
    expect(printed.map(withoutBlanks)).toEqual(example.prints);
  });

  test('and one that is wrong fails', async () => {
    const code = "import assert from 'node:assert/strict';\nassert.equal(1 as number, 2);";
    await expect(run('wrong', { code, line: 7 })).rejects.toThrow('Expected values to be strictly equal');
  });
});

const linksOf = ({ path, text }: Page): readonly string[] =>
  [...text.replaceAll(/^```.*?^```$|`[^`\n]*`/gms, '').matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
    .flatMap(([, link]) => (link === undefined || link.startsWith('https:') ? [] : [link]))
    .map((link) => normalize(join(dirname(path), link)));

test.each(pages)('$path links to pages that are there, and that a tarball has', (page) => {
  for (const link of linksOf(page)) {
    expect(existsSync(join(packageFolder, link)), link).toBe(true);
    expect(link).toMatch(/^(README\.md|LICENSE|docs\/[a-z-]+\.md)$/);
  }
});

test('every page of the manual but two, of differences and of figures, has an example, and the README links to them all', () => {
  const manual = pages.filter(({ path }) => path.startsWith('docs/'));
  const silent = manual.filter(({ examples }) => !examples.some((example) => example.runs)).map(({ path }) => path);
  expect(silent).toEqual(['docs/differences.md', 'docs/performance.md']);
  const linked = pages.filter(({ path }) => path === 'README.md').flatMap(linksOf);
  expect(linked).toEqual(expect.arrayContaining(manual.map(({ path }) => path)));
});
