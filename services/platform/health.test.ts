import { expect, test } from 'vitest';
import { Health } from './health.ts';

test('a process is ready when every part of it is', () => {
  const health = new Health();
  let lag: string | null = 'restoring';
  health.expect('worker', () => lag);
  health.expect('schemas');
  expect(health.report()).toEqual({ ready: false, parts: { worker: 'restoring', schemas: 'starting' } });
  lag = null;
  health.ready('schemas');
  expect(health.report()).toEqual({ ready: true, parts: { worker: 'ready', schemas: 'ready' } });
});

test('a part that falls ill makes it unready again, and draining is for good', () => {
  const health = new Health();
  health.expect('postgres', null);
  expect(health.report().ready).toBe(true);
  health.notReady('postgres', 'connection refused');
  expect(health.report()).toEqual({ ready: false, parts: { postgres: 'connection refused' } });
  health.ready('postgres');
  health.drain();
  expect(health.report().ready).toBe(false);
});

test('/metrics answers with what all parts measure at that moment', async () => {
  const health = new Health();
  let taken = 1;
  health.measure(() => `taken_total ${taken}\n`);
  health.measure(() => 'state 1\n');
  const port = await health.listen('127.0.0.1', 0);
  try {
    taken = 2;
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await response.text()).toBe('taken_total 2\nstate 1\n');
  } finally {
    await health.close();
  }
});
