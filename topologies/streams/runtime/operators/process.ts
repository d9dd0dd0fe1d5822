import type { OperatorFunction } from 'rxjs';
import type { Forwarded, ProcessorContext, ProcessorSupplier } from '../../dsl/processor.ts';
import { EngineRuleError } from '../../errors.ts';
import type { Header } from '../../kafka/port.ts';
import type { TaskContext } from '../../plan/node.ts';
import type { StateStore } from '../../state/state-store.ts';
import type { AnyRecord } from '../record.ts';
import { step } from './step.ts';

const none: readonly Header[] = [];

// biome-ignore lint/suspicious/noExplicitAny: the DSL has checked the types of the supplier
type AnySupplier = ProcessorSupplier<any, any, any, any>;

/** Runs a processor of the author's. `fixedKey`: forwarded records keep the key of the record under way (processValues). */
export const processOperator = (
  task: TaskContext,
  name: string,
  supplier: AnySupplier,
  fixedKey: boolean,
): OperatorFunction<AnyRecord, AnyRecord> =>
  step((output) => {
    const processor = supplier();
    let current: AnyRecord | null = null;
    let punctuationTime: number | null = null;
    const context: ProcessorContext<unknown, unknown> = {
      applicationId: task.applicationId,
      taskId: task.taskId,
      nodeName: name,
      forward(record: Forwarded<unknown, unknown>) {
        const timestamp = record.timestamp ?? current?.timestamp ?? punctuationTime;
        if (timestamp === null || timestamp === undefined) {
          throw new EngineRuleError(`${name}: forward was called outside a record and outside a punctuator`);
        }
        const key = fixedKey && current !== null ? current.key : record.key;
        output.next({
          key,
          value: record.value,
          timestamp,
          headers: record.headers ?? current?.headers ?? none,
        });
      },
      getStateStore: <S extends StateStore>(store: string): S => task.store(store) as S, // the caller knows what it added
      schedule: (intervalMs, type, callback) =>
        task.schedule(intervalMs, type, (nowMs) => {
          punctuationTime = nowMs;
          try {
            callback(nowMs);
          } catch (error) {
            task.fail(name, error);
          } finally {
            punctuationTime = null;
          }
        }),
      currentStreamTimeMs: () => task.streamTime,
      currentSystemTimeMs: () => task.wallClock(),
      recordMetadata: () => task.metadata,
      get headers() {
        return current?.headers ?? none;
      },
    };
    try {
      processor.init?.(context);
    } catch (error) {
      task.fail(name, error);
    }
    return {
      next: (record) => {
        if (task.failed) return;
        const outer = current;
        current = record;
        try {
          processor.process(record);
        } catch (error) {
          task.fail(name, error);
        } finally {
          current = outer;
        }
      },
      complete: () => {
        try {
          processor.close?.();
        } catch (error) {
          task.fail(name, error); // out of here it would end the process
        }
        output.complete();
      },
    };
  });
