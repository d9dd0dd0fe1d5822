import type { Graph } from './graph.ts';
import type { KTable } from './k-table.ts';
import type { AggregationInput } from './stream-aggregation.ts';
import type { WindowMaterializedOptions } from './window-stores.ts';
import type { Windowed } from './windowed.ts';
import { sessionWindowedTable, timeWindowedTable } from './windowed-aggregation.ts';
import type { SessionWindows, SlidingWindows, TimeWindows } from './windows.ts';

const cogroup = { kind: 'cogroup', emitStrategy: 'onWindowUpdate' } as const;

/** Several streams by key and by tumbling, hopping or sliding window; see `TimeWindowedKStream`. */
export class TimeWindowedCogroupedKStream<K, A> {
  readonly #graph: Graph;
  readonly #inputs: readonly AggregationInput<K>[];
  readonly #windows: TimeWindows | SlidingWindows;

  constructor(graph: Graph, inputs: readonly AggregationInput<K>[], windows: TimeWindows | SlidingWindows) {
    this.#graph = graph;
    this.#inputs = inputs;
    this.#windows = windows;
  }

  aggregate(initializer: () => A, options: WindowMaterializedOptions<A>): KTable<Windowed<K>, A> {
    const { valueSerde } = options;
    const aggregation = { ...cogroup, inputs: this.#inputs, initial: initializer, valueSerde, options };
    return timeWindowedTable(this.#graph, this.#windows, aggregation);
  }
}

/** Several streams by key and session: records of any of them join a session; see `SessionWindowedKStream`. */
export class SessionWindowedCogroupedKStream<K, A> {
  readonly #graph: Graph;
  readonly #inputs: readonly AggregationInput<K>[];
  readonly #windows: SessionWindows;

  constructor(graph: Graph, inputs: readonly AggregationInput<K>[], windows: SessionWindows) {
    this.#graph = graph;
    this.#inputs = inputs;
    this.#windows = windows;
  }

  /** @param merger makes one aggregate of two, before the aggregator of the record's stream adds to it */
  aggregate(
    initializer: () => A,
    merger: (key: K, one: A, other: A) => A,
    options: WindowMaterializedOptions<A>,
  ): KTable<Windowed<K>, A> {
    const { valueSerde } = options;
    const parts = { inputs: this.#inputs, initial: initializer, merge: merger, valueSerde, options };
    return sessionWindowedTable(this.#graph, this.#windows, { ...cogroup, ...parts });
  }
}
