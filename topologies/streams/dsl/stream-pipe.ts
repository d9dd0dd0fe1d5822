import { type OperatorFunction, pipe } from 'rxjs';
import type { TopologyNode } from '../plan/node.ts';
import { pipeOperator } from '../runtime/operators/pipe.ts';
import type { AnyRecord, StreamRecord } from '../runtime/record.ts';
import type { KStream } from './k-stream.ts';
import type { StreamPlace } from './keys-together.ts';
import type { Named } from './stream-options.ts';

/** One RxJS operator of a piped segment. */
type Op<A, B> = OperatorFunction<A, B>;

/** The types of `KStream.pipe`: one to seven operators in a row, then perhaps a name. */
export interface Pipe<K, V> {
  <K2, V2>(op: Op<StreamRecord<K, V>, StreamRecord<K2, V2>>, named?: Named): KStream<K2, V2>;
  <A, K2, V2>(op1: Op<StreamRecord<K, V>, A>, op2: Op<A, StreamRecord<K2, V2>>, named?: Named): KStream<K2, V2>;
  <A, B, K2, V2>(
    op1: Op<StreamRecord<K, V>, A>,
    op2: Op<A, B>,
    op3: Op<B, StreamRecord<K2, V2>>,
    named?: Named,
  ): KStream<K2, V2>;
  <A, B, C, K2, V2>(
    op1: Op<StreamRecord<K, V>, A>,
    op2: Op<A, B>,
    op3: Op<B, C>,
    op4: Op<C, StreamRecord<K2, V2>>,
    named?: Named,
  ): KStream<K2, V2>;
  <A, B, C, D, K2, V2>(
    op1: Op<StreamRecord<K, V>, A>,
    op2: Op<A, B>,
    op3: Op<B, C>,
    op4: Op<C, D>,
    op5: Op<D, StreamRecord<K2, V2>>,
    named?: Named,
  ): KStream<K2, V2>;
  <A, B, C, D, E, K2, V2>(
    op1: Op<StreamRecord<K, V>, A>,
    op2: Op<A, B>,
    op3: Op<B, C>,
    op4: Op<C, D>,
    op5: Op<D, E>,
    op6: Op<E, StreamRecord<K2, V2>>,
    named?: Named,
  ): KStream<K2, V2>;
  <A, B, C, D, E, F, K2, V2>(
    op1: Op<StreamRecord<K, V>, A>,
    op2: Op<A, B>,
    op3: Op<B, C>,
    op4: Op<C, D>,
    op5: Op<D, E>,
    op6: Op<E, F>,
    op7: Op<F, StreamRecord<K2, V2>>,
    named?: Named,
  ): KStream<K2, V2>;
}

/** @param given what a call of `Pipe` was given */
export function pipeNode<K, V>({ graph, node }: StreamPlace<K, V>, given: readonly unknown[]): TopologyNode {
  const last = given.at(-1);
  const { as }: Named = typeof last === 'function' || last === undefined ? {} : (last as Named); // by the overloads
  const operators = given.filter((one) => typeof one === 'function') as OperatorFunction<AnyRecord, AnyRecord>[]; // likewise
  const segment = pipe(...(operators as [])) as OperatorFunction<AnyRecord, AnyRecord>; // RxJS types ten operators, not a list
  const name = graph.name('KSTREAM-PIPE-', as);
  return graph.processor(name, [node], (task) => pipeOperator(task, name, segment));
}
