import { setTimeout as sleep } from 'node:timers/promises';
import { type CommitStepName, commitSteps } from './commit-steps.ts';
import type { Member } from './member.ts';
import type { Trial } from './trial.ts';

interface Extent {
  /** See `TrialOptions`. */
  readonly seconds: number;
  readonly rounds: number;
}

/** A way to disturb an application at work. */
export interface Row {
  readonly name: string;
  readonly what: string;
  readonly brokers: 1 | 3;
  readonly short: Extent;
  readonly full: Extent;
  /** Begins without any member, and leaves those alive that are to finish the work. @throws when it could not disturb as it should */
  disturb(trial: Trial): Promise<void>;
}

/** Dies so many times at this step, at a commit that the seed chooses; every second time another instance takes over from the dead one. */
const killedAt = (step: CommitStepName): Row => ({
  name: step,
  what: `SIGKILL when ${commitSteps[step].what}`,
  brokers: 1,
  short: { seconds: 3, rounds: 1 },
  full: { seconds: 20, rounds: 5 },
  async disturb(trial) {
    for (let round = 0; round < trial.options.rounds; round += 1) {
      const member = trial.start(round % 4 < 2 ? 'one' : 'two', { at: step, after: trial.between(1, 6) });
      await member.until('hit');
      await member.ended;
    }
    trial.start('one');
  },
});

/**
 * Frozen at this step for longer than its session, while another member takes its tasks and goes on with them: when it wakes, it goes on with a
 * commit of work that is not its own any more.
 */
const zombieAt = (step: CommitStepName): Row => ({
  name: `zombie-${step}`,
  what: `SIGSTOP until another member has its tasks, when ${commitSteps[step].what}`,
  brokers: 1,
  short: { seconds: 4, rounds: 1 },
  full: { seconds: 60, rounds: 2 },
  async disturb(trial) {
    const frozen = trial.start('one', { at: step, after: trial.between(1, 6), signal: 'SIGSTOP' });
    await frozen.until('hit');
    const other = trial.start('two');
    await other.until('running');
    await wake(trial, frozen);
    // And from outside, wherever it is just then.
    for (let round = 1; round < trial.options.rounds; round += 1) {
      await sleep(trial.between(1_000, 3_000));
      const runs = other.times('running');
      frozen.signal('SIGSTOP');
      await other.until('running', runs + 1);
      await wake(trial, frozen);
    }
  },
});

/** Resolves when it is in the group again. */
async function wake(trial: Trial, frozen: Member): Promise<void> {
  await sleep(trial.between(0, 1_000));
  const runs = frozen.times('running');
  frozen.signal('SIGCONT');
  // Virtual machines were seen to stop a process again behind its SIGCONT, now and then: one that runs takes no harm from more of them.
  const again = setInterval(() => frozen.signal('SIGCONT'), 500);
  try {
    await frozen.until('running', runs + 1);
  } finally {
    clearInterval(again);
  }
}

const stormEveryMs = 3_000;

export const rows: readonly Row[] = [
  {
    name: 'undisturbed',
    what: 'nothing happens: what all others are held against',
    brokers: 1,
    short: { seconds: 1, rounds: 0 },
    full: { seconds: 1, rounds: 0 },
    async disturb(trial) {
      trial.start('one');
    },
  },
  killedAt('before-send'),
  killedAt('after-send'),
  killedAt('before-offsets'),
  killedAt('after-offsets'),
  killedAt('before-commit'),
  killedAt('in-commit'),
  killedAt('before-local-write'),
  zombieAt('before-send'),
  zombieAt('before-offsets'),
  zombieAt('before-commit'),
  zombieAt('before-local-write'),
  {
    name: 'rebalance-storm',
    what: `a member joins, leaves or dies every ${stormEveryMs / 1_000} s`,
    brokers: 1,
    short: { seconds: 12, rounds: 3 },
    full: { seconds: 180, rounds: 20 },
    async disturb(trial) {
      const steady = trial.start('one');
      await steady.until('running');
      const guests = new Map<string, Member>();
      for (let round = 0; round < trial.options.rounds; round += 1) {
        if (trial.isDone) throw new Error('the work was done before the storm was over; it needs more orders');
        const name = trial.random() < 0.5 ? 'two' : 'three';
        const guest = guests.get(name);
        if (guest?.alive) guest.signal(trial.random() < 0.5 ? 'SIGTERM' : 'SIGKILL');
        else guests.set(name, trial.start(name));
        await sleep(stormEveryMs);
      }
    },
  },
  {
    name: 'broker-killed',
    what: 'SIGKILL of one of three brokers; a member joins, or comes back, while it is away',
    brokers: 3,
    short: { seconds: 6, rounds: 1 },
    full: { seconds: 60, rounds: 4 },
    async disturb(trial) {
      const { brokers, options } = trial;
      for (const instance of ['one', 'two']) await trial.start(instance).until('running');
      for (let round = 1; round <= options.rounds; round += 1) {
        await trial.untilDone((0.1 + trial.random() * 0.5 + round - 1) / options.rounds);
        const broker = brokers[trial.between(0, brokers.length - 1)];
        await broker?.kill();
        await sleep(trial.between(0, 5_000));
        const guest = trial.start('three');
        await guest.until('running');
        await broker?.restart();
        guest.signal(trial.random() < 0.5 ? 'SIGTERM' : 'SIGKILL');
        await guest.ended;
      }
    },
  },
];
