import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { expect, test } from 'vitest';
import { ToldExporter } from './told-exporter.ts';

test('that spans are not taken is told once, and once that they are again, with how many were lost', () => {
  let answer: Parameters<Parameters<SpanExporter['export']>[1]>[0] = { code: 0 };
  const told: string[] = [];
  const tell = (event: string, message: string) => void told.push(`${event}: ${message}`);
  const exporter = new ToldExporter(
    { export: (_spans, done) => done(answer), shutdown: async () => {} },
    'http://me:secret@otel:4318/v1/traces',
    { info: tell, warn: tell },
  );
  const codes: number[] = [];
  const send = (count: number) => exporter.export(Array(count), ({ code }) => codes.push(code));
  send(1);
  answer = { code: 1, error: new Error('connect ECONNREFUSED') };
  send(2);
  send(3);
  expect([exporter.isAway, told.length]).toEqual([true, 1]);
  answer = { code: 0 };
  send(4);
  send(5);
  expect(exporter.isAway).toBe(false);
  expect(told[0]).toContain('traces-not-sent: otel:4318 does not take spans (connect ECONNREFUSED); the shop goes on');
  expect(told.slice(1)).toEqual(['traces-sent-again: otel:4318 takes spans again; 5 were lost']);
  expect(codes).toEqual([0, 1, 1, 0, 0]);
});
