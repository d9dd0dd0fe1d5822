// A thread that plays its part: the program of the tests of `SupervisedThread`, whose first life says the first line, its successor the second, …
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { QueryError } from '../errors.ts';
import { type FromThread, plainError, type ThreadData, type ToThread } from '../runtime/thread-messages.ts';

export type Part = 'run' | 'log' | 'refuse' | 'throw' | 'exit' | 'ignore close' | 'throw at close';

/** `data` of the application of a played thread. */
export interface Parts {
  readonly lives: readonly (readonly Part[])[];
  /** Lives so far. */
  readonly count: SharedArrayBuffer;
}

const tell = (said: FromThread): void => parentPort?.postMessage(said);
const { applications }: ThreadData = workerData;
const [{ data } = {}] = applications;
const { lives, count } = data as Parts; // see above
const life = Atomics.add(new Int32Array(count), 0, 1);

let closing: 'well' | 'never' | 'badly' = 'well';
parentPort?.on('message', (said: ToThread) => {
  if (said.kind === 'ask') answer(said);
  else if (said.kind === 'pause')
    tell({ kind: 'states', states: new Map([...said.applications].map((id) => [id, 'PAUSED'])) });
  if (said.kind !== 'close' || closing === 'never') return;
  if (closing === 'badly') throw new OddError('while it was closed');
  tell({ kind: 'closed' });
  process.exit(0);
});

class OddError extends Error {
  readonly code = 'ODD';
}

/** How many partitions: as long as the store's name. What is behind is not known, and of changes there are none for ever. */
function answer({ id, what, about }: Extract<ToThread, { kind: 'ask' }>): void {
  if (what === 'partitions') tell({ kind: 'answer', id, answer: String(about[1]).length });
  else if (what === 'behind') tell({ kind: 'answer', id, error: plainError(new OddError('not known')) });
  else if (what === 'rows') tell({ kind: 'answer', id, error: plainError(new QueryError('no such store')) });
}

for (const part of lives[Math.min(life, lives.length - 1)] ?? []) {
  if (part === 'run') {
    tell({ kind: 'states', states: new Map([['app', 'RUNNING']]) });
    tell({ kind: 'running' });
  } else if (part === 'log')
    tell({ kind: 'log', entries: [['warn', 'odd', 'it is odd', { error: plainError(new OddError('why')) }]] });
  else if (part === 'refuse') tell({ kind: 'refused', error: plainError(new OddError('no such topic')) });
  else if (part === 'ignore close') closing = 'never';
  else if (part === 'throw at close') closing = 'badly';
  await sleep(20); // for what was said to be heard
  if (part === 'throw') throw new OddError('uncaught');
  if (part === 'exit') process.exit(7);
}
