import { sessionWindowAggregate } from '../runtime/operators/session-window-aggregate.ts';
import { slidingWindowAggregate } from '../runtime/operators/sliding-window-aggregate.ts';
import { timeWindowAggregate } from '../runtime/operators/time-window-aggregate.ts';
import type { Serde } from '../serde.ts';
import type { Graph } from './graph.ts';
import type { KTable } from './k-table.ts';
import { needSerde } from './need-serde.ts';
import { type AggregationInput, aggregatedTable, type StreamAggregation } from './stream-aggregation.ts';
import { aggregateBehaviour } from './table-behaviour.ts';
import {
  sessionGetter,
  sessionWindowStore,
  sizeOf,
  timeWindowStore,
  type WindowMaterializedOptions,
  windowGetter,
} from './window-stores.ts';
import type { Windowed } from './windowed.ts';
import { WindowedSerdes } from './windowed-serdes.ts';
import { type EmitStrategy, type SessionWindows, SlidingWindows, type TimeWindows } from './windows.ts';

/** One or several grouped streams and what is made of them for each key and window. */
export interface WindowedAggregation<K, A> {
  readonly inputs: readonly AggregationInput<K>[];
  readonly kind: StreamAggregation<K, K, A>['kind'];
  readonly initial: () => unknown;
  readonly emitStrategy: EmitStrategy;
  readonly valueSerde: Serde<A> | null | undefined;
  readonly options: WindowMaterializedOptions<A>;
}

export interface SessionAggregation<K, A> extends WindowedAggregation<K, A> {
  // biome-ignore lint/suspicious/noExplicitAny: the public methods have the types
  readonly merge: (key: any, one: any, other: any) => unknown;
}

/** Tumbling, hopping and sliding. */
export function timeWindowedTable<K, A>(
  graph: Graph,
  windows: TimeWindows | SlidingWindows,
  aggregation: WindowedAggregation<K, A>,
): KTable<Windowed<K>, A> {
  const { inputs, kind, initial, emitStrategy, options } = aggregation;
  const { semantics } = graph;
  const { key, value } = serdesOf(aggregation);
  return aggregatedTable(graph, {
    inputs,
    kind,
    as: options.as,
    store: timeWindowStore(graph, windows, emitStrategy, { key, value }, options),
    serdes: { key: WindowedSerdes.timeWindowed(key, sizeOf(windows)), value },
    windowGraceMs: windows.graceMs,
    operator: (task, name, { state, add, input }) => {
      const part = { state, fold: { initial, add }, emitStrategy, semantics, input };
      return windows instanceof SlidingWindows
        ? slidingWindowAggregate(task, name, part, windows)
        : timeWindowAggregate(task, name, part, windows);
    },
    behaviour: (state) => aggregateBehaviour(state, windowGetter(state.store)),
  });
}

export function sessionWindowedTable<K, A>(
  graph: Graph,
  windows: SessionWindows,
  aggregation: SessionAggregation<K, A>,
): KTable<Windowed<K>, A> {
  const { inputs, kind, initial, merge, emitStrategy, options } = aggregation;
  const { semantics } = graph;
  const { key, value } = serdesOf(aggregation);
  return aggregatedTable(graph, {
    inputs,
    kind,
    as: options.as,
    store: sessionWindowStore(graph, windows, { key, value }, options),
    serdes: { key: WindowedSerdes.sessionWindowed(key), value },
    windowGraceMs: windows.inactivityGapMs + windows.graceMs,
    operator: (task, name, { state, add, input }) => {
      const part = { state, fold: { initial, add, merge }, emitStrategy, semantics, input };
      return sessionWindowAggregate(task, name, part, windows);
    },
    behaviour: (state) => aggregateBehaviour(state, sessionGetter(state.store)),
  });
}

function serdesOf<K, A>({ inputs, valueSerde, options: { store } }: WindowedAggregation<K, A>) {
  const key = inputs.find(({ grouped }) => grouped.serdes.key !== null)?.grouped.serdes.key;
  return { key: needSerde(key, 'keySerde', store), value: needSerde(valueSerde, 'valueSerde', store) };
}
