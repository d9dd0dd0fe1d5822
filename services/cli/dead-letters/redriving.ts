import { type ApplicationPlan, NotParkingError, type RedriveOutcome, redrive } from '@bookstream/streams';
import type { KafkaPort } from '@bookstream/streams/kafka/index';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { addressText, keyText } from './address.ts';
import { readLetters } from './letters.ts';
import type { Chosen } from './selection.ts';

/** How a redrive went, for people and programs. */
export interface Row {
  readonly application: string;
  readonly key: string;
  readonly outcome: RedriveOutcome['state'];
  /** Address of the record that was left out. */
  readonly skipped: string | null;
  readonly taken: number;
  readonly left: number;
  /** Address of the record that is a dead letter again, and why. */
  readonly stoppedAt: string | null;
  readonly cause: string | null;
}

/** Redrives in all applications at once. @param tell how many of an application's redrives have been taken */
export async function redriveAll(
  kafka: KafkaPort,
  applications: ReadonlyMap<string, ApplicationPlan>,
  chosen: readonly Chosen[],
  timeoutMs: number,
  tell: (line: string) => void,
): Promise<readonly Row[]> {
  const byApplication = [...Map.groupBy(chosen, ({ key }) => key.application)];
  const all = await Promise.all(
    byApplication.map(async ([application, ones]): Promise<readonly Row[]> => {
      const plan = applications.get(application);
      if (plan === undefined) return []; // they come of these plans
      const onProgress = (done: number, all: number): void => tell(`${application}: ${done} of ${all} redrives taken`);
      const requests = ones.map(({ request }) => request);
      const outcomes = await redrive(kafka, plan, requests, { timeoutMs, onProgress }).catch((error: unknown) => {
        throw error instanceof NotParkingError ? new CommandError(error.message, exitCodes.precondition) : error;
      });
      return outcomes.map((outcome) => rowOf(application, outcome));
    }),
  );
  const rows = all.flat();
  const stopped = rows.filter(({ stoppedAt }) => stoppedAt !== null);
  if (stopped.length === 0) return rows;
  const topics = new Set(stopped.map(({ stoppedAt }) => `${stoppedAt?.replace(/-\d+@\d+$/, '')}.dlq`));
  const { letters } = await readLetters(kafka, [...topics], new Map());
  return rows.map((row) => {
    const again = letters.findLast((one) => one.application === row.application && one.origin === row.stoppedAt);
    return row.stoppedAt === null || again === undefined ? row : { ...row, cause: `${again.reason}: ${again.cause}` };
  });
}

const rowOf = (application: string, { request, state, taken, leftOut, left, stoppedAt }: RedriveOutcome): Row => ({
  application,
  key: keyText(request.key),
  outcome: state,
  skipped: leftOut && request.leaveOut !== undefined ? addressText(request.leaveOut) : null,
  taken,
  left,
  stoppedAt: stoppedAt === null ? null : addressText(stoppedAt),
  cause: null,
});

const records = (count: number): string => (count === 1 ? '1 record' : `${count} records`);

/** What came of a redrive, for people. */
export function rowText({ application, outcome, skipped, taken, left, stoppedAt, cause }: Row): string {
  if (outcome === 'waiting')
    return `not taken yet, ${left} wait: does ${application} run? The redrive stays on its topic, and is taken when it does`;
  const done = [
    ...(skipped === null ? [] : [`${skipped} left out`]),
    ...(taken > 0 || (skipped === null && outcome === 'done') ? [`${records(taken)} taken`] : []),
  ];
  const rest =
    outcome === 'failed-again'
      ? [`dead letter again: ${stoppedAt}${cause === null ? '' : ` (${cause})`}; ${left} left`]
      : left > 0
        ? [`${left} of the key came to wait meanwhile`]
        : [];
  return [...done, ...rest].join(', ');
}

export function exitCodeOf(rows: readonly Row[]): number {
  if (rows.some(({ outcome }) => outcome === 'waiting')) return exitCodes.timedOut;
  return rows.some(({ outcome }) => outcome === 'failed-again') ? exitCodes.partial : exitCodes.ok;
}
