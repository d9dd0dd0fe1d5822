import { Gauge, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Health } from './health.ts';

test('a process is ready when every part of it is', () => {
  const health = new Health(new Registry());
  let lag: string | null = 'restoring';
  health.expect('worker', () => lag);
  health.expect('schemas');
  expect(health.report()).toEqual({ ready: false, parts: { worker: 'restoring', schemas: 'starting' } });
  lag = null;
  health.ready('schemas');
  expect(health.report()).toEqual({ ready: true, parts: { worker: 'ready', schemas: 'ready' } });
});

test('a part that falls ill makes it unready again, and draining is for good', () => {
  const health = new Health(new Registry());
  health.expect('postgres', null);
  expect(health.report().ready).toBe(true);
  health.notReady('postgres', 'connection refused');
  expect(health.report()).toEqual({ ready: false, parts: { postgres: 'connection refused' } });
  health.ready('postgres');
  health.drain();
  expect(health.report().ready).toBe(false);
});

test('/metrics answers with what is measured at that moment, and tells a fault as one', async () => {
  const registry = new Registry();
  let taken = 1;
  new Gauge({
    name: 'taken',
    help: 'How many.',
    registers: [registry],
    collect() {
      if (taken < 0) throw new Error('the shelf is gone');
      this.set(taken);
    },
  });
  const health = new Health(registry);
  const port = await health.listen('127.0.0.1', 0);
  const ask = () => fetch(`http://127.0.0.1:${port}/metrics`);
  try {
    taken = 2;
    const response = await ask();
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('# HELP taken How many.\n# TYPE taken gauge\ntaken 2\n');
    taken = -1;
    const failed = await ask();
    expect([failed.status, await failed.text()]).toEqual([
      500,
      'The metrics could not be read: Error: the shelf is gone\n',
    ]);
  } finally {
    await health.close();
  }
});
