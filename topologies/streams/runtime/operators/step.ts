import { Observable, type Observer, type OperatorFunction } from 'rxjs';
import type { AnyRecord } from '../record.ts';

/** What hears records go by. It is told of no errors: what a node throws goes to its task. */
export type Hearer = Pick<Observer<AnyRecord>, 'next' | 'complete'>;

/**
 * A Subject that asks nothing of itself between records: nobody comes or goes while one is under way, and no error ever comes this way. It
 * takes a quarter of the time.
 */
export class Junction extends Observable<AnyRecord> {
  readonly #hearers: Hearer[] = [];
  #completed = false;

  constructor() {
    super((subscriber) => this.tie(subscriber));
  }

  /** As `subscribe`, without a Subscriber between the two. */
  tie(hearer: Hearer): void {
    this.#hearers.push(hearer);
  }

  next(record: AnyRecord): void {
    if (this.#completed) return;
    for (const hearer of this.#hearers) hearer.next(record);
  }

  /** Where several flow together the first that ends is the end: they all end at once. */
  complete(): void {
    if (this.#completed) return;
    this.#completed = true;
    for (const hearer of this.#hearers) hearer.complete();
  }
}

/** An operator of ours between two junctions. RxJS sees an Observable like any; we tie it in without its Subscribers, which cost more than most nodes do. */
class Step extends Observable<AnyRecord> {
  readonly #source: Observable<AnyRecord>;
  readonly #hearerFor: (output: Hearer) => Hearer;

  constructor(source: Observable<AnyRecord>, hearerFor: (output: Hearer) => Hearer) {
    super((subscriber) => source.subscribe(hearerFor(subscriber)));
    this.#source = source;
    this.#hearerFor = hearerFor;
  }

  into(output: Junction): void {
    const hearer = this.#hearerFor(output);
    if (this.#source instanceof Junction) this.#source.tie(hearer);
    else this.#source.subscribe(hearer);
  }
}

/** @param hearerFor what hears of the source's records, and tells `output` */
export const step =
  (hearerFor: (output: Hearer) => Hearer): OperatorFunction<AnyRecord, AnyRecord> =>
  (source) =>
    new Step(source, hearerFor);

/** From now on what comes out of `made` goes into `output`. */
export function lead(made: Observable<AnyRecord>, output: Junction): void {
  if (made instanceof Step) made.into(output);
  else made.subscribe(output);
}
