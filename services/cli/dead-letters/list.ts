import { table } from '../table.ts';
import { byCause } from './causes.ts';
import type { Letter } from './letters.ts';
import { flat, short, stateText, timeText } from './telling.ts';
import { allLetters, withKafka } from './with-letters.ts';

interface Filter {
  readonly topic?: string;
  readonly application?: string;
  readonly reason?: string;
  readonly parked: boolean;
}

export interface ListOptions extends Filter {
  readonly by: 'cause' | 'letter';
  readonly json: boolean;
}

/** Writes to standard output what lies on the dead-letter topics. */
export async function list({ by, json, ...filter }: ListOptions): Promise<void> {
  const letters = await withKafka(async (kafka) => (await allLetters(kafka)).letters);
  const wanted = letters.filter((letter) => matches(letter, filter));
  if (json) console.log(JSON.stringify(by === 'cause' ? byCause(wanted) : wanted.map(flat), null, 2));
  else if (wanted.length === 0)
    console.log(letters.length === 0 ? 'there are no dead letters' : `none of ${letters.length} letters is like that`);
  else console.log(by === 'cause' ? causeTable(wanted) : letterTable(wanted));
}

const matches = (letter: Letter, { topic, application, reason, parked }: Filter): boolean =>
  (topic === undefined || letter.topic === topic || letter.topic === `${topic}.dlq`) &&
  (application === undefined || letter.application === application) &&
  (reason === undefined || letter.reason === reason) &&
  (!parked || letter.standing.is === 'parked');

function causeTable(letters: readonly Letter[]): string {
  const rows = byCause(letters).map((one) => [
    ...[String(one.letters), String(one.parked), one.topic, one.application, one.reason, one.example, short(one.cause)],
  ]);
  return table([['letters', 'parked', 'topic', 'application', 'reason', 'the newest', 'cause'], ...rows]);
}

function letterTable(letters: readonly Letter[]): string {
  const rows = letters.map((one) => [
    ...[
      one.address,
      timeText(one.timestamp),
      one.key === null ? '(none)' : short(one.key, 40),
      one.application,
      one.task,
    ],
    ...[one.reason, stateText(one), short(one.cause)],
  ]);
  return table([['letter', 'time', 'key', 'application', 'task', 'reason', 'record', 'cause'], ...rows]);
}
