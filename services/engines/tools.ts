import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { EngineError } from './errors.ts';

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Where downloaded engines are kept, once for all data folders. `BOOKSTREAM_TOOLS` moves it. */
export const toolsFolder = (): string => process.env.BOOKSTREAM_TOOLS ?? join(root, '.bookstream', 'tools');

/** The folder of a tool, made by `make` at first use: in a folder beside it, then renamed, so that nobody ever sees a half of it. */
export async function tool(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(toolsFolder(), name);
  if (existsSync(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const making = await mkdtemp(`${folder}.making-`);
  try {
    await make(making);
    await rename(making, folder).catch((error: NodeJS.ErrnoException) => {
      if (!existsSync(folder)) throw error; // else another process was faster, and its copy is as good
    });
    return folder;
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

/** The program's full path, or null when it is not on the PATH. */
export function onPath(program: string): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder !== '' && existsSync(join(folder, program))) return join(folder, program);
  }
  return null;
}

async function maven(engine: string, args: readonly string[]): Promise<void> {
  if (onPath('mvn') === null) {
    throw new EngineError(engine, `Maven (mvn) is not on the PATH, so ${engine} was not downloaded.`, {
      cure: 'install Maven and Java 17 (Debian: `apt install maven openjdk-17-jdk-headless`).',
    });
  }
  try {
    await run('mvn', ['-q', '-B', ...args], { cwd: toolsFolder(), maxBuffer: 16 * 1024 * 1024 });
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }; // execFile's errors carry both
    const logTail = `${stdout}${stderr}`.split('\n').filter((line) => /\[(ERROR|FATAL)\]/.test(line));
    throw new EngineError(engine, `Maven could not download ${engine}.`, {
      cure: 'see that the network and the disk are there, then start again; what was fetched is kept.',
      logTail: logTail.slice(0, 5),
      cause,
    });
  }
}

/** Copies the dependencies of one of our `poms/` into `folder`. */
export const copyDependencies = (engine: string, pom: string, folder: string): Promise<void> =>
  maven(engine, [
    '-f',
    join(import.meta.dirname, 'poms', pom),
    'dependency:copy-dependencies',
    `-DoutputDirectory=${folder}`,
  ]);

/** Fetches one artifact, `group:name:version[:type[:classifier]]`, without what it depends on. @returns the file */
export async function copyArtifact(engine: string, artifact: string, folder: string): Promise<string> {
  await maven(engine, ['dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`]);
  const [file] = await readdir(folder);
  if (file === undefined) throw new Error(`Maven left no file of ${artifact}`);
  return join(folder, file);
}

/** `java`, after a look at its version. @throws EngineError naming the cure when there is none or an old one */
export async function java(engine: string): Promise<string> {
  const program = onPath('java');
  const cure = 'install Java 17 or newer (Debian: `apt install openjdk-17-jdk-headless`) and put it on the PATH.';
  if (program === null)
    throw new EngineError(engine, `java is not on the PATH, so ${engine} was not started.`, { cure });
  const { stderr } = await run(program, ['-version']);
  const major = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  if (major < 17) throw new EngineError(engine, `java is version ${major}, so ${engine} was not started.`, { cure });
  return program;
}

/** Small heaps and a fast start: a laptop runs three of these beside a browser. */
export const jvmFlags = (heapMb: number): readonly string[] => [
  `-Xmx${heapMb}m`,
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
];
