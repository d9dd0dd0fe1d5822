// Generated from the .avsc files: change those, then `npm run types`.
import type { Meta } from './common.ts';

/** The command was decided and these events were written. */
export interface CommandAccepted {
  readonly type: 'CommandAccepted';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  readonly commandId: string;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  readonly eventIds: readonly string[];
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly replayed: boolean;
}

/** One thing that is wrong with a command. */
export interface CommandError {
  readonly code: string;
  readonly message: string;
  readonly field: readonly string[];
  readonly details: Readonly<Record<string, string>>;
}

/** The command was refused and nothing was written. */
export interface CommandRejected {
  readonly type: 'CommandRejected';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  readonly commandId: string;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  readonly errors: readonly CommandError[];
  readonly replayed: boolean;
}

/** What stands on `command.outcomes`. */
export type CommandOutcome = CommandAccepted | CommandRejected;
