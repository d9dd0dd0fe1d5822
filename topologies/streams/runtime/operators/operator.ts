import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { AnyRecord } from '../record.ts';
import { step } from './step.ts';

export type Emit = (record: AnyRecord) => void;

/**
 * A synchronous operator. What its body throws goes to the task, with the record and the name of the node, and never on through the
 * graph: an error notification would end every subscription below.
 */
export const operator = (
  task: TaskContext,
  name: string,
  body: (record: AnyRecord, emit: Emit) => void,
  close?: () => void,
): OperatorFunction<AnyRecord, AnyRecord> =>
  step((output) => {
    const emit: Emit = (record) => output.next(record);
    return {
      next: (record) => {
        if (task.failed) return;
        try {
          body(record, emit);
        } catch (error) {
          task.fail(name, error);
        }
      },
      complete: () => {
        close?.();
        output.complete();
      },
    };
  });

export const passOn = (task: TaskContext, name: string): OperatorFunction<AnyRecord, AnyRecord> =>
  operator(task, name, (record, emit) => emit(record));
