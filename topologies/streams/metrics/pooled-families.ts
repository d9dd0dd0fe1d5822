import type { ApplicationState } from '../runtime/application-runner.ts';
import { type MetricFamily, metricFamilies } from './metric-families.ts';

/** One thread of a pool, as it is measured. */
export interface MeasuredThread {
  readonly instanceId: string;
  /** Null: it does not answer. */
  readonly families: readonly MetricFamily[] | null;
  /** As the pool says. */
  readonly states: ReadonlyMap<string, ApplicationState>;
  readonly replaced: number;
}

/** Of all threads, each with its instance as `worker`. What a thread has counted ends with it, and its successor begins at 0. */
export function pooledFamilies(threads: readonly MeasuredThread[]): readonly MetricFamily[] {
  const all = threads.map(({ instanceId, families, states }) => ({
    instanceId,
    families: families ?? onlyStates(states),
  }));
  return [
    ...metricFamilies([]).map((family) => ({
      ...family,
      samples: all.flatMap(({ instanceId, families }) => {
        const samples = families.find(({ name }) => name === family.name)?.samples ?? [];
        return samples.map((sample) => ({ ...sample, labels: { ...sample.labels, worker: instanceId } }));
      }),
    })),
    ofThreads(threads, {
      name: 'streams_thread_up',
      help: '1: the thread answers. 0: it is being replaced or too busy, and has no metrics here.',
      type: 'gauge',
      value: ({ families }) => (families === null ? 0 : 1),
    }),
    ofThreads(threads, {
      name: 'streams_thread_replacements_total',
      help: 'How often another thread has taken the place of one that had ended.',
      type: 'counter',
      value: ({ replaced }) => replaced,
    }),
  ];
}

/** An alert on a state goes on without the thread that it is about. */
const onlyStates = (states: ReadonlyMap<string, ApplicationState>): readonly MetricFamily[] => [
  {
    ...stateFamily,
    samples: [...states].map(([application, state]) => ({ suffix: '', labels: { application, state }, value: 1 })),
  },
];
const stateFamily = { name: 'streams_application_state', help: '', type: 'gauge' } as const;

const ofThreads = (
  threads: readonly MeasuredThread[],
  { value, ...family }: Omit<MetricFamily, 'samples'> & { readonly value: (thread: MeasuredThread) => number },
): MetricFamily => ({
  ...family,
  samples: threads.map((thread) => ({ suffix: '', labels: { worker: thread.instanceId }, value: value(thread) })),
});
