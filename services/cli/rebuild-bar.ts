import type { RebuildPhase, RebuildProgress } from '@bookstream/projections/rebuild';

const width = 24;

const doing: Readonly<Record<Exclude<RebuildPhase, 'LOAD'>, string>> = {
  INDEX: 'making its indexes',
  VERIFY: 'reading it back against what was folded',
  CATCH_UP: 'catching up with what was written meanwhile',
  COMPARE: 'comparing it with the live build',
  SWITCH: 'switching readers over',
};

/** One line for people: how much of the topics is replayed, how fast, how long it will take; then what else is done. */
export function rebuildBar({ build, phase, done, total, rate }: RebuildProgress): string {
  if (phase !== 'LOAD') return `build ${build}: ${doing[phase]}`;
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const full = Math.round(part * width);
  const figures = `${done.toLocaleString('en')} of ${total.toLocaleString('en')} records`;
  const eta =
    rate > 0 && done < total
      ? `, ${Math.round(rate).toLocaleString('en')}/s, ${timeLeft((total - done) / rate)} left`
      : '';
  return `build ${build}: ${'█'.repeat(full)}${'░'.repeat(width - full)} ${Math.floor(part * 100)} %, ${figures}${eta}`;
}

const timeLeft = (seconds: number): string =>
  seconds < 100 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
