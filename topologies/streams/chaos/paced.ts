import type { TopicLike } from '../index.ts';

/** Longer sleeps would keep a member from its heartbeats. */
const longestSleepMs = 20;

/**
 * Holds an application to so many inputs a second, over all topics that the returned function is given, by sleeping in their deserializers. Topics that
 * are full from the beginning keep their order of processing that way, which input that arrives in real time would not.
 */
export function paced(perSecond: number): <V>(topic: TopicLike<string, V>) => TopicLike<string, V> {
  const eachMs = 1_000 / perSecond;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  let dueMs = 0;
  const wait = (): void => {
    const now = performance.now();
    // Nothing is saved up while it has nothing to do.
    dueMs = Math.max(dueMs + eachMs, now - longestSleepMs);
    const aheadMs = dueMs - now;
    if (aheadMs >= 2) Atomics.wait(sleeper, 0, 0, Math.min(aheadMs, longestSleepMs));
  };
  return (topic) => {
    const { valueSerde } = topic;
    const deserialize: typeof valueSerde.deserialize = (name, bytes) => {
      wait();
      return valueSerde.deserialize(name, bytes);
    };
    return { ...topic, valueSerde: { ...valueSerde, deserialize } };
  };
}
