import { UnreadableStateError } from '../errors.ts';
import { CorruptBatchError } from '../kafka/errors.ts';
import type { FetchedBatch, Fetcher, FetcherOptions, KafkaPort, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { GlobalTables } from './global-tables.ts';
import { Holds } from './holds.ts';
import { Inlet, type Taker } from './inlet.ts';
import type { StreamTask } from './stream-task.ts';

type Positions = ReadonlyMap<string, { readonly partition: TopicPartition; readonly position: number }>;

/** How far the reading of one changelog partition, or of one of a global table's, has come. */
export interface RestoreStep {
  /** `<sub-topology>_<partition>`, or `global` */
  readonly taskId: string;
  readonly store: string;
  readonly partition: number;
  /** Offsets: where it began, what it wants next, where it ends. */
  readonly from: number;
  readonly position: number;
  readonly end: number;
}

export interface RestoreOptions {
  /** Ends the reading where it is. */
  readonly signal: AbortSignal;
  /** A partition waits for a schema that cannot be asked for now. */
  readonly onWaiting?: (partition: TopicPartition, error: unknown) => void;
  readonly onProgress?: (records: number) => void;
  /** Told of each partition that has anything to read when it begins, and after each batch. */
  readonly onStep?: (step: RestoreStep) => void;
}

/** Of a partition: whose it is. */
type Place = Pick<RestoreStep, 'taskId' | 'store' | 'partition'>;

interface ReadOptions extends RestoreOptions {
  /** Default: read_committed. */
  readonly isolation?: FetcherOptions['isolation'];
  /** Where to stop, by `partitionName`; default: where the logs end now. */
  readonly ends?: ReadonlyMap<string, number>;
  /** For `onStep`, and for what is said of bytes that cannot be read. */
  readonly placeOf: (partition: TopicPartition) => Place | undefined;
  /** What an operator can do about these. */
  readonly cure: string;
}

/** Reads partitions from a position to their end; resolves when all are read. A position behind that end is lost too. */
export async function readToEnd(
  kafka: KafkaPort,
  from: Positions,
  taker: Taker,
  lost: (name: string) => void,
  {
    signal,
    onWaiting = () => {},
    onProgress = () => {},
    onStep = () => {},
    isolation = 'read_committed',
    ...given
  }: ReadOptions,
): Promise<void> {
  const partitions = [...from.values()].map(({ partition }) => partition);
  if (partitions.length === 0) return;
  const ends = given.ends ?? (await kafka.endOffsets(partitions));
  signal.throwIfAborted();
  const endOf = (name: string): number => ends.get(name) ?? 0;
  const starts = [...from].map(([name, { partition, position }]) => {
    if (position <= endOf(name)) return { name, partition, position };
    lost(name);
    return { name, partition, position: 0 };
  });
  const left = new Set(starts.filter(({ name, position }) => position < endOf(name)).map(({ name }) => name));
  if (left.size === 0) return;
  const begun = new Map(starts.map(({ name, position }) => [name, position]));
  const tell = (partition: TopicPartition, position: number): void => {
    const place = given.placeOf(partition);
    const name = partitionName(partition);
    if (place !== undefined) onStep({ ...place, from: begun.get(name) ?? 0, position, end: endOf(name) });
  };
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  /** @param partition where it is not known with the error */
  const fail = (error: unknown, partition: TopicPartition | null): void => {
    const at = error instanceof CorruptBatchError ? (error.at ?? partition) : null;
    const place = at === null ? undefined : given.placeOf(at);
    if (!(error instanceof CorruptBatchError) || place === undefined) reject(error);
    else reject(new UnreadableStateError(place.store, place.taskId, given.cure, error));
  };
  const inlet = new Inlet({
    holds: new Holds(() => fetcher),
    onTaken: (batch) => {
      onProgress(batch.records.length);
      const name = partitionName(batch);
      if (batch.records.length > 0 || batch.nextOffset >= endOf(name)) tell(batch, batch.nextOffset);
      if (batch.nextOffset < endOf(name)) return;
      left.delete(name);
      fetcher.unassign(batch);
      if (left.size === 0) resolve();
    },
    onWaiting,
    onFailed: (error) => fail(error, null),
  });
  const fetcher: Fetcher = kafka.fetcher({
    isolation,
    onBatch: (batch) => {
      if (!left.has(partitionName(batch))) return;
      try {
        inlet.give(batch, taker);
      } catch (error) {
        fail(error, batch);
      }
    },
    onOutOfRange: (partition, _position, logStartOffset) => {
      lost(partitionName(partition));
      begun.set(partitionName(partition), logStartOffset);
      fetcher.assign(partition, logStartOffset);
    },
    onError: (error) => fail(error, null),
    maxWaitMs: 50,
  });
  const end = (): void => reject(signal.reason);
  signal.addEventListener('abort', end);
  try {
    for (const { name, partition, position } of starts) {
      if (!left.has(name)) continue;
      tell(partition, position);
      fetcher.assign(partition, position);
    }
    await promise;
  } finally {
    signal.removeEventListener('abort', end);
    inlet.close();
    await fetcher.close();
  }
}

/** Brings the stores of tasks to where their changelogs end. A store whose position lies outside the log is read from its start. */
export async function restoreTasks(
  kafka: KafkaPort,
  tasks: readonly StreamTask[],
  options: RestoreOptions,
): Promise<void> {
  const owners = new Map<string, { readonly task: StreamTask; readonly store: string }>();
  const from = new Map<string, { readonly partition: TopicPartition; readonly position: number }>();
  for (const task of tasks) {
    for (const { store, topic, partition, position } of task.changelogs) {
      const name = partitionName({ topic, partition });
      owners.set(name, { task, store });
      from.set(name, { partition: { topic, partition }, position });
    }
  }
  const stores: Taker = {
    prepare: () => undefined, // rows stay bytes
    addRecords: (batch: FetchedBatch) => {
      const owner = owners.get(partitionName(batch));
      owner?.task.restore(owner.store, batch.records, batch.nextOffset);
    },
  };
  const wipe = (name: string): void => {
    const owner = owners.get(name);
    owner?.task.wipe(owner.store);
  };
  const placeOf = (partition: TopicPartition): Place | undefined => {
    const owner = owners.get(partitionName(partition));
    return owner && { taskId: owner.task.id, store: owner.store, partition: partition.partition };
  };
  const cure =
    'An instance that has its rows on the disk goes on with them. Where none has, reset the application (resetApplication): it makes them anew from its inputs.';
  await readToEnd(kafka, from, stores, wipe, { ...options, placeOf, cure });
}

/** Reads the global tables to the end that they have now; a table whose topic is not the log that was read begins anew. */
export async function restoreGlobals(
  kafka: KafkaPort,
  globals: GlobalTables,
  partitionsOf: (topic: string) => number,
  options: RestoreOptions,
): Promise<void> {
  const inputs = globals.inputs.flatMap(({ topic }) =>
    Array.from({ length: partitionsOf(topic) }, (_, partition) => ({ topic, partition })),
  );
  if (inputs.length === 0) return;
  const [first, end] = await Promise.all([kafka.earliestOffsets(inputs), kafka.endOffsets(inputs)]);
  for (const input of inputs) {
    const position = globals.position(input);
    const name = partitionName(input);
    // Rows of all partitions lie in one store, and which of them were deleted meanwhile nobody can tell.
    if (position > 0 && (position < (first.get(name) ?? 0) || position > (end.get(name) ?? 0)))
      globals.wipe(input.topic, partitionsOf(input.topic));
  }
  const from = new Map(
    inputs.map((partition) => [partitionName(partition), { partition, position: globals.position(partition) }]),
  );
  const storeOf = new Map(globals.inputs.map(({ topic, store }) => [topic, store]));
  const placeOf = ({ topic, partition }: TopicPartition): Place => ({
    taskId: 'global',
    store: storeOf.get(topic) ?? topic,
    partition,
  });
  const cure = 'Let whoever fills the topic write it anew, for the rows behind it too.';
  await readToEnd(kafka, from, globals, () => {}, { ...options, placeOf, cure });
}
