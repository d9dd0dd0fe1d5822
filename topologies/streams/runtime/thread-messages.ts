import type { KafkaConnection } from '../kafka/index.ts';
import type { MetricFamily } from '../metrics/metric-families.ts';
import type { ChangeGap } from '../query/change-queue.ts';
import type { RowAnswer, TasksHere } from '../query/queried-instance.ts';
import type { RowQuery } from '../query/row-query.ts';
import type { StoredChange } from '../query/store-changes.ts';
import type { ApplicationState } from './application-runner.ts';
import type { FailureHandling } from './failure-handling.ts';
import type { Log } from './log.ts';
import type { RestoreProgress } from './restore-progress.ts';
import type { StreamsWorkerOptions } from './worker.ts';

/** Options of a StreamsWorker that are the same for every thread: those that can be sent to one. */
export interface ThreadSettings
  extends Omit<
    StreamsWorkerOptions,
    | 'applications'
    | 'bootstrapServers'
    | 'port'
    | 'decompress'
    | 'stateDir'
    | 'instanceId'
    | 'onFailure'
    | 'onProductionError'
    | 'log'
    | 'tracing'
    | 'queryEndpoint'
    | 'queryDirectory'
    | 'queryTimeoutMs'
    | 'queryToken'
  > {
  /** What a module exports under this name comes before it. */
  readonly onFailure?: FailureHandling;
  readonly onProductionError?: FailureHandling;
}

/** What a thread is given when it begins. */
export interface ThreadData {
  readonly applications: readonly { readonly applicationId: string; readonly url: string; readonly data: unknown }[];
  readonly connection: Pick<KafkaConnection, 'bootstrapServers' | 'ssl' | 'sasl'>;
  /** Its own state goes into a folder of its instance id in here. */
  readonly stateDir: string;
  readonly instanceId: string;
  readonly settings: ThreadSettings;
}

/** What a thread says. */
export type FromThread =
  /** The first time: from here on it answers. */
  | { readonly kind: 'states'; readonly states: ReadonlyMap<string, ApplicationState> }
  | { readonly kind: 'restore'; readonly progress: RestoreProgress }
  | { readonly kind: 'log'; readonly entries: readonly Parameters<Log>[] }
  /** Every application runs. */
  | { readonly kind: 'running' }
  /** It cannot start; it waits for `close`. */
  | { readonly kind: 'refused'; readonly error: PlainError }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly error: PlainError }
  /** All is committed and closed, and it ends. */
  | { readonly kind: 'closed' };

/** What is said to a thread. */
export type ToThread =
  | {
      readonly kind: 'ask';
      readonly id: number;
      readonly what: keyof ThreadAnswers;
      readonly about: readonly unknown[];
    }
  /** These and no others pause. */
  | { readonly kind: 'pause'; readonly applications: ReadonlySet<string> }
  /** Commit what is done and end. */
  | { readonly kind: 'close' };

/** What a thread can be asked. Bytes in questions and answers have a buffer of their own (see `ownBytes`). */
export interface ThreadAnswers {
  metrics(): readonly MetricFamily[];
  tasks(application: string): TasksHere;
  /** @param onlyRunning null unless the task runs there */
  rows(application: string, store: string, partition: number, query: RowQuery, onlyRunning: boolean): RowAnswer | null;
  partitions(application: string, store: string): number;
  behind(application: string, store: string, partition: number, position: number): Promise<number | null>;
  /** Begins to keep changes for `changes`. @param watch names them; no other has had this one */
  watch(watch: number, application: string, store: string, most: number): void;
  /** Answered when there are some; null: there will be no more. */
  changes(watch: number): Promise<readonly (StoredChange | ChangeGap)[] | null>;
  unwatch(watch: number): void;
}

/** Of a view a clone takes all that it looks at: a pool of other bytes, or a map of the disk. */
export const ownBytes = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

/** An error that can be sent: a structured clone of one keeps neither its class nor what it knows. */
export interface PlainError {
  readonly isError: true;
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly cause: unknown;
  readonly fields: Readonly<Record<string, unknown>>;
}

const deepest = 8;

/** A value that can be cloned: errors become plain, at any depth; functions and symbols are written out. */
export function toPlain(value: unknown, depth = 0): unknown {
  if (value instanceof Error) return plainError(value, depth);
  if (typeof value === 'function' || typeof value === 'symbol') return String(value);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (depth === deepest) return '…';
  if (Array.isArray(value)) return value.map((one) => toPlain(one, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, toPlain(one, depth + 1)]));
}

export const plainError = (error: unknown, depth = 0): PlainError => {
  const { name, message, stack, cause, ...fields } = error instanceof Error ? error : new Error(String(error));
  return {
    isError: true,
    // Of a class, these are on its prototype or not enumerable.
    name: error instanceof Error ? error.name : name,
    message,
    stack,
    cause: depth === deepest ? undefined : toPlain(cause, depth + 1),
    fields:
      depth === deepest
        ? {}
        : Object.fromEntries(Object.entries(fields).map(([key, one]) => [key, toPlain(one, depth + 1)])),
  };
};

const isPlainError = (value: object): value is PlainError => 'isError' in value && value.isError === true;

/** What `toPlain` has made plain, with errors again: no longer of their class, but with its name and fields, such as `code`. */
export function fromPlain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (isPlainError(value)) return errorOf(value);
  if (Array.isArray(value)) return value.map(fromPlain);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, fromPlain(one)]));
}

export const errorOf = ({ name, message, stack, cause, fields }: PlainError): Error => {
  const error = new Error(message, cause === undefined ? {} : { cause: fromPlain(cause) });
  return Object.assign(error, fromPlain(fields), { name, ...(stack !== undefined && { stack }) });
};
