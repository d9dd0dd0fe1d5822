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
  const own = new Map<string, number>();
  let all = 0;
  for (const { callFrame, hitCount = 0 } of profile.nodes) {
    const { functionName, url, lineNumber } = callFrame;
    const place = url === '' ? '' : ` ${basename(url)}:${lineNumber + 1}`;
    const name = `${functionName === '' ? '(anonymous)' : functionName}${place}`;
    own.set(name, (own.get(name) ?? 0) + hitCount);
    all += hitCount;
  }
  return [...own]
    .sort((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(([name, hits]) => `${((100 * hits) / all).toFixed(1).padStart(5)} %  ${name}`);
}
