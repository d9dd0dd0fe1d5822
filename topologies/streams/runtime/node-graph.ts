import { Subject } from 'rxjs';
import type { SinkNode, TaskContext, TopologyNode } from '../plan/node.ts';
import type { SubTopology } from '../plan/topology.ts';
import type { AnyRecord } from './record.ts';

/**
 * The RxJS graph of one task: a Subject per node, each operator subscribed between its parents and its own. Everything is synchronous:
 * `next` on a source returns when the record has gone through all that hangs on it.
 */
export class NodeGraph {
  readonly #sources = new Map<string, Subject<AnyRecord>>();

  /** @param send what sinks do with a record */
  constructor(sub: SubTopology, task: TaskContext, send: (node: SinkNode, record: AnyRecord) => void) {
    const outputs = new Map<TopologyNode, Subject<AnyRecord>>();
    const inputOf = (node: TopologyNode): Subject<AnyRecord> => {
      const [first, ...others] = node.parents.map((parent) => outputs.get(parent));
      if (first === undefined) throw new Error(`${node.name} was written before its parent`);
      if (others.length === 0) return first;
      const merged = new Subject<AnyRecord>();
      for (const parent of [first, ...others]) parent?.subscribe(merged);
      return merged;
    };
    for (const node of sub.nodes) {
      if (node.kind === 'sink') {
        inputOf(node).subscribe((record) => {
          if (task.failed) return;
          try {
            send(node, record);
          } catch (error) {
            task.fail(node.name, error);
          }
        });
        continue;
      }
      const output = new Subject<AnyRecord>();
      outputs.set(node, output);
      if (node.kind === 'source') this.#sources.set(node.name, output);
      else node.operator(task)(inputOf(node)).subscribe(output);
    }
  }

  push(source: string, record: AnyRecord): void {
    this.#sources.get(source)?.next(record);
  }

  /** Ends every source: operators hear it as `complete` and close their processors. */
  close(): void {
    for (const source of this.#sources.values()) source.complete();
  }
}
