import { Observable, type OperatorFunction, Subject, type Subscription } from 'rxjs';
import { PipeRuleError } from '../../errors.ts';
import type { TaskContext } from '../../plan/node.ts';
import type { AnyRecord } from '../record.ts';

type Segment = OperatorFunction<AnyRecord, AnyRecord>;

const cure = 'Use a store-backed operator of the stream (scan, bufferCount, …), mapAsync or a punctuator';

/**
 * A segment of the author's RxJS operators. An error out of it is taken here with the record under way, and the segment is subscribed anew.
 * It may only emit within the call of a record and never completes: what it does otherwise would be lost with a crash, so it fails the task.
 */
export const pipeOperator =
  (task: TaskContext, name: string, segment: Segment): Segment =>
  (source) =>
    new Observable((subscriber) => {
      let inCall = false;
      let closing = false;
      let entry = new Subject<AnyRecord>();
      let subscription: Subscription | null = null;
      const broken = (what: string, cause?: unknown): void => {
        const text = `${name}: a piped operator ${what}; nothing more is processed. ${cure}`;
        if (!closing) task.fail(name, new PipeRuleError(text, { cause }));
      };
      const subscribe = (): void => {
        entry = new Subject<AnyRecord>();
        subscription = segment(entry).subscribe({
          next: (record) => {
            if (inCall) subscriber.next(record);
            else broken('emitted outside the call of its record');
          },
          error: (error: unknown) => {
            if (!inCall) {
              broken('failed outside the call of a record', error);
              return;
            }
            task.fail(name, error);
            inCall = false; // what is emitted on subscription belongs to no record
            subscribe();
          },
          complete: () => broken('completed, and a stream has no end'),
        });
      };
      const attempt = (action: () => void): void => {
        try {
          action();
        } catch (error) {
          task.fail(name, error); // further on it would end every subscription below, or the process
        }
      };
      attempt(subscribe);
      return source.subscribe({
        next: (record) => {
          if (task.failed) return;
          inCall = true;
          entry.next(record);
          inCall = false;
        },
        complete: () => {
          closing = true;
          attempt(() => subscription?.unsubscribe());
          subscriber.complete();
        },
      });
    });
