import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { AnyRecord } from '../record.ts';
import { operator } from './operator.ts';

export interface BranchRule {
  /** The child's place. */
  readonly index: number;
  readonly predicate: (key: unknown, value: unknown) => boolean;
}

/** What the branch node hands to its children: each takes what bears its index. */
interface Branched {
  readonly branch: number;
  readonly record: AnyRecord;
}

/** Chooses one branch for each record, so that every predicate runs at most once. */
export const branchOperator = (
  task: TaskContext,
  name: string,
  rules: readonly BranchRule[],
): OperatorFunction<AnyRecord, AnyRecord> =>
  operator(task, name, (record, emit) => {
    for (const { index, predicate } of rules) {
      if (!predicate(record.key, record.value)) continue;
      emit({ ...record, value: { branch: index, record } satisfies Branched });
      return;
    }
  });

export const branchChild = (task: TaskContext, name: string, index: number): OperatorFunction<AnyRecord, AnyRecord> =>
  operator(task, name, ({ value }, emit) => {
    const { branch, record } = value as Branched; // its only parent is the branch node
    if (branch === index) emit(record);
  });
