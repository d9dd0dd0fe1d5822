import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

type Part = 'schemas' | 'streams' | 'topologies' | 'projections' | 'services' | 'web';

/** Which of our parts a part's sources may name. Else parts meet on topics, not by import. */
const mayImport: Record<Part, readonly Part[]> = {
  schemas: [],
  streams: [],
  topologies: ['schemas', 'streams'],
  projections: ['schemas', 'streams'],
  services: ['schemas', 'streams', 'topologies', 'projections'],
  web: [],
};

const ignored = new Set(['node_modules', 'build', 'dist', '.svelte-kit', '.bookstream']);

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (ignored.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.(ts|mjs|svelte)$/.test(entry.name) && !entry.name.endsWith('.d.ts')) yield path;
  }
}

const partOf = (path: string): Part => {
  const [top, second] = relative(root, path).split(sep);
  return top === 'topologies' && second === 'streams' ? 'streams' : (top as Part); // the generator walks these folders only
};

const isTest = (path: string): boolean => /\.test\.ts$/.test(path) || path.split(sep).includes('test');

const imports = (path: string): string[] =>
  [
    ...readFileSync(path, 'utf8').matchAll(
      /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/g,
    ),
  ].map((match) => match[1] ?? match[2] ?? '');

const targetOf = (path: string, specifier: string): Part | null => {
  const scoped = /^@bookstream\/([a-z]+)/.exec(specifier);
  if (scoped) return scoped[1] as Part; // package names are the parts' names
  if (specifier.startsWith('.')) return partOf(join(dirname(path), specifier));
  return null;
};

const files = ['schemas', 'topologies', 'projections', 'services', 'web'].flatMap((part) => [
  ...sources(join(root, part)),
]);

/** Every import that crosses a border it may not cross; tests may reach for engines and drivers, so they are exempt. */
export const trespasses = (paths: readonly string[]): string[] =>
  paths
    .filter((path) => !isTest(path))
    .flatMap((path) =>
      imports(path).flatMap((specifier) => {
        const from = partOf(path);
        const to = targetOf(path, specifier);
        return to === null || to === from || mayImport[from].includes(to)
          ? []
          : [`${relative(root, path)} imports ${specifier}: ${from} may not know ${to}`];
      }),
    );

describe('the arrows between the parts', () => {
  test('point one way only', () => {
    expect(files.length).toBeGreaterThan(0);
    expect(trespasses(files)).toEqual([]);
  });

  test("a service's topologies and its projections' folds are named by its owns.ts only", () => {
    const allowed = [
      /^services\/[a-z]+\/owns\.ts$/, // the one place of a service
      /^services\/(cli|e2e)\//, // may start any part
      /^services\/gateway\//, // reads the queries of projections
      /^services\/platform\//, // runs what owns.ts lists; types only
    ];
    const offenders = files
      .filter((path) => partOf(path) === 'services' && !isTest(path))
      .filter((path) => imports(path).some((name) => /^@bookstream\/(topologies|projections)\//.test(name)))
      .map((path) => relative(root, path).split(sep).join('/'))
      .filter((path) => !allowed.some((pattern) => pattern.test(path)));
    expect(offenders).toEqual([]);
  });

  test('each imports only packages that its own package.json names', () => {
    const manifest = (folder: string): Set<string> => {
      const json = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      return new Set(Object.keys({ ...json.dependencies, ...json.devDependencies, ...json.peerDependencies }));
    };
    const folderOf: Record<Part, string> = {
      schemas: 'schemas',
      streams: 'topologies/streams',
      topologies: 'topologies',
      projections: 'projections',
      services: 'services',
      web: 'web',
    };
    const named = Object.fromEntries(Object.entries(folderOf).map(([part, folder]) => [part, manifest(folder)]));
    const rootNames = manifest('.');
    const strangers = files.flatMap((path) =>
      imports(path)
        .filter(
          (name) =>
            !name.startsWith('.') && !name.startsWith('node:') && !name.startsWith('#') && !name.startsWith('$'),
        )
        .map((name) => (name.startsWith('@') ? name.split('/').slice(0, 2).join('/') : (name.split('/')[0] ?? name)))
        .filter(
          (name) => !named[partOf(path)]?.has(name) && !(isTest(path) && rootNames.has(name)) && name !== 'vitest',
        )
        .filter((name) => !(name === '@bookstream/streams' && partOf(path) === 'streams'))
        .map((name) => `${relative(root, path)} imports ${name}`),
    );
    expect(strangers).toEqual([]);
  });
});
