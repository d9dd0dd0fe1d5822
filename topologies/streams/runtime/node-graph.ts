import type { SinkNode, TaskContext, TopologyNode } from '../plan/node.ts';
import type { SubTopology } from '../plan/topology.ts';
import { Junction, lead } from './operators/step.ts';
import type { AnyRecord } from './record.ts';

/**
 * The RxJS graph of one task: a junction per node, each operator between its parents' and its own. Everything is synchronous:
 * `next` on a source returns when the record has gone through all that hangs on it.
 */
export class NodeGraph {
  readonly #sources = new Map<string, Junction>();

  /** @param sinkOf what a sink does with a record */
  constructor(sub: SubTopology, task: TaskContext, sinkOf: (node: SinkNode) => (record: AnyRecord) => void) {
    const outputs = new Map<TopologyNode, Junction>();
    const inputOf = (node: TopologyNode): Junction => {
      const [first, ...others] = node.parents.map((parent) => outputs.get(parent));
      if (first === undefined) throw new Error(`${node.name} was written before its parent`);
      if (others.length === 0) return first;
      const merged = new Junction();
      for (const parent of [first, ...others]) parent?.tie(merged);
      return merged;
    };
    for (const node of sub.nodes) {
      if (node.kind === 'sink') {
        const send = sinkOf(node);
        const next = (record: AnyRecord): void => {
          if (task.failed) return;
          try {
            send(record);
          } catch (error) {
            task.fail(node.name, error);
          }
        };
        inputOf(node).tie({ next, complete: () => {} });
        continue;
      }
      const output = new Junction();
      outputs.set(node, output);
      if (node.kind === 'source') this.#sources.set(node.name, output);
      else lead(node.operator(task)(inputOf(node)), output);
    }
  }

  /** Where the records of a source go in. */
  entry(source: string): (record: AnyRecord) => void {
    const junction = this.#sources.get(source);
    return (record) => junction?.next(record);
  }

  /** Ends every source: operators hear it as `complete` and close their processors. */
  close(): void {
    for (const source of this.#sources.values()) source.complete();
  }
}
