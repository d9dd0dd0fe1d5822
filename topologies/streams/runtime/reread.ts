import type {
  CommittedOffset,
  FetchedBatch,
  FetchedRecords,
  FetcherOptions,
  KafkaPort,
  TopicPartition,
} from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import { type RestoreOptions, readToEnd } from './restore.ts';
import type { StreamTask } from './stream-task.ts';

/** A store whose changelog is an input of its task: it is read again from the time its windows reach back to, up to the committed offset. */
export interface Reread extends TopicPartition {
  readonly store: string;
  /** Epoch ms. */
  readonly sinceMs: number;
  /** Offset behind the last record. */
  readonly end: number;
  /** Takes up the next part of the input, up to `end`. */
  readonly take: (records: FetchedRecords) => void;
}

export interface RereadOptions extends RestoreOptions {
  readonly isolation: FetcherOptions['isolation'];
}

/** Fills the stores of `tasks` that have no changelog but an input. After `restoreTasks`: what was left out of them is known from there. */
export async function rereadInputs(
  kafka: KafkaPort,
  tasks: readonly StreamTask[],
  committed: ReadonlyMap<string, CommittedOffset>,
  options: RereadOptions,
): Promise<void> {
  const owners = new Map<string, { readonly task: StreamTask; readonly stores: Reread[] }>();
  for (const task of tasks) {
    for (const reread of task.rereads([...committed.values()])) {
      const name = partitionName(reread);
      const owner = owners.get(name) ?? { task, stores: [] };
      owner.stores.push(reread);
      owners.set(name, owner);
    }
  }
  if (owners.size === 0) return;
  const since = (stores: readonly Reread[]): number => Math.min(...stores.map(({ sinceMs }) => sinceMs));
  const partitions = [...owners].map(([name, { stores }]) => ({
    name,
    ...(stores[0] as Reread),
    sinceMs: since(stores),
  })); // made with one
  const starts = new Map<string, number>();
  for (const [sinceMs, some] of Map.groupBy(partitions, (one) => Math.max(0, one.sinceMs)))
    for (const [name, offset] of await kafka.offsetsForTime(some, sinceMs)) starts.set(name, offset);
  options.signal.throwIfAborted();
  const from = new Map(
    partitions.map(({ name, topic, partition }) => [
      name,
      { partition: { topic, partition }, position: starts.get(name) ?? 0 },
    ]),
  );
  const ends = new Map(partitions.map(({ name, end }) => [name, end]));
  const taker = {
    prepare: () => undefined, // only serdes that need no schema
    addRecords: (batch: FetchedBatch) => {
      for (const { take } of owners.get(partitionName(batch))?.stores ?? []) take(batch.records);
    },
  };
  const placeOf = (input: TopicPartition) => {
    const owner = owners.get(partitionName(input));
    return owner && { taskId: owner.task.id, store: owner.stores[0]?.store ?? input.topic, partition: input.partition };
  };
  const cure =
    'It is read again from its input until the windows have passed it; a join with a changelog of its own (logged: true) does not need that.';
  await readToEnd(kafka, from, taker, () => {}, { ...options, ends, placeOf, cure });
}
