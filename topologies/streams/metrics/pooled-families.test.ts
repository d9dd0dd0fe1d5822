import { expect, test } from 'vitest';
import { ApplicationMetrics } from './application-metrics.ts';
import { metricFamilies } from './metric-families.ts';
import { pooledFamilies } from './pooled-families.ts';
import { prometheusText } from './prometheus-text.ts';

const familiesOf = (records: number) => {
  const metrics = new ApplicationMetrics([]);
  metrics.recordsIn.set(0, records);
  metrics.commits.add(3);
  return metricFamilies([{ applicationId: 'app', state: 'RUNNING', metrics, lags: [], parked: [] }]);
};
const running = new Map([['app', 'RUNNING']] as const);

test('each thread has samples of its own, under one head for each family', () => {
  const text = prometheusText(
    pooledFamilies([
      { instanceId: 'one-0', families: familiesOf(3), states: running, replaced: 0 },
      { instanceId: 'one-1', families: familiesOf(4), states: running, replaced: 2 },
    ]),
  );
  expect(text.match(/^# TYPE streams_records_in_total counter$/gm)).toHaveLength(1);
  expect(text).toMatch(
    'streams_records_in_total{application="app",sub_topology="0",worker="one-0"} 3\n' +
      'streams_records_in_total{application="app",sub_topology="0",worker="one-1"} 4\n',
  );
  expect(text).toMatch('streams_commit_seconds_bucket{application="app",le="+Inf",worker="one-1"} 1\n');
  expect(text).toMatch('streams_thread_up{worker="one-1"} 1\n');
  expect(text).toMatch('streams_thread_replacements_total{worker="one-1"} 2\n');
});

test('of one that does not answer there is that, and the state that the pool knows', () => {
  const text = prometheusText(
    pooledFamilies([
      { instanceId: 'one-0', families: familiesOf(3), states: running, replaced: 0 },
      { instanceId: 'one-1', families: null, states: new Map([['app', 'ERROR']]), replaced: 0 },
    ]),
  );
  expect(text.split('\n').filter((line) => line.includes('one-1'))).toEqual([
    'streams_application_state{application="app",state="ERROR",worker="one-1"} 1',
    'streams_thread_up{worker="one-1"} 0',
    'streams_thread_replacements_total{worker="one-1"} 0',
  ]);
});
