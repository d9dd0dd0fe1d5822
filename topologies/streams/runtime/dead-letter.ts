import type { ConsumedRecord, Header, ProducedRecord } from '../kafka/port.ts';

const utf8 = new TextEncoder();
const header = (name: string, value: string | number): Header => [name, utf8.encode(String(value))];

export const deadLetterTopicOf = (topic: string): string => `${topic}.dlq`;

/** The record as it came, on its topic's dead-letter topic, with why and from where in the headers. */
export function deadLetterOf(
  raw: ConsumedRecord,
  reason: string,
  cause: unknown,
  application: string,
  task: string,
): ProducedRecord {
  return {
    topic: deadLetterTopicOf(raw.topic),
    partition: raw.partition,
    timestamp: raw.timestamp,
    key: raw.key,
    value: raw.value,
    headers: [
      ...raw.headers,
      header('reason', reason),
      header('cause', cause instanceof Error ? cause.message : String(cause)),
      header('origin-topic', raw.topic),
      header('origin-partition', raw.partition),
      header('origin-offset', raw.offset),
      header('application', application),
      header('task', task),
    ],
  };
}
