import { Observable, type OperatorFunction, Subject, type Subscription } from 'rxjs';
import { PipeRuleError } from '../../errors.ts';
import type { TaskContext } from '../../plan/node.ts';
import type { AnyRecord } from '../record.ts';

/** A segment of the author's RxJS operators. Its errors are taken here, with the record, and the segment is subscribed anew. */
export const pipeOperator =
  (
    task: TaskContext,
    name: string,
    segment: OperatorFunction<AnyRecord, AnyRecord>,
  ): OperatorFunction<AnyRecord, AnyRecord> =>
  (source) =>
    new Observable((subscriber) => {
      let inCall = false;
      let closing = false;
      let entry = new Subject<AnyRecord>();
      let subscription: Subscription;
      const subscribe = () => {
        entry = new Subject<AnyRecord>();
        subscription = segment(entry).subscribe({
          next: (record) => {
            if (inCall) subscriber.next(record);
            else
              task.fail(
                name,
                new PipeRuleError(
                  `${name}: a piped operator emitted outside the call of its record; use a store-backed operator or a punctuator`,
                ),
              );
          },
          error: (error: unknown) => {
            task.fail(name, error);
            subscribe();
          },
          complete: () => {
            if (!closing)
              task.fail(name, new PipeRuleError(`${name}: a piped operator completed; a stream has no end`));
          },
        });
      };
      subscribe();
      return source.subscribe({
        next: (record) => {
          if (task.failed) return;
          inCall = true;
          try {
            entry.next(record);
          } finally {
            inCall = false;
          }
        },
        complete: () => {
          closing = true;
          subscription.unsubscribe();
          subscriber.complete();
        },
      });
    });
