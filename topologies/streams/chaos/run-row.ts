import type { ProcessingGuarantee } from '../index.ts';
import type { Ground } from './ground.ts';
import { judge } from './oracle.ts';
import type { Row } from './rows.ts';
import { Trial } from './trial.ts';

export interface RowOptions {
  readonly seed: number;
  readonly extent: 'short' | 'full';
  /** Default `exactly_once`. */
  readonly mode?: ProcessingGuarantee;
}

export interface RowResult {
  readonly row: string;
  /** None: it passed. */
  readonly mistakes: readonly string[];
  /** Committed records of both outputs, as far as they were seen. */
  readonly statuses: number;
  readonly sales: number;
  /** What members said right before they were stopped: `before-send #3`. */
  readonly hits: readonly string[];
  readonly seconds: number;
}

/** Runs one row on a ground of as many brokers as it needs. Never throws for what went wrong in it: that is a mistake of the result. */
export async function runRow(
  row: Row,
  ground: Ground,
  { seed, extent, mode = 'exactly_once' }: RowOptions,
): Promise<RowResult> {
  const began = performance.now();
  // Rows of one run are not to be hit at the same commit.
  const ownSeed = [...row.name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0, seed);
  await using trial = await Trial.open(ground, mode === 'exactly_once' ? row.name : `${row.name}-${mode}`, {
    ...row[extent],
    mode,
    seed: ownSeed,
    stalledMs: extent === 'short' ? 30_000 : 60_000,
  });
  const mistakes: string[] = [];
  try {
    await row.disturb(trial);
    mistakes.push(...(await trial.finish()));
    mistakes.push(...(await judge(ground.kafka, trial.topics, ground.orders)));
  } catch (error) {
    mistakes.push(error instanceof Error ? error.message : String(error));
  }
  const hits = trial.members.flatMap(({ told }) =>
    told.flatMap(({ event, step, n }) => (event === 'hit' ? [`${step} #${n}`] : [])),
  );
  const { statuses, sales } = trial;
  return { row: row.name, mistakes, statuses, sales, hits, seconds: (performance.now() - began) / 1_000 };
}
