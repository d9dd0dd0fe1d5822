import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Engine, EngineOptions } from './engine.ts';
import { demandPort, preferPort } from './ports.ts';
import { ManagedProcess } from './process.ts';
import { copyArtifact, java, jvmFlags, tool } from './tools.ts';

const run = promisify(execFile);
const version = '3.0.9';

/**
 * Apicurio Registry with its storage in a Kafka topic, so it has no data of its own to lose.
 * @param options.kafkaUrl may still be starting: the registry asks until it is there
 */
export async function startRegistry(options: EngineOptions & { readonly kafkaUrl: string }): Promise<Engine> {
  const [program, folder] = await Promise.all([
    java('the registry'),
    tool(`apicurio-registry-${version}`, async (folder) => {
      const archive = await copyArtifact(
        'the registry',
        `io.apicurio:apicurio-registry-app:${version}:tar.gz:all`,
        folder,
      );
      await run('tar', ['xzf', archive, '-C', folder]);
      await rm(archive);
    }),
  ]);
  const port =
    options.port === undefined
      ? await preferPort(8081)
      : await demandPort('the registry', options.port, 'REGISTRY_URL');
  const scratch = join(options.dataDir, 'registry');
  await mkdir(scratch, { recursive: true });
  const process_ = await ManagedProcess.launch({
    name: 'the registry',
    command: program,
    args: [
      ...jvmFlags(384),
      `-Djava.io.tmpdir=${scratch}`,
      '-jar',
      join(folder, `apicurio-registry-app-${version}-runner.jar`),
    ],
    cwd: scratch,
    env: {
      ...process.env,
      APICURIO_STORAGE_KIND: 'kafkasql',
      APICURIO_KAFKASQL_BOOTSTRAP_SERVERS: options.kafkaUrl,
      QUARKUS_HTTP_HOST: '127.0.0.1',
      QUARKUS_HTTP_PORT: String(port),
      QUARKUS_LOG_LEVEL: 'WARN',
      QUARKUS_BANNER_ENABLED: 'false',
    },
    logFile: join(options.dataDir, 'logs', 'registry.log'),
  });
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  await process_.until('listing the subjects', () => listsSubjects(url), 90_000, 200);
  return { name: 'registry', urls: { REGISTRY_URL: url }, processes: [process_] };
}

async function listsSubjects(url: string): Promise<void> {
  const answer = await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(2_000) });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
}
