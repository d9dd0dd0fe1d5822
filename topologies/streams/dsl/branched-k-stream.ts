import { TopologyError } from '../errors.ts';
import type { BranchRule } from '../runtime/operators/branch.ts';
import type { KStream } from './k-stream.ts';

type Branches<K, V, Names extends string> = { readonly [Name in Names]: KStream<K, V> };

/** The branches of a `split`, in the order in which their predicates are asked. */
export class BranchedKStream<K, V, Names extends string = never> {
  readonly #rules: BranchRule[];
  readonly #child: (name: string | undefined, index: number) => KStream<K, V>;
  readonly #branches: Record<string, KStream<K, V>> = {};

  constructor(rules: BranchRule[], child: (name: string | undefined, index: number) => KStream<K, V>) {
    this.#rules = rules;
    this.#child = child;
  }

  branch<Name extends string>(
    name: Name,
    predicate: (key: K, value: V) => boolean,
  ): BranchedKStream<K, V, Names | Name> {
    this.#add(name, predicate);
    return this as unknown as BranchedKStream<K, V, Names | Name>; // the same object, which now has this branch too
  }

  /** What no branch took. @returns the branches by name */
  defaultBranch<Name extends string>(name: Name): Branches<K, V, Names | Name> {
    this.#add(name, () => true);
    return this.#branches as Branches<K, V, Names | Name>; // exactly the names that were added
  }

  /** What no branch took goes nowhere. @returns the branches by name */
  noDefaultBranch(): Branches<K, V, Names> {
    return this.#branches as Branches<K, V, Names>; // exactly the names that were added
  }

  #add(name: string, predicate: (key: K, value: V) => boolean): void {
    if (name in this.#branches) {
      throw new TopologyError(`two branches are called ${name}; nothing was built. Give one of them another name.`);
    }
    const index = this.#rules.length + 1;
    this.#rules.push({ index, predicate: predicate as BranchRule['predicate'] }); // inside the graph types are erased
    this.#branches[name] = this.#child(name, index);
  }
}
