import type { Letter } from './letters.ts';

/** Letters of one topic and one reader with the same reason and cause. */
export interface Cause {
  readonly topic: string;
  readonly application: string;
  readonly reason: string;
  readonly cause: string;
  readonly letters: number;
  /** Letters whose record is parked. */
  readonly parked: number;
  /** Epoch ms of the record. */
  readonly newest: number;
  /** Address of a letter, the newest. */
  readonly example: string;
}

/** The most frequent first. */
export function byCause(letters: readonly Letter[]): readonly Cause[] {
  const groups = Map.groupBy(letters, ({ topic, application, reason, cause }) =>
    JSON.stringify([topic, application, reason, cause]),
  );
  return [...groups.values()]
    .flatMap((group): readonly Cause[] => {
      const newest = group.reduce((a, b) => (b.timestamp >= a.timestamp ? b : a));
      const { topic, application, reason, cause } = newest;
      return [
        {
          ...{ topic, application, reason, cause },
          letters: group.length,
          parked: group.filter(({ standing }) => standing.is === 'parked').length,
          newest: newest.timestamp,
          example: newest.address,
        },
      ];
    })
    .toSorted((a, b) => b.letters - a.letters || (a.topic < b.topic ? -1 : 1));
}
