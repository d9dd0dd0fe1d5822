import { execFile } from 'node:child_process';
import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import type { Engine, EngineOptions } from './engine.ts';
import { EngineError } from './errors.ts';
import { demandPort, preferPort } from './ports.ts';
import { ManagedProcess } from './process.ts';
import { copyArtifact, onPath, tool } from './tools.ts';

const run = promisify(execFile);

/** What the jar holds for this machine. */
const packed: Readonly<Record<string, string>> = {
  'linux-x64': 'redis-server-6.2.6-v5-linux-amd64',
  'linux-arm64': 'redis-server-6.2.7-linux-arm64',
  'darwin-x64': 'redis-server-6.2.6-v5-darwin-amd64',
  'darwin-arm64': 'redis-server-6.2.6-v5-darwin-arm64',
};

/** The one on the PATH, else the binary inside the embedded-redis jar. */
async function redisServer(): Promise<string> {
  const installed = onPath('redis-server');
  if (installed !== null) return installed;
  const entry = packed[`${platform()}-${arch()}`];
  if (entry === undefined) {
    throw new EngineError(
      'Redis',
      `There is no redis-server for ${platform()}-${arch()} to download; Redis was not started.`,
      {
        cure: 'install redis-server, or name a running one with REDIS_URL.',
      },
    );
  }
  const folder = await tool('redis-1.4.3', async (folder) => {
    const jar = await copyArtifact('Redis', 'com.github.codemonstur:embedded-redis:1.4.3:jar', folder);
    await run('jar', ['xf', jar, entry], { cwd: folder });
    await rename(join(folder, entry), join(folder, 'redis-server'));
    await chmod(join(folder, 'redis-server'), 0o755);
    await rm(jar);
  });
  return join(folder, 'redis-server');
}

/** Holds only what is said again every few seconds (who runs where), so nothing of it is written to disk. */
export async function startRedis(options: EngineOptions): Promise<Engine> {
  const command = await redisServer();
  const port =
    options.port === undefined ? await preferPort(6379) : await demandPort('Redis', options.port, 'REDIS_URL');
  const folder = join(options.dataDir, 'redis');
  await mkdir(folder, { recursive: true });
  const process_ = await ManagedProcess.launch({
    name: 'Redis',
    command,
    args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder],
    logFile: join(options.dataDir, 'logs', 'redis.log'),
  });
  const url = `redis://127.0.0.1:${port}`;
  await process_.until('PING', () => ping(url), 10_000, 30);
  return { name: 'redis', urls: { REDIS_URL: url }, processes: [process_] };
}

async function ping(url: string): Promise<void> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 1_000 });
  client.on('error', () => undefined); // connect() rejects with the same error
  try {
    await client.connect();
    await client.ping();
  } finally {
    client.disconnect();
  }
}
