import { type Topic, topics } from '@bookstream/schemas/topics';
import type { KStream } from '@bookstream/streams';

type TopicId = keyof typeof topics;
type ValueOf<T> = T extends Topic<infer V> ? V : never;

/** A record on its way out of a deciding processor, with the topic it goes to. */
export type Routed = {
  [T in TopicId]: { readonly to: T; readonly key: string; readonly value: ValueOf<(typeof topics)[T]> };
}[TopicId];

/** Sends each record to its topic; all of one decision are written in one transaction. */
export function route(decided: KStream<string, Routed>, ids: readonly TopicId[]): void {
  for (const id of ids) {
    const topic: Topic<never> = topics[id] as Topic<never>; // the filter lets only this topic's values through
    decided
      .filter((_key, routed) => routed.to === id, { as: `to-${topic.name}` })
      .mapValues((routed) => routed.value as never, { as: `as-${topic.name}` })
      .to(topic, { as: `sink-${topic.name}` });
  }
}
