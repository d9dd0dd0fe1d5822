import type { InputFrom } from '@bookstream/streams';

/** Of a topic of the contract. */
interface Kept {
  readonly cleanup: string;
  /** -1: for ever. */
  readonly retentionMs: number;
}

/** What it means to run an application over its inputs once more. */
export interface Consequences {
  /** It makes events of commands: what it decides anew is not what was decided. */
  readonly decides: boolean;
  /** Why it cannot be done without harm; empty: it can. */
  readonly harm: readonly string[];
  /** What happens besides. */
  readonly told: readonly string[];
}

const days = (ms: number): string => `${Math.round(ms / 86_400_000)} days`;

export function consequencesOf(
  inputs: readonly { readonly topic: string; readonly from: InputFrom }[],
  outputs: readonly string[],
  keptOf: (topic: string) => Kept | undefined,
): Consequences {
  const harm: string[] = [];
  const told: string[] = [];
  for (const { topic, from } of inputs) {
    const { cleanup = 'delete', retentionMs = -1 } = keptOf(topic) ?? {};
    if (from === 'latest') harm.push(`${topic} is read from its end: what has come so far does not count any more`);
    else if (cleanup.includes('delete') && retentionMs >= 0)
      harm.push(`${topic} keeps ${days(retentionMs)}: what is older is gone, and is missing in the new state`);
    else told.push(`${topic} is read again from its beginning`);
  }
  for (const topic of outputs) {
    if (keptOf(topic)?.cleanup === 'compact')
      told.push(`${topic} gets every row again, and ends as it is now: the last one of a key counts`);
    else
      harm.push(
        `${topic} gets again what the inputs lead to, behind what stands there; its readers are not made for that`,
      );
  }
  return { decides: inputs.some(({ topic }) => topic.endsWith('.commands')), harm, told };
}
