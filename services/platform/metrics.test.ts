import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MetricFamily, Serdes, StreamsBuilder, StreamsWorker } from '@bookstream/streams';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { readMetrics } from '../e2e/metrics-answer.ts';
import { processMetrics, registerFamilies } from './metrics.ts';

const counted = (samples: MetricFamily['samples']): MetricFamily => ({
  name: 'streams_records_in_total',
  help: 'Records that tasks have taken.',
  type: 'counter',
  samples,
});

test('one answer has the process and the engine in it, each name once, with its type', async () => {
  const text = { keySerde: Serdes.string, valueSerde: Serdes.string };
  const builder = new StreamsBuilder();
  builder.stream({ name: 'words', ...text }).to({ name: 'copies', ...text });
  const stateDir = mkdtempSync(join(tmpdir(), 'bookstream-metrics-'));
  const worker = new StreamsWorker({
    applications: [{ applicationId: 'copying', topology: builder.build() }],
    bootstrapServers: '127.0.0.1:9',
    stateDir,
  });
  try {
    const registry = processMetrics();
    registerFamilies(registry, () => worker.metrics());
    const told = readMetrics(await registry.metrics());
    const types = [...told].map(([name, { type }]) => [name, type]);
    expect(types).toEqual(
      expect.arrayContaining([
        ['nodejs_eventloop_lag_seconds', 'gauge'],
        ['nodejs_heap_size_used_bytes', 'gauge'],
        ['nodejs_gc_duration_seconds', 'histogram'],
        ['process_cpu_user_seconds_total', 'counter'],
        ['streams_records_in_total', 'counter'],
        ['streams_records_out_total', 'counter'],
        ['streams_records_dropped_total', 'counter'],
        ['streams_record_lateness_seconds', 'summary'],
        ['streams_end_to_end_latency_seconds', 'histogram'],
        ['streams_commit_seconds', 'histogram'],
        ['streams_aborts_total', 'counter'],
        ['streams_restore_left_records', 'gauge'],
        ['streams_input_lag_records', 'gauge'],
        ['streams_rebalances_total', 'counter'],
      ]),
    );
    const engine = worker.metrics();
    for (const { name, help, type, samples } of engine) {
      const expected = samples.map(({ suffix, labels, value }) => ({ name: `${name}${suffix}`, labels, value }));
      expect(told.get(name), name).toEqual({ type, help, samples: expected });
    }
    expect(told.get('streams_application_state')?.samples).toEqual([
      { name: 'streams_application_state', labels: { application: 'copying', state: 'CREATED' }, value: 1 },
    ]);
    expect(told.get('streams_commit_seconds')?.samples).toHaveLength(24);
  } finally {
    await worker.close();
    rmSync(stateDir, { recursive: true });
  }
});

test('an answer is of one moment, and the next one of the next', async () => {
  const registry = new Registry();
  let moment = 0;
  const other = { name: 'streams_parked_records', help: 'Records that wait.', type: 'gauge' as const };
  registerFamilies(registry, () => {
    moment += 1;
    const samples = [{ suffix: '' as const, labels: { application: 'a' }, value: moment }];
    return [counted(samples), { ...other, samples }];
  });
  const values = async () =>
    [...readMetrics(await registry.metrics()).values()].map(({ samples }) => samples.map(({ value }) => value));
  const [first, second] = [await values(), await values()];
  expect(first).toEqual([[2], [2]]);
  expect(second).toEqual([[3], [3]]);
});

test('a label is told as it is, whatever stands in it', async () => {
  const registry = new Registry();
  const reason = 'a "node"\nof C:\\x, {y="z"}';
  registerFamilies(registry, () => [counted([{ suffix: '', labels: { reason, empty: '' }, value: 1 }])]);
  const [sample] = readMetrics(await registry.metrics()).get('streams_records_in_total')?.samples ?? [];
  expect(JSON.parse(`"${sample?.labels.reason}"`)).toBe(reason);
  expect(sample?.labels.empty).toBe('');
});

test('a name that is taken is refused, so that none stands twice', () => {
  const registry = new Registry();
  registerFamilies(registry, () => [counted([])]);
  expect(() => registerFamilies(registry, () => [counted([])])).toThrow('streams_records_in_total');
});
