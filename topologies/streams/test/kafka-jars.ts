import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const version = '4.3.1';
const root = join(import.meta.dirname, '..', '..', '..');

/** Folder of the broker's jars, fetched once. Two runs may do it at once: the finished folder is put in place by a rename. */
export function kafkaJars(): string {
  const tools = process.env.BOOKSTREAM_TOOLS ?? join(root, '.bookstream', 'tools');
  const folder = join(tools, `kafka-${version}`);
  if (existsSync(folder)) return join(folder, 'libs');
  mkdirSync(tools, { recursive: true });
  const making = mkdtempSync(`${folder}.making-`);
  const done = spawnSync(
    'mvn',
    [
      '-q',
      '-B',
      '-f',
      join(import.meta.dirname, 'pom.xml'),
      'dependency:copy-dependencies',
      `-DoutputDirectory=${join(making, 'libs')}`,
    ],
    { encoding: 'utf8' },
  );
  if (done.status !== 0)
    throw new Error(`Maven could not fetch Kafka; no test was run. It said: ${done.stdout}${done.stderr}`);
  if (!existsSync(folder)) renameSync(making, folder);
  rmSync(making, { recursive: true, force: true });
  return join(dirname(making), `kafka-${version}`, 'libs');
}
