import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StreamsWorker } from '../index.ts';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import { applicationId, input, output, summing } from '../test/summing.ts';
import { WireTap } from '../test/wire-tap.ts';
import { AuthenticationError, connectKafka, type KafkaConnection, type KafkaPort } from './index.ts';

const sessionMs = 2_000;
const storePassword = 'only-for-this-test';
let folder: string;
let tap: WireTap;
let broker: KafkaBroker;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'streams-tls-'));
  const keyStore = join(folder, 'broker.p12');
  const stored = ['-alias', 'broker', '-keystore', keyStore, '-storepass', storePassword];
  const made = ['-keyalg', 'RSA', '-validity', '2', '-dname', 'CN=broker', '-ext', 'san=ip:127.0.0.1'];
  execFileSync('keytool', ['-genkeypair', ...stored, '-storetype', 'PKCS12', ...made], { stdio: 'ignore' });
  execFileSync('keytool', ['-exportcert', '-rfc', ...stored, '-file', join(folder, 'certificate.pem')], {
    stdio: 'ignore',
  });
  tap = await WireTap.open();
  broker = await startKafkaBroker({
    listener: { protocol: 'SASL_SSL', advertisedPort: tap.port },
    format: ['--add-scram', 'SCRAM-SHA-512=[name=reader,password=right]'],
    properties: {
      'ssl.keystore.type': 'PKCS12',
      'ssl.keystore.location': keyStore,
      'ssl.keystore.password': storePassword,
      'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'listener.name.second.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'connections.max.reauth.ms': String(sessionMs),
    },
  });
  tap.forwardTo(broker.secondServers);
}, 120_000);
afterAll(async () => {
  await broker?.[Symbol.asyncDispose]();
  await tap?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** What the client had to say, and how often it has logged in: kafkajs asks for the password three times a login. */
const secured = (password = 'right') => {
  const said: string[] = [];
  let asked = 0;
  const connection: KafkaConnection = {
    bootstrapServers: `127.0.0.1:${tap.port}`,
    clientId: 'secured',
    ssl: { ca: readFileSync(join(folder, 'certificate.pem')) },
    sasl: {
      mechanism: 'scram-sha-512',
      username: 'reader',
      get password() {
        asked += 1;
        return password;
      },
    },
    log: (level, message) => {
      if (level !== 'info') said.push(message);
    },
  };
  return { connection, said, logins: () => asked / 3 };
};

const number = (value: number) => ({
  topic: input.name,
  partition: value % 2,
  timestamp: Date.now(),
  key: input.keySerde.serialize(input.name, `key-${value % 2}`),
  value: input.valueSerde.serialize(input.name, value),
  headers: [],
});

/** Last sums of the output's two partitions, and how many there are. */
function results(kafka: KafkaPort) {
  const seen = { count: 0, last: [0, 0] };
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: ({ records }) => {
      for (const { key, value } of records) {
        seen.count += 1;
        const which = Number(
          Buffer.from(key ?? [])
            .toString()
            .slice(-1),
        );
        seen.last[which] = output.valueSerde.deserialize(output.name, value ?? new Uint8Array());
      }
    },
    onOutOfRange: () => {},
    onError: (error) => {
      throw error;
    },
  });
  for (const partition of [0, 1]) fetcher.assign({ topic: output.name, partition }, 0);
  return { seen, close: () => fetcher.close() };
}

test('a worker goes on through several logins on every connection, none of which is lost', async () => {
  const { connection, said, logins } = secured();
  const kafka = await connectKafka(connection);
  await kafka.createTopics([input, output].map(({ name }) => ({ name, partitions: 2 })));
  const logged: string[] = [];
  const worker = new StreamsWorker({
    applications: [{ applicationId, topology: summing() }],
    port: kafka,
    stateDir: folder,
    instanceId: 'one',
    log: (level, event, message) => {
      if (level !== 'info') logged.push(`${event} ${message}`);
    },
  });
  await worker.start();
  const { seen, close } = results(kafka);
  const producer = await kafka.producer();
  let sent = 0;
  const sums = [0, 0];
  const sendFor = async (ms: number) => {
    for (const end = performance.now() + ms; performance.now() < end; await sleep(10)) {
      sent += 1;
      sums[sent % 2] = (sums[sent % 2] ?? 0) + sent;
      await producer.send([number(sent)]);
    }
  };
  await sendFor(1_000);
  said.length = 0; // a new broker's group coordinator loads first, of which kafkajs speaks
  const loginsBefore = logins();
  const before = [...tap.connections];
  const open = before.filter(({ closed }) => !closed);
  await sendFor(4.2 * sessionMs);
  await expect.poll(() => seen.count, { timeout: 10_000 }).toBe(sent);
  expect(seen.last).toEqual(sums);
  await kafka.partitionCounts([input.name]); // by a connection that has been idle for long
  expect([said, logged]).toEqual([[], []]);
  expect(open.filter(({ closed }) => closed)).toEqual([]);
  const opened = tap.connections.length - before.length; // a fetch that finds others waiting goes out on a connection of its own
  // At 85 % of a session, so at least four times each; that of the idle one once.
  expect(logins() - loginsBefore).toBeGreaterThanOrEqual(4 * (open.length - 1));
  expect(logins() - loginsBefore).toBeLessThanOrEqual(6 * (open.length + opened));
  await close();
  await worker.close();
  await producer.close();
  await kafka.close();
});

test('a wrong password is one error that says what to do, at once', async () => {
  const { connection } = secured('wrong');
  const from = performance.now();
  const refused = await connectKafka(connection).then(
    () => null,
    (error: unknown) => error,
  );
  expect(refused).toBeInstanceOf(AuthenticationError);
  expect(String(refused)).toMatch(
    /127\.0\.0\.1:\d+ refused the login of reader: .*; nothing was sent\. Check the user name and the secret in `sasl`.*SCRAM-SHA-512/s,
  );
  expect(performance.now() - from).toBeLessThan(3_000);
});

test('a broker whose certificate nobody vouches for is told so', async () => {
  const { connection } = secured();
  await expect(connectKafka({ ...connection, ssl: {} })).rejects.toThrow(
    new RegExp(`127.0.0.1:${tap.port} could be reached.*self-signed certificate`),
  );
});
