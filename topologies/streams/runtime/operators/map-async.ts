import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import { type AnyRecord, withValue } from '../record.ts';
import { operator } from './operator.ts';

/** The call was made while the record waited in its buffer (`AsyncCalls`): here is its answer, or its rejection. */
export const mapAsyncOperator = (task: TaskContext, name: string): OperatorFunction<AnyRecord, AnyRecord> =>
  operator(task, name, (record, emit) => emit(withValue(record, task.answerOf(name))));
