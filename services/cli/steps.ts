import { Listr, PRESET_TIMER } from 'listr2';

/** One thing `up` does, with a name for people. */
export interface Step {
  readonly title: string;
  /** @param tell shows what is being waited for. @returns what came of it, shown beside the title */
  readonly run: (tell: (line: string) => void) => Promise<string | undefined>;
}

/** Runs steps one after the other, as a live list on a terminal and as a line each elsewhere. @throws what a step throws */
export async function runSteps(steps: readonly Step[], say: (line: string) => void = console.error): Promise<void> {
  if (process.stderr.isTTY && say === console.error) {
    const tasks = steps.map(({ title, run }) => ({
      title,
      task: async (_: unknown, task: { output: string; title: string }) => {
        const result = await run((line) => {
          task.output = line;
        });
        if (result !== undefined) task.title = `${title}: ${result}`;
      },
    }));
    await new Listr(tasks, { rendererOptions: { timer: PRESET_TIMER, collapseErrors: false } }).run();
    return;
  }
  for (const { title, run } of steps) {
    const since = performance.now();
    const seconds = () => `${((performance.now() - since) / 1000).toFixed(1)} s`;
    let told = title;
    const slow = setInterval(() => say(`  … ${told} (${seconds()})`), 10_000);
    try {
      const result = await run((line) => {
        told = line;
      });
      say(`ok ${title}${result === undefined ? '' : `: ${result}`} (${seconds()})`);
    } catch (error) {
      say(`FAILED ${title} (${seconds()})`);
      throw error;
    } finally {
      clearInterval(slow);
    }
  }
}
