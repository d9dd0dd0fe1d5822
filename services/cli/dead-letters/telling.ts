import { addressText } from './address.ts';
import type { Letter } from './letters.ts';

/** A letter as JSON has it. */
export const flat = ({ standing, ...letter }: Letter) => ({
  ...letter,
  state: standing.is,
  waiting: standing.is === 'parked' ? standing.key.records.length : null,
  why: standing.is === 'never parks' ? standing.why : null,
});

export const timeText = (ms: number): string => new Date(ms).toISOString();
/** On one line, cut to it. */
export const short = (text: string, most = 110): string => {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
};

/** What is known of the record, for people. */
export const stateText = ({ standing, origin }: Letter): string => {
  if (standing.is !== 'parked') return standing.is;
  const { records } = standing.key;
  const at = records.findIndex((record) => addressText(record) === origin);
  return `parked, ${at + 1} of ${records.length}`;
};
