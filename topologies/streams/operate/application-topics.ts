import type { ApplicationPlan } from '../plan/application-plan.ts';
import { deadLetterTopicOf } from '../runtime/dead-letter.ts';

export type InternalTopicRole = 'changelog' | 'repartition' | 'redrive' | 'dead-letters';

/** A topic that only the application itself writes (redrives: its operators), and that nobody else needs. */
export interface InternalTopic {
  readonly name: string;
  readonly role: InternalTopicRole;
  readonly exists: boolean;
  /** It bears the application's name, and the topology does not name it (any more). */
  readonly isOrphan: boolean;
}

/** What the engine calls its topics, behind `<application-id>-`. */
const forms: readonly (readonly [RegExp, InternalTopicRole])[] = [
  [/-changelog$/, 'changelog'],
  [/-repartition$|-subscription-(registration|response)-topic$/, 'repartition'],
  [/^\d+-redrive$/, 'redrive'],
  [/(-repartition|-subscription-(registration|response)-topic)\.dlq$/, 'dead-letters'],
];

/**
 * The internal topics of an application: those that its topology names, and the orphans that an older one has left.
 * @param existing all topics of the cluster
 * @param others ids of other applications there: with `shop` and `shop-cart` all that begins with `shop-cart-` is the latter's
 */
export function internalTopicsOf(
  plan: ApplicationPlan,
  existing: Iterable<string>,
  others: Iterable<string> = [],
): readonly InternalTopic[] {
  const there = new Set(existing);
  const named = new Map<string, InternalTopicRole>();
  for (const { sources, stores } of plan.subTopologies) {
    for (const { topic, internal, redrive } of sources) {
      if (!internal) continue;
      named.set(topic, redrive ? 'redrive' : 'repartition');
      const letters = deadLetterTopicOf(topic); // only with options that the topology does not tell
      if (there.has(letters)) named.set(letters, 'dead-letters');
    }
    for (const { changelogTopic } of stores) if (changelogTopic !== null) named.set(changelogTopic, 'changelog');
  }
  const own = `${plan.applicationId}-`;
  const longer = [...others].map((id) => `${id}-`).filter((prefix) => prefix !== own && prefix.startsWith(own));
  const orphans = [...there].flatMap((name): readonly InternalTopic[] => {
    if (!name.startsWith(own) || named.has(name) || longer.some((prefix) => name.startsWith(prefix))) return [];
    const role = forms.find(([form]) => form.test(name.slice(own.length)))?.[1];
    return role === undefined ? [] : [{ name, role, exists: true, isOrphan: true }];
  });
  return [
    ...Array.from(named, ([name, role]) => ({ name, role, exists: there.has(name), isOrphan: false })),
    ...orphans,
  ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** What it reads that is not its own, and where it begins without a committed offset. Tables are read whole. */
export const inputsOf = (plan: ApplicationPlan): readonly { readonly topic: string; readonly from: InputFrom }[] => [
  ...plan.subTopologies.flatMap(({ sources }) =>
    sources.filter(({ internal }) => !internal).map(({ topic, offsetReset }) => ({ topic, from: offsetReset })),
  ),
  ...plan.globalTables.map(({ topic }) => ({ topic, from: 'earliest' as const })),
];

export type InputFrom = 'earliest' | 'latest';

/** What it writes that is not its own. A sink that chooses its topic may write to others. */
export const outputsOf = (plan: ApplicationPlan): readonly string[] => {
  const internal = new Set(
    plan.subTopologies.flatMap(({ sources }) => sources.flatMap((source) => (source.internal ? [source.topic] : []))),
  );
  return [...new Set(plan.subTopologies.flatMap(({ sinkTopics }) => sinkTopics))].filter(
    (topic) => !internal.has(topic),
  );
};
