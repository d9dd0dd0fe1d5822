import type { OperatorFunction } from 'rxjs';
import { TopologyError, UnnamedOperatorError } from '../errors.ts';
import type {
  AsyncStep,
  CoPartitioned,
  GlobalTable,
  ProcessorNode,
  SinkNode,
  SourceNode,
  TaskContext,
  TaskStoreBuilder,
  TopologyNode,
} from '../plan/node.ts';
import { Topology } from '../plan/topology.ts';
import type { AnyRecord } from '../runtime/record.ts';
import type { Serde } from '../serde.ts';

export interface GraphOptions {
  /**
   * `strict`: what must keep its name has to be named by the author, and joins refuse late records. `kafka-streams`: names are generated
   * where none is given, and late records are joined as the original joins them; its recorded answers are checked this way.
   */
  readonly semantics: 'strict' | 'kafka-streams';
}

/** What the DSL writes into while an author builds. Names count up as in Kafka Streams, so that equal code gives equal names. */
export class Graph {
  readonly #nodes: TopologyNode[] = [];
  readonly #stores = new Map<string, TaskStoreBuilder>();
  readonly #globalTables: GlobalTable[] = [];
  readonly #coPartitioned: CoPartitioned[] = [];
  readonly semantics: GraphOptions['semantics'];
  #counter = 0;

  constructor(options: GraphOptions = { semantics: 'strict' }) {
    this.semantics = options.semantics;
  }

  /** `KSTREAM-MAP-` → `KSTREAM-MAP-0000000003`; an author's own name uses no number up for its topics but the counter goes on. */
  name(prefix: string, as?: string): string {
    const number = this.#counter;
    this.#counter += 1;
    return as ?? `${prefix}${String(number).padStart(10, '0')}`;
  }

  /** Numbers that the original uses up where nothing is made. */
  skipNames(count: number): void {
    this.#counter += count;
  }

  /** Of a store or an internal topic. A number would change with the topology, and what is kept under it would be lost. */
  durableName(prefix: string, as: string | undefined, cure: string): string {
    const generated = this.name(prefix, as);
    if (as === undefined && this.semantics === 'strict') {
      throw new UnnamedOperatorError(`${cure} Nothing was built: a number as its name would change with the topology.`);
    }
    return generated;
  }

  /** For an operator whose stores and internal topics are all named after it. @throws UnnamedOperatorError in strict semantics */
  demandName(as: string | undefined, cure: string): void {
    if (as !== undefined || this.semantics !== 'strict') return;
    throw new UnnamedOperatorError(`${cure} Nothing was built: a number as its name would change with the topology.`);
  }

  source(node: Omit<SourceNode, 'kind' | 'parents'>): SourceNode {
    return this.#add({ kind: 'source', parents: [], ...node });
  }

  processor(
    name: string,
    parents: readonly TopologyNode[],
    operator: (task: TaskContext) => OperatorFunction<AnyRecord, AnyRecord>,
    /** Read when the topology is built: a table may be given its store by a later step. */
    stores: readonly string[] = [],
    windowGraceMs: number | null = null,
  ): ProcessorNode {
    return this.#add({ kind: 'processor', name, parents: [...new Set(parents)], stores, windowGraceMs, operator });
  }

  /** A node whose records are asked for while they wait behind their source. */
  asyncProcessor(
    name: string,
    source: SourceNode,
    operator: (task: TaskContext) => OperatorFunction<AnyRecord, AnyRecord>,
    asyncStep: AsyncStep,
  ): ProcessorNode {
    return Object.assign(this.processor(name, [source], operator), { asyncStep });
  }

  sink(node: Omit<SinkNode, 'kind'>): SinkNode {
    return this.#add({ kind: 'sink', ...node });
  }

  addStore(store: TaskStoreBuilder): void {
    const there = this.#stores.get(store.spec.name);
    if (there !== undefined && there !== store) {
      throw new TopologyError(
        `two stores are called ${store.spec.name}; nothing was built. Give one of them another name.`,
      );
    }
    this.#stores.set(store.spec.name, store);
  }

  addGlobalTable(table: GlobalTable): void {
    this.#globalTables.push(table);
  }

  coPartition(group: CoPartitioned): void {
    this.#coPartitioned.push(group);
  }

  build(): Topology {
    return new Topology({
      nodes: this.#nodes,
      stores: this.#stores,
      globalTables: this.#globalTables,
      coPartitioned: this.#coPartitioned,
    });
  }

  #add<N extends TopologyNode>(node: N): N {
    this.#nodes.push(node);
    return node;
  }
}

/** Sources above a node, up to the nearest repartition: what must have equal partition counts to be joined. */
export function sourcesOf(node: TopologyNode): readonly SourceNode[] {
  if (node.kind === 'source') return [node];
  return [...new Set(node.parents.flatMap(sourcesOf))];
}

export interface Serdes2<K, V> {
  readonly key: Serde<K> | null;
  readonly value: Serde<V> | null;
}
