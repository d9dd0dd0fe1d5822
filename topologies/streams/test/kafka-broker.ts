import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectKafka } from '../kafka/index.ts';
import { mavenJars } from './maven-jars.ts';

const version = '4.3.1';

export interface KafkaBroker extends AsyncDisposable {
  readonly bootstrapServers: string;
  readonly pid: number;
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo; // a TCP server's address
      server.close(() => resolve(port));
    });
  });

/** A real broker of its own, on free ports and in a folder that goes with it. */
export async function startKafkaBroker(properties: Readonly<Record<string, string>> = {}): Promise<KafkaBroker> {
  const classPath = ['-cp', join(mavenJars(`kafka-${version}`, join(import.meta.dirname, 'pom.xml')), '*')];
  const folder = mkdtempSync(join(tmpdir(), 'streams-kafka-'));
  const [port, controller] = [await freePort(), await freePort()];
  const config = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(folder, 'log'),
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    ...properties,
  };
  const file = join(folder, 'server.properties');
  writeFileSync(
    file,
    Object.entries(config)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
  );
  const jvm = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  execFileSync(
    'java',
    [...jvm, ...classPath, 'kafka.tools.StorageTool', 'format', '-t', 'streams-test-cluster-1', '-c', file],
    { stdio: 'ignore' },
  );
  const broker = spawn('java', [...jvm, ...classPath, 'kafka.Kafka', file], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => broker.once('exit', () => resolve()));
  const kill = () => broker.kill('SIGKILL');
  process.once('exit', kill);
  const bootstrapServers = `127.0.0.1:${port}`;
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await (await connectKafka({ bootstrapServers, clientId: 'is-it-up' })).close();
      break;
    } catch (error) {
      if (broker.exitCode !== null || Date.now() > deadline)
        throw new Error('the test broker did not start', { cause: error });
      await sleep(100);
    }
  }
  return {
    bootstrapServers,
    pid: broker.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      process.off('exit', kill);
      kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
