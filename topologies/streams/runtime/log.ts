/** Takes what an operator of the system should know; `event` is stable, `message` is for people. */
export type Log = (
  level: 'info' | 'warn' | 'error',
  event: string,
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** The words of whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
