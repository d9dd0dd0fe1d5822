import type { OperatorFunction } from 'rxjs';
import { UnnamedOperatorError } from '../errors.ts';
import type { StoreBuilder, TaskContext } from '../plan/node.ts';
import type { AggregateState, Fold } from '../runtime/operators/aggregate.ts';
import { passOn } from '../runtime/operators/operator.ts';
import type { AnyRecord } from '../runtime/record.ts';
import type { Serde } from '../serde.ts';
import { type Graph, sourcesOf } from './graph.ts';
import type { KGroupedStream } from './k-grouped-stream.ts';
import { KTable } from './k-table.ts';
import type { TableBehaviour } from './table-behaviour.ts';

/** One stream and how its records are added. */
export interface AggregationInput<K> {
  readonly grouped: KGroupedStream<K, unknown>;
  readonly add: Fold['add'];
}

export interface StreamAggregation<K, KR, A> {
  /** A cogroup has several, and keeps one table of them all. */
  readonly inputs: readonly AggregationInput<K>[];
  readonly kind: 'aggregate' | 'reduce' | 'cogroup';
  readonly as: string | undefined;
  readonly store: StoreBuilder;
  /** Of the table's rows. */
  readonly serdes: { readonly key: Serde<KR>; readonly value: Serde<A> };
  readonly windowGraceMs: number | null;
  readonly operator: (
    task: TaskContext,
    name: string,
    part: { readonly state: AggregateState; readonly add: Fold['add']; readonly input: number },
  ) => OperatorFunction<AnyRecord, AnyRecord>;
  readonly behaviour: (state: AggregateState) => TableBehaviour;
}

const prefixes = {
  aggregate: 'KSTREAM-AGGREGATE-',
  reduce: 'KSTREAM-REDUCE-',
  cogroup: 'COGROUPKSTREAM-AGGREGATE-',
} as const;

/** The table of an aggregation of one stream or of several that share each key's aggregate. */
export function aggregatedTable<K, KR, A>(graph: Graph, aggregation: StreamAggregation<K, KR, A>): KTable<KR, A> {
  const { inputs, kind, as, store, serdes, windowGraceMs, operator } = aggregation;
  const isCogroup = kind === 'cogroup';
  const state: AggregateState = { store: store.spec.name, sendsOldValues: false };
  const unnamed = inputs.filter(({ grouped }) => grouped.needsName);
  if (unnamed.length > 1 && graph.semantics === 'strict') {
    throw new UnnamedOperatorError(
      `${state.store} is of several streams whose keys have changed; nothing was built. Name their groupings (as): each needs a repartition topic of its own.`,
    );
  }
  // Numbers are used up in the original's order: an aggregation's before its repartition topic's, a cogroup's after all of them.
  const own = isCogroup ? null : graph.name(prefixes[kind], as);
  const parents = inputs.map((one) =>
    one.grouped.together(unnamed.indexOf(one) > 0 ? `${state.store}-${unnamed.indexOf(one)}` : state.store),
  );
  graph.addStore(store);
  const nodes = inputs.map(({ add }, input) => {
    const name = own ?? graph.name(prefixes[kind], as && `${as}-cogroup-agg-${input}`);
    const part = { state, add, input };
    const above = parents.slice(input, input + 1);
    return graph.processor(name, above, (task) => operator(task, name, part), [state.store], windowGraceMs);
  });
  if (parents.length > 1) graph.coPartition({ node: state.store, sources: parents.flatMap(sourcesOf) });
  const [first] = nodes;
  const behaviour = aggregation.behaviour(state);
  if (!isCogroup && first !== undefined) return new KTable<KR, A>(graph, first, serdes, behaviour);
  const name = graph.name('COGROUPKSTREAM-MERGE-', as);
  const merged = graph.processor(name, nodes, (task) => passOn(task, name));
  return new KTable<KR, A>(graph, merged, serdes, behaviour);
}
