import { Link } from '../kafka/link.ts';

interface CommitStep {
  /** Requests of which the step is told; the second is what at_least_once has in place of the first. */
  readonly apis: readonly string[];
  readonly moment: 'asked' | 'sent' | 'answered';
  readonly what: string;
}

/**
 * Where a process can be stopped within a commit, in the order in which a transaction passes them. Behind its first records the offsets are sent
 * without a wait, so that "before-offsets" is also after the records were written to the broker and before their answer was read.
 */
export const commitSteps = {
  'before-send': { apis: ['Produce'], moment: 'asked', what: 'the records are about to be sent' },
  'after-send': { apis: ['Produce'], moment: 'answered', what: 'the broker has answered the records' },
  'before-offsets': {
    apis: ['TxnOffsetCommit', 'OffsetCommit'],
    moment: 'asked',
    what: 'the records are sent, the offsets about to be',
  },
  'after-offsets': {
    apis: ['TxnOffsetCommit', 'OffsetCommit'],
    moment: 'answered',
    what: 'the broker has answered the offsets, the transaction is open',
  },
  'before-commit': { apis: ['EndTxn'], moment: 'asked', what: 'the end of the transaction is about to be asked for' },
  'in-commit': { apis: ['EndTxn'], moment: 'sent', what: 'the end of the transaction is asked for, its answer unread' },
  'before-local-write': {
    apis: ['EndTxn'],
    moment: 'answered',
    what: 'the transaction is committed, the local state not yet written',
  },
} as const satisfies Readonly<Record<string, CommitStep>>;

export type CommitStepName = keyof typeof commitSteps;

export const isCommitStep = (name: string): name is CommitStepName => Object.hasOwn(commitSteps, name);

/** Calls `reached` in this process whenever a commit comes to `name`, before anything else happens there. May be called once a process. */
export function watchCommits(name: CommitStepName, reached: () => void): void {
  const { apis, moment }: CommitStep = commitSteps[name];
  const { send } = Link.prototype;
  Link.prototype.send = async function (api, body, timeoutMs) {
    if (!apis.includes(api.name)) return send.call(this, api, body, timeoutMs);
    if (moment === 'asked') reached();
    const answered = send.call(this, api, body, timeoutMs);
    if (moment === 'sent') reached();
    const answer = await answered;
    if (moment === 'answered') reached();
    return answer;
  };
}
