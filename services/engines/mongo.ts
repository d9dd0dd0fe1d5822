import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MongoClient } from 'mongodb';
import type { Engine, EngineOptions } from './engine.ts';
import { EngineError } from './errors.ts';
import { demandPort, preferPort } from './ports.ts';
import { ManagedProcess } from './process.ts';
import { copyDependencies, java, jvmFlags, onPath, tool } from './tools.ts';

const run = promisify(execFile);

/** The mongod on the PATH, else a server in Java that keeps its collections in one file; both are used without transactions. */
export async function startMongo(options: EngineOptions): Promise<Engine> {
  const port =
    options.port === undefined ? await preferPort(27017) : await demandPort('Mongo', options.port, 'MONGO_URL');
  const folder = join(options.dataDir, 'mongo');
  await mkdir(folder, { recursive: true });
  const mongod = onPath('mongod');
  const process_ = await ManagedProcess.launch({
    name: 'Mongo',
    ...(mongod === null ? await javaServer(port, folder) : mongodServer(mongod, port, folder)),
    logFile: join(options.dataDir, 'logs', 'mongo.log'),
  });
  const url = `mongodb://127.0.0.1:${port}/bookstream`;
  await process_.until('ping', () => ping(url), 30_000);
  return { name: 'mongo', urls: { MONGO_URL: url }, processes: [process_] };
}

const mongodServer = (command: string, port: number, folder: string) => ({
  command,
  args: ['--port', String(port), '--bind_ip', '127.0.0.1', '--dbpath', folder, '--wiredTigerCacheSizeGB', '0.25'],
});

async function javaServer(port: number, folder: string) {
  const [command, server] = await Promise.all([
    java('Mongo'),
    tool('mongo-java-server-1.47.0', async (making) => {
      await copyDependencies('Mongo', 'mongo.xml', join(making, 'libs'));
      if (onPath('javac') === null) {
        throw new EngineError('Mongo', 'javac is not on the PATH, so Mongo was not started.', {
          cure: 'install a JDK, not only a JRE (Debian: `apt install openjdk-17-jdk-headless`), or mongod.',
        });
      }
      const source = join(import.meta.dirname, 'LocalMongo.java');
      await run('javac', ['-cp', join(making, 'libs', '*'), '-d', making, source]);
    }),
  ]);
  const classPath = `${join(server, 'libs', '*')}:${server}`;
  return {
    command,
    args: [...jvmFlags(384), '-cp', classPath, 'LocalMongo', String(port), join(folder, 'bookstream.mv')],
  };
}

async function ping(url: string): Promise<void> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 1_000, connectTimeoutMS: 1_000 });
  try {
    await client.db().command({ ping: 1 });
  } finally {
    await client.close();
  }
}
