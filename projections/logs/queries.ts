import type { Db, Filter } from 'mongodb';
import type { Page, PageArguments } from '../page.ts';
import type { RowDocument } from '../sinks/mongo-live.ts';
import { mongoPage } from '../sinks/mongo-page.ts';
import { type LogLevel, type LogRow, logLevels, logLines, logs } from './projection.ts';

export interface LogsArguments extends PageArguments {
  /** This level and worse, in lower case. */
  readonly level?: LogLevel | null;
  readonly service?: string | null;
  /** Text that the message or the event holds, whatever its case. */
  readonly search?: string | null;
  readonly orderId?: string | null;
  readonly traceId?: string | null;
}

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

function filterOf({ level, service, search, orderId, traceId }: LogsArguments): Filter<RowDocument> {
  const contains = search ? { $regex: literal(search), $options: 'i' } : null;
  return {
    ...(level ? { severity: { $gte: logLevels.indexOf(level) } } : {}),
    ...(service ? { service } : {}),
    ...(orderId ? { orderId } : {}),
    ...(traceId ? { traceId } : {}),
    ...(contains ? { $or: [{ message: contains }, { event: contains }] } : {}),
  };
}

/** Newest first. @throws InvalidCursorError */
export const logsPage = (db: Db, options: LogsArguments): Promise<Page<LogRow>> =>
  mongoPage(
    db,
    {
      list: 'logs',
      projection: logs.name,
      table: logLines,
      order: ['time', '_id'],
      direction: -1,
      keyOf: (line) => [line.time, line.lineId],
      filter: filterOf(options),
    },
    options,
  );
