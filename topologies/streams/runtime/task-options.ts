import type { RecordCollector } from '../kafka/record-pack.ts';
import type { DropReason } from '../plan/node.ts';
import type { SubTopology } from '../plan/topology.ts';
import type { StateStore, TaskStorage } from '../state/state-store.ts';
import type { ApplicationTracing } from '../tracing/application-tracing.ts';
import type { FailureHandler, FailureHandling, ProductionHandler } from './failure-handling.ts';
import type { ProductionLimits } from './production-limits.ts';
import type { RecordMetadata } from './record.ts';
import type { ChangeListener } from './task-stores.ts';

export interface TaskOptions {
  readonly applicationId: string;
  readonly sub: SubTopology;
  readonly partition: number;
  readonly storage: TaskStorage;
  /** Typed stores of the application's global tables. */
  readonly globalStores: ReadonlyMap<string, StateStore>;
  readonly partitionsOf: (topic: string) => number;
  readonly now: () => number;
  readonly maxTaskIdleMs?: number;
  readonly onMalformed?: FailureHandling;
  readonly onFailure?: FailureHandler;
  /** Default `fail`. */
  readonly onProductionError?: ProductionHandler;
  /** What the topics do not take; absent: nothing is known. */
  readonly limits?: Pick<ProductionLimits, 'refusalOf' | 'maxBytesOf' | 'takesTime'>;
  /** What holds the records of a commit. Default: a `RecordPack`. */
  readonly collector?: () => RecordCollector;
  /** It may have become ready by itself: a call was answered, or a piped operator failed on a timer of its own. */
  readonly onReady?: () => void;
  readonly changes?: ChangeListener;
  readonly tracing?: Pick<ApplicationTracing, 'record'>;
  /** A redrive is done: so many records of its key were processed, so many stay parked. */
  readonly onRedriven?: (redrive: RecordMetadata, taken: number, left: number) => void;
  /** Told of each record that went no further, with the reason. */
  readonly onDropped?: (node: string, reason: DropReason, record: RecordMetadata | null, cause?: unknown) => void;
}
