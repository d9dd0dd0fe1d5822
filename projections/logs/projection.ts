import { topics } from '@bookstream/schemas/topics';
import type { LogEvent } from '@bookstream/schemas/types/logs';
import { projection, table } from '../projection.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** From least to worst. */
export const logLevels: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] satisfies LogLevel[];

export interface LogRow {
  /** Where the line stands in the topic, so a replay finds it again: `<partition>-<offset>`. */
  readonly lineId: string;
  readonly time: number;
  readonly level: string;
  /** Place in `logLevels`; -1 for one that is not among them. */
  readonly severity: number;
  readonly service: string;
  readonly instance: string;
  readonly traceId: string | null;
  readonly orderId: string | null;
  readonly event: string;
  readonly message: string;
  /** A list, because names may hold dots and dollars. */
  readonly fields: readonly { readonly name: string; readonly value: string }[];
}

/** The same for a stored line and one that comes live off the topic. */
export const lineIdOf = (partition: number, offset: number): string =>
  `${partition}-${String(offset).padStart(14, '0')}`;

export const logRow = (line: LogEvent, lineId: string): LogRow => ({
  lineId,
  time: line.time,
  level: line.level,
  severity: logLevels.indexOf(line.level.toLowerCase()),
  service: line.service,
  instance: line.instance,
  traceId: line.traceId,
  orderId: line.orderId,
  event: line.event,
  message: line.message,
  fields: Object.entries(line.fields)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1)),
});

export const logLines = table<LogEvent, LogRow>({
  name: 'log_lines',
  topic: topics.logs,
  key: 'lineId',
  columns: {
    lineId: 'text',
    time: 'instant',
    level: 'text',
    severity: 'integer',
    service: 'text',
    instance: 'text',
    traceId: 'text?',
    orderId: 'text?',
    event: 'text',
    message: 'text',
    fields: 'json',
  },
  keys: (_line, at) => [lineIdOf(at.partition, at.offset)],
  fold: (_row, line, at) => logRow(line, at.key),
  appendOnly: true,
  indexes: [
    { name: 'time', fields: { time: -1 } },
    { name: 'order', fields: { orderId: 1, time: -1 } },
    { name: 'service', fields: { service: 1, time: -1 } },
  ],
});

export const logs = projection({ name: 'logs', sink: 'mongo', tables: [logLines], revision: 1 });
