import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Serdes, StreamsBuilder, TimeWindows } from '../index.ts';
import { RecordPack } from '../kafka/record-pack.ts';
import { number, only, setUp } from '../test/scripted-run.ts';
import { input, output } from '../test/summing.ts';
import { ApplicationMetrics } from './application-metrics.ts';
import { Histogram } from './histogram.ts';
import { metricFamilies } from './metric-families.ts';
import { prometheusText } from './prometheus-text.ts';

describe('a histogram', () => {
  test('puts each time under the first bound that it does not exceed', () => {
    const times = new Histogram();
    for (const ms of [0, 1, 1.5, 2, 3, 4, 5, 2 ** 20, 2 ** 20 + 1, -4]) times.add(ms);
    const below = new Map(times.cumulative);
    expect([1, 2, 4, 8, 2 ** 19, 2 ** 20, Number.POSITIVE_INFINITY].map((bound) => below.get(bound))).toEqual([
      3, 5, 7, 8, 8, 9, 10,
    ]);
    expect([times.count, times.sumMs]).toEqual([10, 16.5 + 2 ** 21 + 1]);
  });
});

/** The text of one family. */
function linesOf(run: ReturnType<typeof setUp>, name: string): readonly string[] {
  const { applicationId, local, metrics } = run.runner;
  const text = prometheusText(metricFamilies([{ applicationId, metrics, ...local }]));
  return text.split('\n').filter((line) => line.startsWith(name));
}

test('records in, out by topic, dropped by reason, late ones, lag', async () => {
  const builder = new StreamsBuilder();
  builder
    .stream(input)
    .groupByKey({ valueSerde: Serdes.integer })
    .windowedBy(TimeWindows.ofSizeWithNoGrace(1_000))
    .count({ store: 'counts' })
    .toStream()
    .map((windowed): [string, number] => [windowed.key, 1])
    .to(output);
  const run = setUp(builder.build());
  await run.runner.start();
  const nullKey = { ...number('k', 1, 5_000), key: null };
  run.port.append([number('k', 1), number('k', 1, 5_000), number('k', 1, 4_900), number('k', 1, 100), nullKey]);
  await expect
    .poll(() => linesOf(run, 'streams_records_in'))
    .toEqual(['streams_records_in_total{application="app",sub_topology="0"} 5']);
  await expect.poll(() => linesOf(run, 'streams_records_out').length).toBe(2);
  const changelog = run.port.broker.records('app-counts-changelog').length;
  expect(linesOf(run, 'streams_records_out').toSorted()).toEqual([
    `streams_records_out_total{application="app",topic="app-counts-changelog"} ${changelog}`,
    'streams_records_out_total{application="app",topic="sum-out"} 2',
  ]);
  expect(linesOf(run, 'streams_records_dropped').map((line) => line.replace(/node="[^"]*",/, ''))).toEqual([
    'streams_records_dropped_total{application="app",reason="late"} 2',
    'streams_records_dropped_total{application="app",reason="null-key"} 1',
  ]);
  expect(linesOf(run, 'streams_record_lateness')).toEqual([
    'streams_record_lateness_seconds_sum{application="app"} 5',
    'streams_record_lateness_seconds_count{application="app"} 2',
    'streams_record_lateness_max_seconds{application="app"} 4.9',
  ]);
  expect(linesOf(run, 'streams_input_lag')).toEqual([
    'streams_input_lag_records{application="app",topic="sum-in",partition="0"} 0',
  ]);
  await run.runner.close();
});

test('latency is counted from the record to the answer of its commit, of outputs and not of changelogs', () => {
  const metrics = new ApplicationMetrics(['changelog']);
  const record = { partition: 0, key: null, value: null, headers: [] };
  const records = [
    { ...record, topic: 'a', timestamp: 9_990 },
    { ...record, topic: 'changelog', timestamp: 0 },
    { ...record, topic: 'a', timestamp: 9_000 },
    { ...record, topic: 'b', timestamp: 10_000 },
  ];
  metrics.committed([RecordPack.of(records)], 3, 10_000);
  expect(metrics.recordsOut).toEqual(
    new Map([
      ['a', 2],
      ['changelog', 1],
      ['b', 1],
    ]),
  );
  expect([metrics.endToEnd.count, metrics.endToEnd.sumMs]).toEqual([3, 1_010]);
  expect([metrics.commits.count, metrics.commits.sumMs]).toEqual([1, 3]);
});

