import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onPath, toolsFolder } from '../engines/tools.ts';

const run = promisify(execFile);

export interface Finding {
  readonly what: string;
  readonly found: string;
  readonly ok: boolean;
  readonly cure?: string;
}

const gigabyte = 1024 ** 3;

/** Looks at what the platform needs of this machine. Everything is looked at, so that all cures are told at once. */
export async function lookAround(options: {
  readonly dataDir: string;
  readonly port: number;
  readonly portIsOurs: boolean;
}): Promise<readonly Finding[]> {
  const node = Number(process.versions.node.split('.')[0]);
  const usesJava = ['KAFKA_URL', 'REGISTRY_URL', 'MONGO_URL'].some((variable) => !process.env[variable]);
  const downloaded = ['kafka-4.3.1', 'apicurio-registry-3.0.9', 'mongo-java-server-1.47.0'].every((name) =>
    existsSync(join(toolsFolder(), name)),
  );
  await mkdir(options.dataDir, { recursive: true });
  const { bavail, bsize } = await statfs(options.dataDir);
  const diskGb = (bavail * bsize) / gigabyte;
  const memoryGb = freemem() / gigabyte;
  const java = await versionOf('java', ['-version'], /version "([^"]+)"/);
  const maven = await versionOf('mvn', ['-version'], /Apache Maven ([\d.]+)/);
  const portFree = options.portIsOurs || (await isFree(options.port));
  return [
    {
      what: 'Node',
      found: process.versions.node,
      ok: node >= 24,
      cure: 'start through npm (`npm start`), which brings Node 24; on systems without that package install Node ≥ 24.',
    },
    {
      what: 'Java',
      found: java ?? 'not found',
      ok: !usesJava || Number(java?.split('.')[0] ?? 0) >= 17,
      cure: 'install Java 17 or newer (Debian: `apt install openjdk-17-jdk-headless`), or name your own engines by their URLs.',
    },
    {
      what: 'javac',
      found: onPath('javac') ?? 'not found',
      ok: !usesJava || downloaded || onPath('javac') !== null || onPath('mongod') !== null,
      cure: 'install a JDK, not only a JRE (Debian: `apt install openjdk-17-jdk-headless`).',
    },
    {
      what: 'Maven',
      found: maven ?? 'not found',
      ok: !usesJava || downloaded || maven !== null,
      cure: 'install Maven (Debian: `apt install maven`); it fetches Kafka, the registry, Redis and the Mongo server once.',
    },
    {
      what: 'disk',
      found: `${diskGb.toFixed(1)} GB free for ${options.dataDir}`,
      ok: diskGb >= 2,
      cure: 'free 2 GB, or choose another folder with BOOKSTREAM_DATA.',
    },
    {
      what: 'memory',
      found: `${memoryGb.toFixed(1)} GB free`,
      ok: memoryGb >= 1.5,
      cure: 'free 1.5 GB: three small Java engines, Postgres and three Node processes want it.',
    },
    {
      what: `port ${options.port}`,
      found: options.portIsOurs ? 'the platform that runs here' : portFree ? 'free' : 'taken',
      ok: portFree,
      cure: `end what listens there (\`ss -ltnp sport = :${options.port}\` names it) or choose another: \`PORT=4010 npm start\`.`,
    },
  ];
}

async function versionOf(program: string, args: readonly string[], pattern: RegExp): Promise<string | null> {
  if (onPath(program) === null) return null;
  try {
    const { stdout, stderr } = await run(program, [...args]);
    return pattern.exec(`${stdout}${stderr}`)?.[1] ?? null;
  } catch {
    return null; // it is there but does not run: as good as not found
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
