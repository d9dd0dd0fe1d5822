import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const packageFolder = join(import.meta.dirname, '..');

export const withoutBlanks = (text: string): string => text.replaceAll(/\s/g, '');

/** A TypeScript block of a page. */
export interface Example {
  /** Line of its first line in the page, from 1. */
  readonly line: number;
  readonly code: string;
  /** Marked as `ts run`: it is whole and says itself what it must give. Others go on from the blocks above them and are type checked only. */
  readonly runs: boolean;
  /** What the comments behind `console.log(…);` say that it prints, without blanks. */
  readonly prints: readonly string[];
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
  return [...text.matchAll(/^```ts( run)?\n(.*?)^```$/gms)].map(({ index, 1: run, 2: code = '' }) => ({
    line: text.slice(0, index).split('\n').length + 1,
    code,
    runs: run !== undefined,
    prints: [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, said = '']) => withoutBlanks(said)),
  }));
}
