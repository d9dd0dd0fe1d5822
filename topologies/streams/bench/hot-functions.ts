import { type Profiler, type Runtime, Session } from 'node:inspector';
import { basename } from 'node:path';

/** Adds up in which functions V8's sampling profiler found the work that it was shown. */
export class HotFunctions {
  readonly #hits = new Map<string, number>();
  #idle = 0;
  #session: Session | null = null;

  watch(work: () => void): void {
    this.#session ??= connected();
    this.#session.post('Profiler.start');
    work();
    this.#session.post('Profiler.stop', (error, { profile }) => {
      if (error !== null) throw error;
      this.add(profile);
    });
  }

  /** Of a profile that was made elsewhere (`node --cpu-prof`). */
  add({ nodes }: Profiler.Profile): void {
    const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)));
    for (const { id, callFrame, hitCount = 0 } of nodes) {
      // V8's own code has no place: who called it says more.
      const caller = callFrame.url === '' ? parents.get(id)?.callFrame : undefined;
      if (callFrame.functionName === '(idle)') {
        this.#idle += hitCount;
        continue;
      }
      const name = caller === undefined ? nameOf(callFrame) : `${nameOf(callFrame)} < ${nameOf(caller)}`;
      this.#hits.set(name, (this.#hits.get(name) ?? 0) + hitCount);
    }
  }

  /** Those with the most time of their own, in per cent of the time that was not idle. */
  lines(count: number): readonly string[] {
    let all = 0;
    for (const hits of this.#hits.values()) all += hits;
    const per = (hits: number, of: number): string => `${((100 * hits) / of).toFixed(1).padStart(5)} %`;
    const hottest = [...this.#hits].sort((a, b) => b[1] - a[1]).slice(0, count);
    const idle = this.#idle === 0 ? [] : [`${per(this.#idle, all + this.#idle)}  of the whole: idle`];
    return [...idle, ...hottest.map(([name, hits]) => `${per(hits, all)}  ${name}`)];
  }
}

function connected(): Session {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 200 });
  return session;
}

const nameOf = ({ functionName, url, lineNumber }: Runtime.CallFrame): string =>
  `${functionName === '' ? '(native)' : functionName}${url === '' ? '' : ` ${basename(url)}:${lineNumber + 1}`}`;
