import type { LogRecorded } from '@bookstream/schemas/types/logs';
import { destination, pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Flat, because they become a map of strings on the topic; `traceId` and `orderId` become fields of the record. */
export type LogFields = Readonly<Record<string, string | number | bigint | boolean | null | undefined | Error>>;

/** `event` is a stable name to search for (`order-placed`), `message` a sentence for people. Never throws, never waits. */
export interface Logger {
  debug(event: string, message: string, fields?: LogFields): void;
  info(event: string, message: string, fields?: LogFields): void;
  warn(event: string, message: string, fields?: LogFields): void;
  error(event: string, message: string, fields?: LogFields): void;
  /** The same logger, whose lines all carry `fields`. */
  with(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly service: string;
  readonly instance: string;
  readonly level?: LogLevel;
  /** Gets every line that is written, beside standard output: the topic `logs`. */
  readonly sink?: (record: LogRecorded) => void;
  /** Takes the place of standard output. */
  readonly write?: (line: string) => void;
}

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const secret = /password|token|secret|authorization|cookie|email|sealed/i;

export function createLogger(options: LoggerOptions): Logger {
  const { service, instance, level = 'info', sink } = options;
  const output = pino(
    { level, base: { service, instance }, formatters: { level: (label) => ({ level: label }) } },
    options.write === undefined ? destination({ sync: true }) : { write: options.write },
  );

  const bind = (bound: LogFields): Logger => {
    const log =
      (at: LogLevel) =>
      (event: string, message: string, given: LogFields = {}) => {
        if (ranks[at] < ranks[level]) return;
        const { traceId = null, orderId = null, ...fields } = textOf({ ...bound, ...given });
        output[at]({ event, ...(traceId && { traceId }), ...(orderId && { orderId }), ...fields }, message);
        sink?.({
          type: 'LogRecorded',
          time: Date.now(),
          level: at,
          service,
          instance,
          traceId,
          orderId,
          event,
          message,
          fields,
        });
      };
    return {
      debug: log('debug'),
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
      with: (more) => bind({ ...bound, ...more }),
    };
  };
  return bind({});
}

/** Strings only, nothing secret, an error with its stack and its causes. */
function textOf(fields: LogFields): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => {
      if (value === undefined || value === null) return [];
      if (secret.test(name)) return [[name, '[hidden]']];
      return [[name, value instanceof Error ? storyOf(value) : String(value)]];
    }),
  );
}

const storyOf = (error: Error): string => {
  const story = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause instanceof Error ? `${story}\ncaused by ${storyOf(error.cause)}` : story;
};
