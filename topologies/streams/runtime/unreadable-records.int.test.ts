import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Serdes, StreamsBuilder, StreamsWorker } from '../index.ts';
import { crc32c } from '../kafka/crc32c.ts';
import { type AdminPort, connectKafka, type KafkaPort } from '../kafka/index.ts';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';

const applicationId = 'reading';
const from = 'broken-in';
const to = 'broken-out';
let broker: KafkaBroker;
let kafka: KafkaPort & AdminPort;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'streams-unreadable-'));
  broker = await startKafkaBroker({
    properties: {
      'log.dirs': join(folder, 'log'),
      // How soon a broker that was killed is let in again.
      'broker.session.timeout.ms': '1500',
      'broker.heartbeat.interval.ms': '300',
    },
  });
  kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'unreadable' });
  await kafka.createTopics([from, to].map((name) => ({ name, partitions: 3 })));
  const producer = await kafka.producer();
  const send = (partition: number, values: string) =>
    producer.send(
      [...values].map((value) => {
        const record = { topic: from, partition, timestamp: 1_000, key: Buffer.from('k') };
        return { ...record, value: Buffer.from(value), headers: [] };
      }),
    );
  for (const [partition, batches] of [['abc', 'd'], ['klm', 'n'], ['xyz']].entries())
    for (const values of batches) await send(partition, values);
  await producer.close();
  await broker.kill();
  // A record with one byte each for its length, attributes, time, place, key length, key, value length, value and number of headers.
  const valueLength = 6;
  breakRecord(0, 1, valueLength, 126); // 63 bytes, of which there are not so many
  breakRecord(1, 0, 0, 126); // the record itself: nobody knows where the next one begins
  await broker.restart();
}, 120_000);
afterAll(async () => {
  await kafka?.close();
  await broker?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** On the broker's disk, in the partition's first batch, whose checksum is made right again. */
function breakRecord(partition: number, index: number, at: number, byte: number): void {
  const [headerBytes, recordBytes] = [61, 9];
  const file = join(folder, 'log', `${from}-${partition}`, '00000000000000000000.log');
  const log = readFileSync(file);
  const batch = log.subarray(0, 12 + log.readInt32BE(8));
  batch[headerBytes + index * recordBytes + at] = byte;
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  writeFileSync(file, log);
}

/** A worker that copies, and what it has logged. */
async function copying() {
  const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
  const builder = new StreamsBuilder();
  builder.stream(text(from)).to(to, {
    ...text(to),
    partitioner: (_key, value) => 'abcd,klmn,xyz'.split(',').findIndex((all) => all.includes(value)),
  });
  const logged: string[] = [];
  const worker = new StreamsWorker({
    applications: [{ applicationId, topology: builder.build() }],
    port: kafka,
    stateDir: join(folder, 'state'),
    instanceId: 'one',
    log: (level, event, message) => {
      if (level !== 'info') logged.push(`${event}: ${message}`);
    },
  });
  await worker.start();
  return { worker, logged };
}

test('a task stands still in front of a record that cannot be read, others go on, and what is logged tells how to pass it', async () => {
  const out: string[] = ['', '', ''];
  const reader = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: ({ partition, records }) => {
      for (const { value } of records) out[partition] += Buffer.from(value ?? []).toString();
    },
    onOutOfRange: () => {},
    onError: () => {},
  });
  for (const partition of [0, 1, 2]) reader.assign({ topic: to, partition }, 0);
  const first = await copying();
  await expect.poll(() => out).toEqual(['a', 'k', 'xyz']);
  await expect.poll(() => first.logged.length).toBeGreaterThanOrEqual(2);
  const command = (partition: number, offset: number) =>
    `stop every instance, .* run: kafka-consumer-groups\\.sh --bootstrap-server … --group reading --topic broken-in:${partition} --reset-offsets --to-offset ${offset} --execute$`;
  for (const partition of [0, 1]) {
    const line = `^record-unreadable: reading task 0_${partition} stands still at broken-in-${partition}@1, and all other tasks go on: .*passes its checksum.*${command(partition, 2)}`;
    expect(first.logged.filter((one) => new RegExp(line).test(one))).toHaveLength(1);
  }
  expect(first.logged).toHaveLength(2); // nothing has failed
  const producer = await kafka.producer();
  await producer.send([
    { topic: from, partition: 2, timestamp: 1_000, key: null, value: Buffer.from('y'), headers: [] },
  ]);
  await producer.close();
  await expect.poll(() => out).toEqual(['a', 'k', 'xyzy']);
  await first.worker.close();

  // What the command does.
  await expect.poll(() => kafka.describeGroup(applicationId)).toMatchObject({ state: 'Empty' });
  const nobody = { groupId: applicationId, generationId: -1, memberId: '', groupInstanceId: null };
  const at = (partition: number) => ({ topic: from, partition, offset: 2, metadata: null });
  await kafka.commitOffsets([at(0), at(1)], nobody);
  const second = await copying();
  await expect.poll(() => out).toEqual(['acd', 'k', 'xyzy']);
  // Where the next record begins is not known either, so the whole batch is to be passed.
  const text = `^fetch-failed: The batch at broken-in-1 offset 0 .*broken-in-1 stands still in front of it, and all else goes on\\. .*${command(1, 3)}`;
  await expect.poll(() => second.logged.join('\n')).toMatch(new RegExp(text, 'm'));
  await second.worker.close();
  await reader.close();
}, 60_000);
