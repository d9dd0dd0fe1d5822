import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import type { Engine, EngineOptions } from './engine.ts';
import { cureFor, EngineError } from './errors.ts';
import { demandPort, freePort, preferPort } from './ports.ts';
import { ManagedProcess } from './process.ts';
import { copyArtifact, copyDependencies, java, jvmFlags, tool } from './tools.ts';

const run = promisify(execFile);
const version = '4.3.1';

/** Brokers that are their own controllers (KRaft, static voters: ports may change from start to start), up within a few seconds. */
export async function startKafka(options: EngineOptions & { readonly brokers?: number }): Promise<Engine> {
  const brokers = options.brokers ?? 1;
  const [program, libs, logging] = await Promise.all([
    java('Kafka'),
    tool(`kafka-${version}`, (folder) => copyDependencies('Kafka', 'kafka.xml', join(folder, 'libs'))),
    tool('log4j-slf4j-2.25.4', async (folder) => {
      await copyArtifact('Kafka', 'org.apache.logging.log4j:log4j-slf4j-impl:2.25.4', folder);
    }),
  ]);
  const classPath = ['-cp', `${join(libs, 'libs', '*')}:${join(logging, '*')}`];

  const nodes: { id: number; port: number; controllerPort: number; folder: string }[] = [];
  for (let id = 1; id <= brokers; id += 1) {
    const port =
      options.port === undefined
        ? await preferPort(9091 + id)
        : await demandPort('Kafka', options.port + id - 1, 'KAFKA_URL');
    nodes.push({ id, port, controllerPort: await freePort(), folder: join(options.dataDir, `kafka-${id}`) });
  }
  const voters = nodes.map((node) => `${node.id}@127.0.0.1:${node.controllerPort}`).join(',');
  const clusterId = await clusterIdOf(options.dataDir);

  const processes = await Promise.all(
    nodes.map(async (node) => {
      await mkdir(node.folder, { recursive: true });
      const file = join(node.folder, 'server.properties');
      await writeFile(file, brokerProperties({ ...node, voters, brokers }));
      const logFile = join(options.dataDir, 'logs', `kafka-${node.id}.log`);
      if (!existsSync(join(node.folder, 'log', 'meta.properties')))
        await format(program, classPath, clusterId, file, logFile);
      return ManagedProcess.launch({
        name: brokers === 1 ? 'Kafka' : `Kafka ${node.id}`,
        command: program,
        args: [
          ...jvmFlags(512),
          `-Dlog4j2.configurationFile=${join(import.meta.dirname, 'log4j2.properties')}`,
          ...classPath,
          'kafka.Kafka',
          file,
        ],
        logFile,
      });
    }),
  );

  const url = nodes.map((node) => `127.0.0.1:${node.port}`).join(',');
  try {
    await Promise.all(
      processes.map((process, index) =>
        process.until('listing the brokers', () => seesBrokers(`127.0.0.1:${nodes[index]?.port}`, brokers), 60_000),
      ),
    );
  } catch (error) {
    await Promise.all(processes.map((process) => process.stop()));
    throw error;
  }
  return { name: 'kafka', urls: { KAFKA_URL: url }, processes };
}

/** Formatting a broker's folder writes this id into it; all brokers of a cluster and all their starts must agree. */
async function clusterIdOf(dataDir: string): Promise<string> {
  const file = join(dataDir, 'kafka-cluster-id');
  if (existsSync(file)) return (await readFile(file, 'utf8')).trim();
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(16)))
    .toString('base64url')
    .replace(/^-/, 'A'); // no leading dash: it is an argument
  await mkdir(dataDir, { recursive: true });
  await writeFile(file, id);
  return id;
}

async function format(
  java: string,
  classPath: readonly string[],
  clusterId: string,
  file: string,
  logFile: string,
): Promise<void> {
  try {
    await run(java, [...jvmFlags(256), ...classPath, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file]);
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }; // execFile's errors carry both
    const logTail = `${stdout}${stderr}`
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-20);
    throw new EngineError('Kafka', 'Kafka could not lay out its data folder and was not started.', {
      cure: cureFor(logTail, logFile),
      logTail,
      cause,
    });
  }
}

/** A broker's server.properties; docker-compose.yml says the same to its three. */
export const brokerProperties = (node: {
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
  readonly folder: string;
  readonly voters: string;
  readonly brokers: number;
}): string => {
  const copies = Math.min(3, node.brokers);
  const inSync = Math.max(1, copies - 1);
  return `${[
    'process.roles=broker,controller',
    `node.id=${node.id}`,
    `controller.quorum.voters=${node.voters}`,
    `listeners=PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${node.port}`,
    'controller.listener.names=CONTROLLER',
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    `log.dirs=${join(node.folder, 'log')}`,
    'auto.create.topics.enable=false',
    `default.replication.factor=${copies}`,
    `min.insync.replicas=${inSync}`,
    `offsets.topic.replication.factor=${copies}`,
    'offsets.topic.num.partitions=8',
    `transaction.state.log.replication.factor=${copies}`,
    `transaction.state.log.min.isr=${inSync}`,
    'transaction.state.log.num.partitions=8',
    'group.initial.rebalance.delay.ms=0',
    // The registry's journal, which is all it has, says no retention of its own; topics of ours say theirs.
    'log.retention.ms=-1',
    // A laptop may be shut for a month: a topology that then finds no offsets would read its topics from the beginning.
    'offsets.retention.minutes=5256000',
    'transactional.id.expiration.ms=2147483647',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.min.isr=1',
  ].join('\n')}\n`;
};

/** @throws when the broker does not answer, or does not know all of the brokers yet */
async function seesBrokers(url: string, expected: number): Promise<void> {
  const admin = new Kafka({
    clientId: 'bookstream-engines',
    brokers: [url],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1_000,
    requestTimeout: 5_000,
    retry: { retries: 0 },
  }).admin();
  try {
    await admin.connect();
    const cluster = await admin.describeCluster();
    if (cluster.brokers.length < expected)
      throw new Error(`${cluster.brokers.length} of ${expected} brokers are there`);
  } finally {
    await admin.disconnect().catch(() => undefined); // what failed above is the error to tell
  }
}
