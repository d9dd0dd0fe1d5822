import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { MongoClient } from 'mongodb';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { freePort } from './ports.ts';
import { ephemeralFolder, startEngines } from './start.ts';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function gone(pids: readonly number[], deadlineMs = 15_000): Promise<readonly number[]> {
  const end = Date.now() + deadlineMs;
  while (pids.some(isAlive) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  return pids.filter(isAlive);
}

async function registerProbe(registryUrl: string | undefined, subject: string): Promise<unknown> {
  const schema = JSON.stringify({ type: 'record', name: 'Probe', fields: [{ name: 'at', type: 'long' }] });
  const answer = await fetch(`${registryUrl}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ schema }),
  });
  return answer.json();
}

test('all engines start side by side, answer their drivers and leave neither process nor file behind', async () => {
  const dataDir = ephemeralFolder();
  const engines = await startEngines({ dataDir, ephemeral: true });
  const pids = engines.running.flatMap((engine) => engine.processes.map((process) => process.pid));
  try {
    expect(pids).toHaveLength(5);
    const { KAFKA_URL, REGISTRY_URL, POSTGRES_URL, USERS_POSTGRES_URL, MONGO_URL, REDIS_URL } = engines.urls;

    const admin = new Kafka({ brokers: [String(KAFKA_URL)], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 'probe', numPartitions: 3 }], waitForLeaders: true });
    expect(await admin.listTopics()).toContain('probe');
    await admin.disconnect();

    expect(await registerProbe(REGISTRY_URL, 'probe')).toMatchObject({ id: expect.any(Number) });

    for (const url of [POSTGRES_URL, USERS_POSTGRES_URL]) {
      const client = new Client({ connectionString: url });
      await client.connect();
      const { rows } = await client.query(
        "select 'straße' = lower('STRASSE') as no, upper('ä') as upper, 2 + 2 as four",
      );
      expect(rows).toEqual([{ no: false, upper: 'Ä', four: 4 }]);
      await client.end();
    }

    const mongo = new MongoClient(String(MONGO_URL));
    await mongo.db().collection<{ _id: string }>('probe').insertOne({ _id: 'a' });
    expect(await mongo.db().collection('probe').countDocuments()).toBe(1);
    await mongo.close();

    const redis = new Redis(String(REDIS_URL));
    await redis.set('probe', 'here', 'PX', 10_000);
    expect(await redis.get('probe')).toBe('here');
    redis.disconnect();
  } finally {
    await engines[Symbol.asyncDispose]();
  }
  expect(await gone(pids)).toEqual([]);
  expect(existsSync(dataDir)).toBe(false);
}, 180_000);

test('what was written is still there at the next start, also under another port', async () => {
  const dataDir = ephemeralFolder();
  const only = ['kafka', 'registry', 'mongo', 'postgres'] as const;
  const elsewhere = async () =>
    Object.fromEntries(await Promise.all(only.map(async (name) => [name, await freePort()] as const)));
  const subjects = Array.from({ length: 60 }, (_, n) => `probe-${n}`).sort();
  try {
    {
      await using engines = await startEngines({ only, dataDir, ports: await elsewhere() });
      const admin = new Kafka({ brokers: [String(engines.urls.KAFKA_URL)], logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
      await admin.createTopics({ topics: [{ topic: 'probe', numPartitions: 3 }], waitForLeaders: true });
      await admin.disconnect();
      for (const subject of subjects) await registerProbe(engines.urls.REGISTRY_URL, subject);
      const mongo = new MongoClient(String(engines.urls.MONGO_URL));
      await mongo.db().collection<{ _id: string }>('probe').insertOne({ _id: 'a' });
      await mongo.close();
      const client = new Client({ connectionString: engines.urls.POSTGRES_URL });
      await client.connect();
      await client.query('create table probe as select 42 as answer');
      await client.end();
    }
    await using engines = await startEngines({ only, dataDir, ports: await elsewhere() });
    const admin = new Kafka({ brokers: [String(engines.urls.KAFKA_URL)], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    expect(await admin.fetchTopicMetadata({ topics: ['probe'] })).toMatchObject({
      topics: [{ partitions: [{ leader: 1 }, { leader: 1 }, { leader: 1 }] }],
    });
    await admin.disconnect();
    const known: string[] = JSON.parse(await (await fetch(`${engines.urls.REGISTRY_URL}/subjects`)).text());
    expect(known.toSorted()).toEqual(subjects); // all of them from the first moment on
    const mongo = new MongoClient(String(engines.urls.MONGO_URL));
    expect(await mongo.db().collection('probe').countDocuments()).toBe(1);
    await mongo.close();
    const client = new Client({ connectionString: engines.urls.POSTGRES_URL });
    await client.connect();
    expect((await client.query('select answer from probe')).rows).toEqual([{ answer: 42 }]);
    await client.end();
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}, 120_000);

test('engines end when the process that started them is killed with SIGKILL', async () => {
  const dataDir = ephemeralFolder();
  const script = `
    import { startEngines } from ${JSON.stringify(new URL('./start.ts', import.meta.url).href)};
    const engines = await startEngines({ only: ['redis', 'mongo', 'postgres'], dataDir: ${JSON.stringify(dataDir)}, ephemeral: true });
    console.log(JSON.stringify(engines.running.flatMap((engine) => engine.processes.map((process) => process.pid))));
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of parent.stdout) {
    output += chunk;
    if (output.includes('\n')) break;
  }
  const pids: number[] = JSON.parse(output);
  expect(pids).toHaveLength(3);
  expect(pids.every(isAlive)).toBe(true);
  parent.kill('SIGKILL');
  expect(await gone(pids)).toEqual([]);
  await rm(dataDir, { recursive: true, force: true });
}, 60_000);

test('a port that was asked for and is taken is named with its cure, and the other engines are stopped again', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const dataDir = ephemeralFolder();
  await expect(
    startEngines({ only: ['redis', 'mongo'], dataDir, ephemeral: true, ports: { redis: port } }),
  ).rejects.toThrow(new RegExp(`^Port ${port} is taken, so Redis was not started\\. Cure: .*REDIS_URL`));
  expect(existsSync(dataDir)).toBe(false);
  taken.close();
}, 60_000);
