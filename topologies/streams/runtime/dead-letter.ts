import type { ConsumedRecord, Header, ProducedRecord } from '../kafka/port.ts';
import { soleBatchSize } from '../kafka/record-batch.ts';
import type { ProductionLimits } from './production-limits.ts';
import type { RecordMetadata } from './record.ts';

const utf8 = new TextEncoder();
const header = (name: string, value: string | number): Header => [name, utf8.encode(String(value))];

/** Of what does not fit a dead-letter topic so much is kept. */
const keptBytes = 1_024;
const keptKeyBytes = 256;
const keptCauseLength = 2_000;

export const deadLetterTopicOf = (topic: string): string => `${topic}.dlq`;

/** Who writes a letter, and what dead-letter topics take. */
export interface LetterWriter {
  readonly application: string;
  readonly task: string;
  /** Absent: not known. */
  readonly limits?: Pick<ProductionLimits, 'maxBytesOf' | 'takesTime'>;
}

/** The record as it came, on its topic's dead-letter topic, with why and from where in the headers. */
export function deadLetterOf(
  raw: ConsumedRecord,
  reason: string,
  cause: unknown,
  writer: LetterWriter,
): ProducedRecord {
  const { partition, timestamp, key, value, headers } = raw;
  const letter = { topic: deadLetterTopicOf(raw.topic), partition, timestamp, key, value, headers };
  return fitted(letter, [...why(reason, cause), ...originOf(raw), ...signed(writer)], writer);
}

/**
 * A record that cannot be sent, on the dead-letter topic of the input that it came of.
 * @param origin the record under way; where there is none, the input of the task that stands for all
 */
export function productionLetterOf(
  record: ProducedRecord,
  cause: unknown,
  origin: RecordMetadata | Pick<RecordMetadata, 'topic' | 'partition'>,
  writer: LetterWriter,
): ProducedRecord {
  const { timestamp, key, value, headers } = record;
  const letter = {
    topic: deadLetterTopicOf(origin.topic),
    partition: origin.partition,
    timestamp,
    key,
    value,
    headers,
  };
  const target = [
    header('target-topic', record.topic),
    header('target-bytes', soleBatchSize(record.key, value, headers)),
  ];
  const from = 'offset' in origin ? originOf(origin) : [];
  return fitted(letter, [...why('production', cause), ...target, ...from, ...signed(writer)], writer);
}

const why = (reason: string, cause: unknown): readonly Header[] => [
  header('reason', reason),
  header('cause', (cause instanceof Error ? cause.message : String(cause)).slice(0, keptCauseLength)),
];

const originOf = ({ topic, partition, offset }: RecordMetadata): readonly Header[] => [
  header('origin-topic', topic),
  header('origin-partition', partition),
  header('origin-offset', offset),
];

const signed = ({ application, task }: LetterWriter): readonly Header[] => [
  header('application', application),
  header('task', task),
];

/** A record of a dead-letter topic, read back. */
export interface DeadLetter {
  /** Where the letter lies. */
  readonly at: RecordMetadata;
  /** Of the record that could not be processed, or sent. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** The record's own. */
  readonly headers: readonly Header[];
  /** `malformed`, `failed`, `production`, … Empty where the record is no letter of ours. */
  readonly reason: string;
  /** Message of the error. */
  readonly cause: string;
  /** The record that it is of; null: of none, such as what a punctuator has sent. */
  readonly origin: RecordMetadata | null;
  readonly application: string;
  /** `<sub-topology>_<partition>`; another name where the writer has no tasks. */
  readonly task: string;
  /** Where it was to be sent; null: it is a record that came in. */
  readonly target: string | null;
  /** Of the value, before it was cut; null: it is whole. */
  readonly valueBytes: number | null;
}

/** A letter's own headers are the last of their names, from its `reason` on: the record may have had such ones before. */
export function readDeadLetter(letter: ConsumedRecord): DeadLetter {
  const { topic, partition, offset, key, value } = letter;
  const own = new Map<string, number>();
  const begin = letter.headers.findLastIndex(([name]) => name === 'reason');
  for (const [index, [name]] of letter.headers.entries())
    if (begin >= 0 && index >= begin && ownHeaders.has(name)) own.set(name, index);
  const text = (name: string): string | null => {
    const found = letter.headers[own.get(name) ?? -1];
    return found === undefined ? null : Buffer.from(found[1]).toString();
  };
  const number = (name: string): number => Number(text(name));
  const places = new Set(own.values());
  const originTopic = text('origin-topic');
  return {
    at: { topic, partition, offset },
    timestamp: own.has('record-timestamp') ? number('record-timestamp') : letter.timestamp,
    key,
    value,
    headers: letter.headers.filter((_, index) => !places.has(index)),
    reason: text('reason') ?? '',
    cause: text('cause') ?? '',
    origin:
      originTopic === null
        ? null
        : { topic: originTopic, partition: number('origin-partition'), offset: number('origin-offset') },
    application: text('application') ?? '',
    task: text('task') ?? '',
    target: text('target-topic'),
    valueBytes: own.has('value-bytes') ? number('value-bytes') : null,
  };
}

const ownHeaders = new Set([
  'reason',
  'cause',
  'target-topic',
  'target-bytes',
  'origin-topic',
  'origin-partition',
  'origin-offset',
  'application',
  'task',
  'value-bytes',
  'record-timestamp',
]);

const sizeOf = ({ key, value, headers }: ProducedRecord): number => soleBatchSize(key, value, headers);

/**
 * With what the letter has to say behind the record's own headers. It must go somewhere: where its topic does not take the record's time it has that of
 * the clock, and what is too large is cut.
 */
function fitted(record: ProducedRecord, said: readonly Header[], { limits }: LetterWriter): ProducedRecord {
  const isTimely = limits?.takesTime(record.topic, record.timestamp) ?? true;
  const letter = isTimely ? record : { ...record, timestamp: Date.now() };
  const own = isTimely ? said : [...said, header('record-timestamp', record.timestamp)];
  const maxBytes = limits?.maxBytesOf(letter.topic) ?? Number.POSITIVE_INFINITY;
  const whole = { ...letter, headers: [...letter.headers, ...own] };
  if (sizeOf(whole) <= maxBytes) return whole;
  const { key, value } = letter;
  const size = header('value-bytes', value?.length ?? 0);
  const cut = {
    ...letter,
    value: value?.subarray(0, keptBytes) ?? null,
    headers: [...letter.headers, ...own, size],
  };
  if (sizeOf(cut) <= maxBytes) return cut;
  return { ...cut, key: key?.subarray(0, keptKeyBytes) ?? null, headers: [...own, size] };
}
