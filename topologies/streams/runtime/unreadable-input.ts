import { StreamsError } from '../errors.ts';
import { CorruptBatchError } from '../kafka/errors.ts';
import type { FetchedBatch, FetchedRecords, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';

/** What comes next of an input cannot be decoded, though its batch passes its checksum: not even a key is known, so no handler can be asked. */
export class UnreadableInputError extends StreamsError {
  readonly code = 'UNREADABLE_INPUT';
  readonly input: TopicPartition;

  constructor(input: TopicPartition, cause: CorruptBatchError) {
    super(`a record of ${partitionName(input)} cannot be read: ${cause.message}`, { cause });
    this.input = input;
  }
}

/** How an operator gets past what nobody can read. @param nextOffset where to go on */
export const howToPass = (applicationId: string, { topic, partition }: TopicPartition, nextOffset: number): string =>
  'To leave it out, stop every instance, wait until its session has ended (10 s), and run: ' +
  `kafka-consumer-groups.sh --bootstrap-server … --group ${applicationId} --topic ${topic}:${partition} --reset-offsets --to-offset ${nextOffset} --execute`;

/**
 * Lets `prepare` look at what can be read of a batch; what cannot is found again when its turn comes.
 * @returns what it returns
 */
export function prepareReadable<T>(batch: FetchedBatch, prepare: (batch: FetchedBatch) => T): T {
  try {
    return prepare(batch);
  } catch (error) {
    if (!(error instanceof CorruptBatchError)) throw error;
    return prepare({ ...batch, records: readablePart(batch.records) });
  }
}

function readablePart(records: FetchedRecords): FetchedRecords {
  const readable = [];
  try {
    for (const record of records) readable.push(record);
  } catch (error) {
    if (!(error instanceof CorruptBatchError)) throw error;
  }
  return readable;
}
