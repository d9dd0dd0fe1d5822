import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const packageFolder = join(import.meta.dirname, '..');

/** A TypeScript block of a page. */
export interface Example {
  /** Line of its first line in the page, from 1. */
  readonly line: number;
  readonly code: string;
  /** Marked as `ts run`: it is whole and says itself what it must give. Others go on from the blocks above them and are type checked only. */
  readonly runs: boolean;
}

export interface Page {
  /** Path inside the package. */
  readonly path: string;
  readonly text: string;
  readonly examples: readonly Example[];
}

/** The README and the pages of the manual. */
export const pages: readonly Page[] = [
  join(packageFolder, 'README.md'),
  ...readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(import.meta.dirname, name)),
].map((file) => {
  const text = readFileSync(file, 'utf8');
  return { path: relative(packageFolder, file), text, examples: examplesIn(text) };
});

function examplesIn(text: string): readonly Example[] {
  return [...text.matchAll(/^```ts( run)?\n(.*?)^```$/gms)].map((block) => ({
    line: text.slice(0, block.index).split('\n').length + 1,
    code: block[2] ?? '',
    runs: block[1] !== undefined,
  }));
}
