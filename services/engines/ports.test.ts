import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { freePort } from './ports.ts';

/** Another process that has chosen a port and lives on. */
async function chooser(usual: number) {
  const script = `
    import { preferPort } from ${JSON.stringify(new URL('./ports.ts', import.meta.url).href)};
    console.log(await preferPort(${usual}));
    process.stdin.resume().once('end', () => process.exit());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  return {
    port: Number(line),
    async end(signal?: NodeJS.Signals) {
      const exited = once(child, 'exit');
      if (signal === undefined) child.stdin.end();
      else child.kill(signal);
      await exited;
    },
  };
}

test('a usual port that another process chose for an engine that has not bound it yet is not chosen again', async () => {
  const usual = await freePort();
  const both = await Promise.all([chooser(usual), chooser(usual)]);
  const ports = both.map(({ port }) => port);
  await Promise.all(both.map((one) => one.end()));
  expect(ports).toContain(usual);
  expect(ports[0]).not.toBe(ports[1]);
});

test('it is usual again when that process has ended, however it ended', async () => {
  const usual = await freePort();
  for (const signal of [undefined, 'SIGKILL', undefined] as const) {
    const one = await chooser(usual);
    expect(one.port).toBe(usual);
    await one.end(signal);
  }
});
