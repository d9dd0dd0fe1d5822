import type { Runtime } from 'node:inspector';
import { Session } from 'node:inspector/promises';
import { basename } from 'node:path';

/** Runs `work` under V8's sampling profiler. @returns the functions with the most time of their own, as lines of text */
export async function hotFunctions(work: () => void, count: number): Promise<readonly string[]> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  await session.post('Profiler.start');
  work();
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  const parents = new Map(
    profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)),
  );
  const own = new Map<string, number>();
  let all = 0;
  for (const { id, callFrame, hitCount = 0 } of profile.nodes) {
    // V8's own code has no place: who called it says more.
    const caller = callFrame.url === '' ? parents.get(id)?.callFrame : undefined;
    const name = caller === undefined ? nameOf(callFrame) : `${nameOf(callFrame)} < ${nameOf(caller)}`;
    own.set(name, (own.get(name) ?? 0) + hitCount);
    all += hitCount;
  }
  return [...own]
    .sort((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(([name, hits]) => `${((100 * hits) / all).toFixed(1).padStart(5)} %  ${name}`);
}

const nameOf = ({ functionName, url, lineNumber }: Runtime.CallFrame): string =>
  `${functionName === '' ? '(native)' : functionName}${url === '' ? '' : ` ${basename(url)}:${lineNumber + 1}`}`;
