import type { KafkaConnection } from '../kafka/index.ts';
import type { ApplicationState } from './application-runner.ts';
import type { FailureHandling } from './failure-handling.ts';
import type { Log } from './log.ts';
import type { RestoreProgress } from './restore-progress.ts';
import type { StreamsWorkerOptions } from './worker.ts';

/** Options of a StreamsWorker that are the same for every thread. */
export interface ThreadSettings
  extends Omit<
    StreamsWorkerOptions,
    'applications' | 'bootstrapServers' | 'port' | 'stateDir' | 'instanceId' | 'onFailure' | 'log'
  > {
  /** A function of a module comes before it. */
  readonly onFailure?: FailureHandling;
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
  | { readonly kind: 'states'; readonly states: ReadonlyMap<string, ApplicationState> }
  | { readonly kind: 'restore'; readonly progress: RestoreProgress }
  | { readonly kind: 'log'; readonly entries: readonly Parameters<Log>[] }
  /** Every application runs. */
  | { readonly kind: 'running' }
  /** It cannot start; it waits for `close`. */
  | { readonly kind: 'refused'; readonly error: PlainError }
  /** All is committed and closed, and it ends. */
  | { readonly kind: 'closed' };

/** What is said to a thread: commit what is done and end. */
export const closeThread = 'close';

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
