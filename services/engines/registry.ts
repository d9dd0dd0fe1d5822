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
      // A start waits this long for a snapshot, also where there is none; the journal it then reads holds everything.
      APICURIO_KAFKASQL_CONSUMER_POLL_TIMEOUT: '300',
      QUARKUS_HTTP_HOST: '127.0.0.1',
      QUARKUS_HTTP_PORT: String(port),
      QUARKUS_LOG_LEVEL: 'WARN',
      QUARKUS_BANNER_ENABLED: 'false',
    },
    logFile: join(options.dataDir, 'logs', 'registry.log'),
  });
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  await process_.until('readiness', () => isReady(`http://127.0.0.1:${port}/health/ready`), 90_000);
  return { name: 'registry', urls: { REGISTRY_URL: url }, processes: [process_] };
}

/** It answers requests before it has read its whole journal, with some of the subjects only; its readiness waits for all. */
async function isReady(url: string): Promise<void> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
}
