import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connectKafka } from '../kafka/index.ts';
import { mavenJars } from './maven-jars.ts';

export interface KafkaSetUp {
  /** Lines of server.properties beside, or instead of, the usual ones. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Arguments for laying out the log folder: an older feature level, users. */
  readonly format?: readonly string[];
  /** A second listener, beside the plain one. */
  readonly listener?: {
    readonly protocol: 'PLAINTEXT' | 'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT';
    /** What the broker says it is reached by; its own port if absent. */
    readonly advertisedPort?: number;
  };
}

export interface KafkaBroker extends AsyncDisposable {
  readonly id: number;
  readonly bootstrapServers: string;
  /** host:port of the second listener. */
  readonly secondServers: string;
  readonly pid: number;
  /** SIGKILL: nothing is handed over, clients find the connection cut. */
  kill(): Promise<void>;
  /** After `kill`: on the same ports and logs. Resolves when it answers. */
  restart(): Promise<void>;
}

export interface KafkaCluster extends AsyncDisposable {
  readonly bootstrapServers: string;
  readonly brokers: readonly KafkaBroker[];
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

const classPath = (): readonly string[] => [
  '-cp',
  join(mavenJars('kafka-4.3.1', join(import.meta.dirname, 'pom.xml')), '*'),
];
const jvm = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

interface Ports {
  readonly port: number;
  readonly controller: number;
  readonly second: number;
}

const propertiesOf = (id: number, all: readonly Ports[], folder: string, { listener, properties }: KafkaSetUp) => {
  const { port, controller, second } = all[id - 1] as Ports; // ids count from one
  const at = (other: number) => (listener ? [`SECOND://127.0.0.1:${other}`] : []);
  const first = `PLAINTEXT://127.0.0.1:${port}`;
  const copies = String(all.length);
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': all.map((one, index) => `${index + 1}@127.0.0.1:${one.controller}`).join(','),
    listeners: [first, ...at(second), `CONTROLLER://127.0.0.1:${controller}`].join(','),
    'advertised.listeners': [first, ...at(listener?.advertisedPort ?? second)].join(','),
    'listener.security.protocol.map': `PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECOND:${listener?.protocol ?? 'PLAINTEXT'}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(folder, 'log'),
    'auto.create.topics.enable': 'false',
    'default.replication.factor': copies,
    'offsets.topic.replication.factor': copies,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': all.length > 1 ? '2' : '1',
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    ...properties,
  };
};

class Node implements KafkaBroker {
  readonly id: number;
  readonly bootstrapServers: string;
  readonly secondServers: string;
  readonly #file: string;
  #process: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  readonly #endWithUs = () => void this.#process?.kill('SIGKILL');

  constructor(id: number, { port, second }: Ports, file: string) {
    this.id = id;
    this.bootstrapServers = `127.0.0.1:${port}`;
    this.secondServers = `127.0.0.1:${second}`;
    this.#file = file;
    process.once('exit', this.#endWithUs);
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async restart(): Promise<void> {
    const broker = spawn('java', [...jvm, ...classPath(), 'kafka.Kafka', this.#file], {
      stdio: 'ignore',
    });
    this.#process = broker;
    this.#ended = new Promise<void>((resolve) => broker.once('exit', () => resolve()));
    const deadline = Date.now() + 110_000; // three on two busy cores
    for (;;) {
      try {
        await (await connectKafka({ bootstrapServers: this.bootstrapServers, clientId: 'is-it-up' })).close();
        return;
      } catch (cause) {
        if (broker.exitCode !== null)
          throw new Error(`test broker ${this.id} ended at once, with code ${broker.exitCode}: is a port taken?`);
        if (Date.now() > deadline) throw new Error(`test broker ${this.id} did not start in 110 s`, { cause });
        await sleep(100);
      }
    }
  }

  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#endWithUs);
    await this.kill();
  }
}

/** Real brokers of their own, each its own controller too, on free ports and in a folder that goes with them. */
export async function startKafkaCluster(count: number, setUp: KafkaSetUp = {}): Promise<KafkaCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'streams-kafka-'));
  const ports: Ports[] = [];
  for (let id = 1; id <= count; id += 1)
    ports.push({ port: await freePort(), controller: await freePort(), second: await freePort() });
  const brokers = ports.map((own, index) => {
    const home = join(folder, String(index + 1));
    const file = join(home, 'server.properties');
    mkdirSync(home);
    const lines = Object.entries(propertiesOf(index + 1, ports, home, setUp)).map(
      ([name, value]) => `${name}=${value}`,
    );
    writeFileSync(file, lines.join('\n'));
    return { node: new Node(index + 1, own, file), file };
  });
  const format = ['kafka.tools.StorageTool', 'format', '-t', 'streams-test-cluster-1', ...(setUp.format ?? [])];
  const dispose = async () => {
    await Promise.all(brokers.map(({ node }) => node[Symbol.asyncDispose]()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await Promise.all(
      brokers.map(async ({ node, file }) => {
        await promisify(execFile)('java', [...jvm, ...classPath(), ...format, '-c', file]);
        await node.restart();
      }),
    );
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    bootstrapServers: brokers.map(({ node }) => node.bootstrapServers).join(','),
    brokers: brokers.map(({ node }) => node),
    [Symbol.asyncDispose]: dispose,
  };
}

/** A cluster of one. */
export async function startKafkaBroker(setUp: KafkaSetUp = {}): Promise<KafkaBroker> {
  const cluster = await startKafkaCluster(1, setUp);
  const broker = cluster.brokers[0] as KafkaBroker; // of one
  return {
    id: broker.id,
    bootstrapServers: broker.bootstrapServers,
    secondServers: broker.secondServers,
    get pid() {
      return broker.pid;
    },
    kill: () => broker.kill(),
    restart: () => broker.restart(),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}
