import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Serdes, StreamsBuilder, StreamsWorker } from '../index.ts';
import { connectKafka, partitionForKey } from '../kafka/index.ts';
import { startKafkaBroker } from '../test/kafka-broker.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const widths: Readonly<Record<string, number>> = { left: 4, right: 3, out: 2 };

const topology = () => {
  const builder = new StreamsBuilder();
  builder
    .table(text('left'), { store: 'left-rows' })
    .join(
      builder.table(text('right'), { store: 'right-rows' }),
      (value) => value.split(':')[0] ?? null,
      (value, other) => `${value}+${other}`,
      { as: 'fk' },
    )
    .toStream()
    .to('out', { valueSerde: Serdes.string });
  return builder.build();
};

test('two workers join tables of different widths; one loses its state, the other goes, and every row is right in the end', async () => {
  await using broker = await startKafkaBroker();
  const { bootstrapServers } = broker;
  const kafka = await connectKafka({ bootstrapServers, clientId: 'fk-test' });
  await kafka.createTopics(Object.entries(widths).map(([name, partitions]) => ({ name, partitions })));
  const told = new Map<string, string | null>();
  const reader = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: ({ records }) => {
      for (const { key, value } of records)
        told.set(Buffer.from(key ?? []).toString(), value && Buffer.from(value).toString());
    },
    onOutOfRange: () => {},
    onError: (error) => {
      throw error;
    },
  });
  for (let partition = 0; partition < 2; partition += 1) reader.assign({ topic: 'out', partition }, 0);

  const tables = { left: new Map<string, string>(), right: new Map<string, string>() };
  const producer = await kafka.producer();
  let round = 0;
  /** Moves every left row to another right row and renews some right rows, in one go. */
  const change = async () => {
    round += 1;
    const rows = [
      ...Array.from(
        { length: 60 },
        (_, row) => ['left', `l${row}`, `r${(row * 7 + round * 3) % 12}:${round}`] as const,
      ),
      ...Array.from(
        { length: 10 },
        (_, row) => ['right', `r${(row + round) % 12}`, (row + round) % 5 === 0 ? null : `v${round}`] as const,
      ),
    ];
    const records = rows.map(([topic, key, value]) => {
      if (value === null) tables[topic].delete(key);
      else tables[topic].set(key, value);
      const bytes = Serdes.string.serialize(topic, key);
      const partition = partitionForKey(bytes, widths[topic] ?? 1);
      const row = value === null ? null : Serdes.string.serialize(topic, value);
      return { topic, partition, timestamp: round, key: bytes, value: row, headers: [] };
    });
    await producer.send(records);
  };
  const expected = () =>
    Object.fromEntries(
      [...tables.left].flatMap(([key, value]) => {
        const other = tables.right.get(value.split(':')[0] ?? '');
        return other === undefined ? [] : [[key, `${value}+${other}`]];
      }),
    );
  const there = () => Object.fromEntries([...told].filter(([, value]) => value !== null));
  const settled = () => expect.poll(there, { timeout: 40_000, interval: 50 }).toEqual(expected());

  const folders = new Map<string, string>();
  const start = async (instanceId: string) => {
    const stateDir = folders.get(instanceId) ?? mkdtempSync(join(tmpdir(), 'streams-fk-'));
    folders.set(instanceId, stateDir);
    const worker = new StreamsWorker({
      applications: [{ applicationId: 'joins', topology: topology() }],
      bootstrapServers,
      stateDir,
      instanceId,
      log: () => {},
    });
    await worker.start();
    return worker;
  };
  let one = await start('one');
  const two = await start('two');
  for (let i = 0; i < 5; i += 1) await change();
  await settled();

  await one.close();
  rmSync(folders.get('one') ?? '', { recursive: true });
  for (let i = 0; i < 5; i += 1) await change();
  one = await start('one');
  await change();
  await settled();

  await two.close(); // its tasks move when its session has timed out
  await change();
  await settled();

  await one.close();
  await producer.close();
  await reader.close();
  await kafka.close();
  for (const folder of folders.values()) rmSync(folder, { recursive: true, force: true });
}, 150_000);