test('commits and how long they took; aborts by reason; rebalances by reason; the state', async () => {
  const run = setUp();
  const { port, runner } = run;
  await runner.start();
  port.onCommit = () => sleep(30);
  port.append([number('k', 1)]);
  await expect
    .poll(() => linesOf(run, 'streams_commit_seconds_count'))
    .toEqual(['streams_commit_seconds_count{application="app"} 1']);
  const [sum = ''] = linesOf(run, 'streams_commit_seconds_sum');
  expect(Number(sum.split(' ')[1])).toBeGreaterThanOrEqual(0.029);
  expect(linesOf(run, 'streams_commit_seconds_bucket{application="app",le="0.016"}')[0]).toMatch(/ 0$/);
  port.onCommit = async () => {
    port.onCommit = async () => {};
    throw new RangeError('no');
  };
  port.append([number('k', 1)]);
  await expect
    .poll(() => linesOf(run, 'streams_aborts'))
    .toEqual(['streams_aborts_total{application="app",reason="RangeError"} 1']);
  await expect.poll(() => linesOf(run, 'streams_commit_seconds_count')[0]).toMatch(/ 2$/);
  const member = only(port);
  member.onAssigned(port.assignment(member, 2));
  member.onAssigned(port.assignment(member, 5));
  member.onAssigned(port.assignment(member, 6, 'member-2'));
  await expect
    .poll(() => linesOf(run, 'streams_rebalances'))
    .toEqual([
      'streams_rebalances_total{application="app",reason="first-join"} 2',
      'streams_rebalances_total{application="app",reason="group-moved"} 1',
      'streams_rebalances_total{application="app",reason="missed-generation"} 1',
      'streams_rebalances_total{application="app",reason="new-member"} 1',
    ]);
  expect(linesOf(run, 'streams_application_state')).toEqual([
    'streams_application_state{application="app",state="RUNNING"} 1',
  ]);
  await runner.close();
});

test('what is left of a restore falls to nothing, also where the group moves on before its end', async () => {
  const run = setUp();
  const { port, runner } = run;
  port.broker.createTopic('app-sums-changelog', 1);
  port.append(Array.from({ length: 250 }, (_, at) => ({ ...number(`k${at}`, at), topic: 'app-sums-changelog' })));
  const left: number[] = [];
  const { metrics } = runner;
  const restoring = metrics.restoring.bind(metrics);
  metrics.restoring = (step) => {
    restoring(step);
    left.push(metrics.restoreLeft);
  };
  await runner.start();
  expect(left).toEqual([250, 150, 50, 0]); // the scripted port gives batches of 100

  const member = only(port);
  port.append(Array.from({ length: 50 }, (_, at) => ({ ...number(`k${at}`, at), topic: 'app-sums-changelog' })));
  const moved = Promise.withResolvers<unknown>();
  metrics.restoring = (step) => {
    restoring(step);
    left.push(metrics.restoreLeft);
    metrics.restoring = restoring;
    moved.resolve(member.onRevoking(port.assignment(member, 5).group));
  };
  member.onAssigned(port.assignment(member, 5));
  await moved.promise;
  expect([left.at(-1), metrics.restoreLeft]).toEqual([50, 0]);
  await runner.close();
});

test('what is parked, until it is redriven', async () => {
  const builder = new StreamsBuilder();
  builder.stream(input).to(output);
  const run = setUp(builder.build().parkingDeadLetters());
  await run.runner.start();
  const parked = () => linesOf(run, 'streams_parked_records')[0];
  expect(parked()).toBe('streams_parked_records{application="app",sub_topology="0"} 0');
  const unreadable = { ...number('k', 1), value: Uint8Array.of(1, 2, 3) };
  run.port.append([unreadable, number('k', 1), number('k', 2), number('other', 3)]);
  await expect.poll(parked).toMatch(/ 3$/);
  const letter = Buffer.from(`${input.name}-0@0`);
  run.port.append([{ ...number('k', 0), topic: 'app-0-redrive', value: letter }]);
  await expect.poll(parked).toMatch(/ 0$/);
  expect(run.port.broker.records(output.name)).toHaveLength(3);
  await run.runner.close();
});

test('a label cannot break the text', () => {
  const sample = { suffix: '', labels: { node: 'a "b"\\\n' }, value: 1 } as const;
  const text = prometheusText([{ name: 'x', help: 'Y.', type: 'gauge', samples: [sample] }]);
  expect(text).toBe('# HELP x Y.\n# TYPE x gauge\nx{node="a \\"b\\"\\\\\\n"} 1\n');
});
