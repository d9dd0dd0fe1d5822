import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pages, withoutBlanks } from '../docs/examples.ts';

const packageFolder = join(import.meta.dirname, '..');
const root = join(packageFolder, '..', '..');
const dependencies = ['@node-rs/crc32', 'kafkajs', 'lmdb', 'rxjs'];

const folder = mkdtempSync(join(tmpdir(), 'streams-pack-'));
/** As the repository stands, but a copy: packing swaps the manifest, and other tests read it meanwhile. */
const copy = join(folder, 'repository', 'topologies', 'streams');
/** An empty project somewhere else. */
const project = join(folder, 'project');
const installed = join(project, 'node_modules', '@bookstream', 'streams');
/** The registry cannot be reached and npm's cache has not all that is needed. */
let offline = false;

/** What an outer `npm` tells its children of its own folder is not meant for another one. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_(?!config_(cache|registry|userconfig)$)|^INIT_CWD$/.test(name)),
);
const start = promisify(execFile);
const run = (cwd: string, command: string, ...args: readonly string[]) =>
  start(command, args, { cwd, env, encoding: 'utf8' }).catch((error: Error & { stdout: string; stderr: string }) => {
    throw new Error(`${command} ${args[0]} failed: ${error.stdout}${error.stderr}`, { cause: error });
  });

beforeAll(async () => {
  mkdirSync(project);
  cpSync(packageFolder, copy, {
    recursive: true,
    filter: (path) => !['node_modules', 'dist', 'build'].includes(basename(path)),
  });
  for (const name of ['tsconfig.json', 'tsconfig.base.json']) cpSync(join(root, name), join(copy, '..', '..', name));
  symlinkSync(join(root, 'node_modules'), join(copy, '..', '..', 'node_modules'));
  await run(copy, process.execPath, 'pack-manifest.ts'); // as a pack that was ended in the middle leaves it
  await run(copy, 'npm', 'pack', '--pack-destination', folder);

  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? 'there is no tarball';
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const quietly = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  await run(project, 'npm', 'install', ...quietly, join('..', tarball)).catch((error: Error) => {
    if (!/ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT/.test(error.message)) throw error;
    offline = true;
  });
}, 180_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const filesOf = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));

test('packing leaves the manifest as it was before, and mends what an interrupted pack has left', () => {
  const manifestIn = (folder: string) => readFileSync(join(folder, 'package.json'), 'utf8');
  expect(manifestIn(copy)).toBe(manifestIn(packageFolder));
});

test('the tarball holds what was built, the manual and the licence, and nothing of the shop', ({ skip }) => {
  skip(offline, 'npm cannot reach its registry');
  const files = filesOf(installed);
  const foreign = files.filter((file) => !/^(package\.json|LICENSE|README\.md|docs\/[a-z-]+\.md|dist\/.+)$/.test(file));
  expect(foreign).toEqual([]);
  const built = files.filter((file) => file.startsWith('dist/'));
  expect(built.filter((file) => !/\.(js|d\.ts)$/.test(file) || /conformance|bench|\.test\./.test(file))).toEqual([]);
  expect(files).toEqual(expect.arrayContaining(['LICENSE', 'dist/index.d.ts', 'dist/kafka/index.js', 'docs/joins.md']));

  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  expect(Object.keys(manifest.dependencies).sort()).toEqual(dependencies);
  const textOf = (file: string) => readFileSync(join(installed, file), 'utf8');
  for (const file of files) expect(textOf(file), file).not.toMatch(/@bookstream\/(?!streams)/);
  expect(packagesNamedIn(built.map(textOf).join('\n'))).toEqual(dependencies);
});

/** Packages that modules import or require, in order. */
function packagesNamedIn(code: string): readonly string[] {
  const named = [...code.matchAll(/(?: from |^import |\bimport\(|require\(|import\.meta\.url\)\()'([^'.][^']*)'/gm)];
  const packages = named.flatMap(([, name = '']) =>
    isBuiltin(name) ? [] : (/^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? []),
  );
  return [...new Set(packages)].sort();
}

/** What a user's own declarations may have to name. */
const exporting = `
import { JoinWindows, Serdes, StreamsBuilder, StreamsPool, type StreamsPoolOptions, StreamsWorker, type StreamsWorkerOptions, TopologyTestDriver } from '@bookstream/streams';
import { connectKafka } from '@bookstream/streams/kafka';
const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
export const builder = new StreamsBuilder();
export const stream = builder.stream(text('a'));
export const table = builder.table(text('b'), { store: 'b' });
export const branches = stream.split().branch('x', () => true).defaultBranch('y');
export const joined = stream.join(stream, (a, b) => a + b, JoinWindows.of(1, 2, 3), { as: 'j' }).join(table, (a, b) => a + b);
export const grouped = [stream.groupByKey(), table.groupBy((key, value) => [value, key])] as const;
export const topology = builder.build();
export const plan = topology.plan('x');
export const driver = new TopologyTestDriver(topology);
export const { broker, drops } = driver;
export const ends = [driver.inputTopic(text('a')), driver.outputTopic(text('a'))] as const;
export const rows = driver.getTimestampedKeyValueStore<string, string>('b');
export const port = connectKafka({ bootstrapServers: 'localhost:9092', clientId: 'x' });
export const start = (options: StreamsWorkerOptions) => new StreamsWorker(options);
export const threads = (options: StreamsPoolOptions) => new StreamsPool(options);
`;

test('every example type checks there, with the types of the libraries themselves', async ({ skip }) => {
  skip(offline, 'npm cannot reach its registry');
  mkdirSync(join(project, 'node_modules', '@types'));
  symlinkSync(join(root, 'node_modules', '@types', 'node'), join(project, 'node_modules', '@types', 'node'));
  mkdirSync(join(project, 'src'));
  writeFileSync(join(project, 'src', 'exporting.ts'), exporting);
  for (const { path, examples } of pages) {
    // An example that runs is a program of its own; a block that does not goes on from the ones above it.
    const programs: string[] = [];
    for (const { code, runs } of examples) programs.push(runs ? code : `${programs.pop() ?? ''}\n${code}`);
    for (const [index, code] of programs.entries())
      writeFileSync(join(project, 'src', `${basename(path, '.md')}-${index}.ts`), `${code}\nexport {};\n`);
  }
  const compilerOptions = {
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    declaration: true,
    outDir: 'out',
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await run(project, process.execPath, compiler, '--noEmit');
});

test('the first example of the README runs there', async ({ skip }) => {
  skip(offline, 'npm cannot reach its registry');
  const example = pages.find(({ path }) => path === 'README.md')?.examples.find(({ runs }) => runs);
  writeFileSync(join(project, 'first.ts'), example?.code ?? 'the README has no example');
  const { stdout } = await run(project, process.execPath, 'first.ts');
  expect(withoutBlanks(stdout)).toBe(example?.prints.join(''));
  expect(stdout).not.toBe('');
});

test('the threads of a pool find their program and a module in TypeScript', async ({ skip }) => {
  skip(offline, 'npm cannot reach its registry');
  const module = `
    import { Serdes, type StreamsBuilder } from '@bookstream/streams';
    export function build(builder: StreamsBuilder): void {
      console.log('built');
      builder.stream({ name: 'in', keySerde: Serdes.string, valueSerde: Serdes.string }).to('out');
    }`;
  const program = `
    import { StreamsPool } from '@bookstream/streams';
    const pool = new StreamsPool({
      applications: [{ applicationId: 'a', module: new URL('./copying.ts', import.meta.url) }],
      bootstrapServers: 'localhost:1', // nobody is there
      stateDir: '.state',
      instanceId: 'one',
    });
    await pool.start().catch((error: unknown) => console.log(error));
    await pool.close();`;
  writeFileSync(join(project, 'copying.ts'), module);
  writeFileSync(join(project, 'pooled.ts'), program);
  const { stdout } = await run(project, process.execPath, 'pooled.ts');
  expect(stdout).toMatch(/^built\nError \[BrokerConnectionError\]: .*localhost:1/);
}, 30_000);

test('what is not meant to be named cannot be', async ({ skip }) => {
  skip(offline, 'npm cannot reach its registry');
  const script = `
    const { connectKafka } = await import('@bookstream/streams/kafka');
    const inside = await import('@bookstream/streams/runtime/stream-task').catch((error) => error.code);
    console.log(typeof connectKafka, inside);`;
  const { stdout } = await run(project, process.execPath, '--input-type=module', '--eval', script);
  expect(stdout.trim()).toBe('function ERR_PACKAGE_PATH_NOT_EXPORTED');
});
