import type { ApplicationState } from '../runtime/application-runner.ts';
import type { ApplicationMetrics } from './application-metrics.ts';
import type { Histogram } from './histogram.ts';

export type Labels = Readonly<Record<string, string>>;

/** One metric, with all its values at a moment. Names and units are those of Prometheus: seconds, `_total` for what only grows. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  /** Behind the name of the family: `_bucket`, `_sum` and `_count` of what is measured, else empty. */
  readonly suffix: '' | '_bucket' | '_sum' | '_count';
  readonly labels: Labels;
  readonly value: number;
}

export interface MeasuredApplication {
  readonly applicationId: string;
  readonly state: ApplicationState;
  readonly metrics: ApplicationMetrics;
  /** Records of inputs that their tasks have not taken, as far as they are known. */
  readonly lags: readonly { readonly topic: string; readonly partition: number; readonly lag: number }[];
  /** Records that wait behind dead letters, of each sub-topology that parks. */
  readonly parked: readonly { readonly subTopology: number; readonly records: number }[];
}

type Read = (application: MeasuredApplication) => readonly MetricSample[];

const sample = (labels: Labels, value: number, suffix: MetricSample['suffix'] = ''): MetricSample => ({
  suffix,
  labels,
  value,
});

const histogram = (of: (metrics: ApplicationMetrics) => Histogram): Read => {
  return ({ applicationId: application, metrics }) => {
    const { cumulative, sumMs, count } = of(metrics);
    const buckets = cumulative.map(([boundMs, below]) => {
      const le = boundMs === Number.POSITIVE_INFINITY ? '+Inf' : String(boundMs / 1_000);
      return sample({ application, le }, below, '_bucket');
    });
    return [...buckets, sample({ application }, sumMs / 1_000, '_sum'), sample({ application }, count, '_count')];
  };
};

const families: readonly (Omit<MetricFamily, 'samples'> & { readonly read: Read })[] = [
  {
    name: 'streams_records_in_total',
    help: 'Records that tasks have taken, also those that were dropped.',
    type: 'counter',
    read: ({ applicationId: application, metrics }) =>
      [...metrics.recordsIn].map(([sub, count]) => sample({ application, sub_topology: String(sub) }, count)),
  },
  {
    name: 'streams_records_out_total',
    help: 'Records that were committed, by topic; changelogs and dead-letter topics are among them.',
    type: 'counter',
    read: ({ applicationId: application, metrics }) =>
      [...metrics.recordsOut].map(([topic, count]) => sample({ application, topic }, count)),
  },
  {
    name: 'streams_records_dropped_total',
    help: 'Records that went no further, by node and reason.',
    type: 'counter',
    read: ({ applicationId: application, metrics }) =>
      [...metrics.dropped.values()].map(({ node, reason, count }) => sample({ application, node, reason }, count)),
  },
  {
    name: 'streams_record_lateness_seconds',
    help: 'How far behind stream time the records were that came out of order.',
    type: 'summary',
    read: ({ applicationId: application, metrics: { lateness } }) => [
      sample({ application }, lateness.sumMs / 1_000, '_sum'),
      sample({ application }, lateness.count, '_count'),
    ],
  },
  {
    name: 'streams_record_lateness_max_seconds',
    help: 'The largest lateness so far.',
    type: 'gauge',
    read: ({ applicationId: application, metrics: { lateness } }) => [sample({ application }, lateness.maxMs / 1_000)],
  },
  {
    name: 'streams_end_to_end_latency_seconds',
    help: 'From the time of a record that was sent to the answer of its commit.',
    type: 'histogram',
    read: histogram(({ endToEnd }) => endToEnd),
  },
  {
    name: 'streams_commit_seconds',
    help: 'How long commits took that succeeded.',
    type: 'histogram',
    read: histogram(({ commits }) => commits),
  },
  {
    name: 'streams_aborts_total',
    help: 'Commits that failed, by the code of the error.',
    type: 'counter',
    read: ({ applicationId: application, metrics }) =>
      [...metrics.aborts].map(([reason, count]) => sample({ application, reason }, count)),
  },
  {
    name: 'streams_restore_left_records',
    help: 'Offsets that are still to be read before new tasks run.',
    type: 'gauge',
    read: ({ applicationId: application, metrics }) => [sample({ application }, metrics.restoreLeft)],
  },
  {
    name: 'streams_input_lag_records',
    help: 'Records of an input that its task has not taken.',
    type: 'gauge',
    read: ({ applicationId: application, lags }) =>
      lags.map(({ topic, partition, lag }) => sample({ application, topic, partition: String(partition) }, lag)),
  },
  {
    name: 'streams_parked_records',
    help: 'Records that wait behind a dead letter of their key, in the tasks of this instance.',
    type: 'gauge',
    read: ({ applicationId: application, parked }) =>
      parked.map(({ subTopology, records }) => sample({ application, sub_topology: String(subTopology) }, records)),
  },
  {
    name: 'streams_rebalances_total',
    help: 'Assignments by the group, by reason.',
    type: 'counter',
    read: ({ applicationId: application, metrics }) =>
      [...metrics.rebalances].map(([reason, count]) => sample({ application, reason }, count)),
  },
  {
    name: 'streams_application_state',
    help: '1 for the state that an application is in.',
    type: 'gauge',
    read: ({ applicationId: application, state }) => [sample({ application, state }, 1)],
  },
];

/** Everything that is measured, at this moment. */
export const metricFamilies = (applications: readonly MeasuredApplication[]): readonly MetricFamily[] =>
  families.map(({ read, ...family }) => ({ ...family, samples: applications.flatMap(read) }));
