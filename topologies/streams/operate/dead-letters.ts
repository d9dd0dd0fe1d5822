import type { KafkaPort } from '../kafka/port.ts';
import { type DeadLetter, readDeadLetter } from '../runtime/dead-letter.ts';
import { readToEnd } from './read-to-end.ts';

/**
 * Every letter that lies on dead-letter topics now, committed ones only; those of one partition in their order. Topics that are not there have none.
 * @param onLetter what it throws ends the reading
 */
export const readDeadLetters = (
  kafka: KafkaPort,
  topics: readonly string[],
  onLetter: (letter: DeadLetter) => void,
): Promise<void> => readToEnd(kafka, topics, (record) => onLetter(readDeadLetter(record)));
