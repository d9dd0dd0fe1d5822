// Generated from the .avsc files: change those, then `npm run types`.
import type { Meta } from './common.ts';

/** Somebody cancelled the rebuild; the live build is untouched. */
export interface RebuildCancelled {
  readonly type: 'RebuildCancelled';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  readonly projection: string;
  readonly build: number;
}

/** The new build was given up; the live one is untouched. */
export interface RebuildFailed {
  readonly type: 'RebuildFailed';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  readonly projection: string;
  readonly build: number;
  readonly reason: string;
}

/** Records folded of those to fold, and records per second. */
export interface RebuildProgressed {
  readonly type: 'RebuildProgressed';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  readonly projection: string;
  readonly build: number;
  readonly done: bigint;
  readonly total: bigint;
  readonly rate: number;
}

/** A new build of a projection is being filled. */
export interface RebuildStarted {
  readonly type: 'RebuildStarted';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  readonly projection: string;
  readonly build: number;
}

/** Readers see the new build. */
export interface RebuildSwitched {
  readonly type: 'RebuildSwitched';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  readonly projection: string;
  readonly build: number;
  readonly rows: bigint;
  readonly contentHash: string;
}

/** What stands on `projections.events`. */
export type ProjectionsEvent = RebuildStarted | RebuildProgressed | RebuildSwitched | RebuildFailed | RebuildCancelled;
