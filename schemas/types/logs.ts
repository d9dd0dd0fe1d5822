// Generated from the .avsc files: change those, then `npm run types`.

/** A line of the log. */
export interface LogRecorded {
  readonly type: 'LogRecorded';
  /** Epoch ms. */
  readonly time: number;
  readonly level: string;
  readonly service: string;
  readonly instance: string;
  readonly traceId: string | null;
  readonly orderId: string | null;
  readonly event: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** What stands on `logs`. */
export type LogEvent = LogRecorded;
