import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { mavenJars } from '../../test/maven-jars.ts';

export type SideName = 'ours' | 'original';

/** A program that is the order-flow application; app.ts tells its command line and what it says. */
export interface Side {
  readonly name: SideName;
  readonly command: string;
  readonly args: readonly string[];
  /**
   * The original's record cache passes on only the last row of a book between two commits, which is less work for it; here every update is passed on, and
   * so each is checked.
   */
  readonly tellsEveryUpdate: boolean;
}

export const originalVersion = '4.3.1';

/** @param profiles folder for CPU profiles of its runs; null: none are made, they cost some speed */
export const ours = (profiles: string | null): Side => ({
  name: 'ours',
  command: process.execPath,
  args: [
    ...(profiles === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`]),
    join(import.meta.dirname, 'app.ts'),
  ],
  tellsEveryUpdate: true,
});

/** Apache Kafka Streams from Maven, and the application in java/ compiled into `folder`. */
export function original(folder: string): Side {
  const sources = join(import.meta.dirname, 'java');
  const jars = join(mavenJars(`kafka-streams-${originalVersion}`, join(sources, 'pom.xml')), '*');
  const files = readdirSync(sources).filter((name) => name.endsWith('.java'));
  const done = spawnSync('javac', ['-cp', jars, '-d', folder, ...files.map((name) => join(sources, name))], {
    encoding: 'utf8',
  });
  if (done.status !== 0)
    throw new Error(
      `javac could not compile ${sources}; nothing was measured. A JDK of Java 17 or later must be on the PATH. It said: ${done.error?.message ?? done.stderr}`,
    );
  return {
    name: 'original',
    command: 'java',
    args: ['-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', `${jars}:${folder}`, 'OrderFlow'],
    tellsEveryUpdate: false,
  };
}
