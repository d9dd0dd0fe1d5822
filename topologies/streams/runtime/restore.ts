import type { Fetcher, KafkaPort, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { GlobalTables } from './global-tables.ts';
import type { StreamTask } from './stream-task.ts';

/** Reads partitions from a position to the end that they have now; resolves when all are read. */
async function readToEnd(
  kafka: KafkaPort,
  from: ReadonlyMap<string, { readonly partition: TopicPartition; position: number }>,
  take: (name: string, batch: Parameters<Parameters<KafkaPort['fetcher']>[0]['onBatch']>[0]) => void,
  lost: (name: string) => void,
): Promise<void> {
  const partitions = [...from.values()].map(({ partition }) => partition);
  if (partitions.length === 0) return;
  const ends = await kafka.endOffsets(partitions);
  const left = new Set(
    [...from].filter(([name, { position }]) => position < (ends.get(name) ?? 0)).map(([name]) => name),
  );
  if (left.size === 0) return;
  let fetcher: Fetcher | null = null;
  try {
    await new Promise<void>((resolve, reject) => {
      fetcher = kafka.fetcher({
        isolation: 'read_committed',
        onBatch: (batch) => {
          const name = partitionName(batch);
          if (!left.has(name)) return;
          try {
            take(name, batch);
          } catch (error) {
            reject(error);
            return;
          }
          if (batch.nextOffset < (ends.get(name) ?? 0)) return;
          left.delete(name);
          fetcher?.unassign(batch);
          if (left.size === 0) resolve();
        },
        onOutOfRange: (partition, _position, logStartOffset) => {
          lost(partitionName(partition));
          fetcher?.assign(partition, logStartOffset);
        },
        onError: reject,
        maxWaitMs: 50,
      });
      for (const name of left) {
        const reading = from.get(name);
        if (reading !== undefined) fetcher.assign(reading.partition, reading.position);
      }
    });
  } finally {
    await (fetcher as Fetcher | null)?.close();
  }
}

/** Brings the stores of tasks to where their changelogs end. A store whose position lies outside the log is read from its start. */
export async function restoreTasks(
  kafka: KafkaPort,
  tasks: readonly StreamTask[],
  onProgress: (records: number) => void = () => {},
): Promise<void> {
  const owners = new Map<string, { readonly task: StreamTask; readonly store: string }>();
  const from = new Map<string, { readonly partition: TopicPartition; position: number }>();
  for (const task of tasks) {
    for (const { store, topic, partition, position } of task.changelogs) {
      const name = partitionName({ topic, partition });
      owners.set(name, { task, store });
      from.set(name, { partition: { topic, partition }, position });
    }
  }
  await readToEnd(
    kafka,
    from,
    (name, batch) => {
      const owner = owners.get(name);
      owner?.task.restore(owner.store, batch.records, batch.nextOffset);
      onProgress(batch.records.length);
    },
    (name) => {
      const owner = owners.get(name);
      owner?.task.wipe(owner.store);
    },
  );
}

/** Reads the global tables to the end that they have now. */
export async function restoreGlobals(
  kafka: KafkaPort,
  globals: GlobalTables,
  partitionsOf: (topic: string) => number,
): Promise<void> {
  const from = new Map<string, { readonly partition: TopicPartition; position: number }>();
  for (const { topic } of globals.inputs) {
    for (let partition = 0; partition < partitionsOf(topic); partition += 1) {
      const input = { topic, partition };
      from.set(partitionName(input), { partition: input, position: globals.position(input) });
    }
  }
  const preparing: Promise<void>[] = [];
  await readToEnd(
    kafka,
    from,
    (_name, batch) => {
      const waits = globals.prepare(batch);
      if (waits === undefined) globals.addRecords(batch);
      else preparing.push(waits.then(() => globals.addRecords(batch)));
    },
    () => {},
  );
  await Promise.all(preparing);
}
