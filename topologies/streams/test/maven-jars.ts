import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..', '..');

/**
 * The jars that a pom.xml names, with all they need, fetched once into the folder `name` of the tools. Two runs may do it at once: the finished folder is
 * put in place by a rename.
 * @returns the folder of the jars
 */
export function mavenJars(name: string, pom: string): string {
  const tools = process.env.BOOKSTREAM_TOOLS ?? join(root, '.bookstream', 'tools');
  const folder = join(tools, name);
  if (existsSync(folder)) return join(folder, 'libs');
  mkdirSync(tools, { recursive: true });
  const making = mkdtempSync(`${folder}.making-`);
  const done = spawnSync(
    'mvn',
    ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${join(making, 'libs')}`],
    { encoding: 'utf8' },
  );
  if (done.status !== 0) {
    rmSync(making, { recursive: true, force: true });
    const said = done.error?.message ?? `${done.stdout}${done.stderr}`;
    throw new Error(`Maven could not fetch ${name}; nothing was run. It said: ${said}`);
  }
  if (!existsSync(folder)) renameSync(making, folder);
  rmSync(making, { recursive: true, force: true });
  return join(folder, 'libs');
}
