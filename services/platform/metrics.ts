import type { MetricFamily } from '@bookstream/streams';
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';

/** What a process tells of itself: event loop, heap, garbage collection, CPU. Its parts register theirs beside it. */
export function processMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/**
 * Registers what the engine measures, under the engine's names. All families of one answer are of one moment.
 * @param read asked once now, for the names, and once for every answer; the names stay the same
 * @throws Error when a name is registered already; the families before it are registered then
 */
export function registerFamilies(registry: Registry, read: () => readonly MetricFamily[]): void {
  let moment: readonly MetricFamily[] | null = null;
  const samplesOf = (name: string) => {
    if (moment === null) {
      moment = read();
      // The registry asks all its metrics before it awaits the first.
      queueMicrotask(() => {
        moment = null;
      });
    }
    return moment.find((family) => family.name === name)?.samples ?? [];
  };
  for (const { name, help, type } of read()) {
    const family = {
      name,
      get: async () => ({
        name,
        help,
        type,
        values: samplesOf(name).map(({ suffix, labels, value }) => ({ metricName: `${name}${suffix}`, labels, value })),
      }),
      reset: () => {}, // the engine's counters go on
    };
    registry.registerMetric(family as unknown as Metric); // all that a registry asks of a metric; its types know prom-client's own four only
  }
}
