/** What is known of a live connection. Times are epoch milliseconds of this machine. */
export interface ConnectionFacts {
  readonly phase: 'idle' | 'connecting' | 'open' | 'waiting';
  /** When the phase began. */
  readonly sinceMs: number;
  /** When the next try begins, while waiting. */
  readonly nextTryMs: number | null;
  /** When the server was last heard, by whatever message. */
  readonly heardMs: number | null;
  /** When a ping without an answer so far was sent. */
  readonly pingSentMs: number | null;
  /** Does the machine have a network at all? */
  readonly online: boolean;
}

/** What is known of one feed over it. */
export interface FeedFacts {
  readonly status: 'running' | 'waiting' | 'failed' | 'ended';
  /** How long the last item took from its happening to this page, and when it came; null before one. */
  readonly lag: { readonly ms: number; readonly receivedMs: number } | null;
}

export interface Liveness {
  readonly kind: 'connecting' | 'live' | 'late' | 'reconnecting' | 'offline' | 'stopped' | 'ended';
  /** One or two words for the badge. */
  readonly word: string;
  /** The same in a sentence. */
  readonly sentence: string;
}

/** An item this old on arrival is late. */
const lateAfterMs = 5_000;
/** So long is the last item's lateness held against the feed; quiet then means that there is nothing to tell. */
const lateMemoryMs = 20_000;
/** A ping without an answer for so long says that the line may be dead. */
const silentAfterMs = 2_500;
const offlineAfterMs = 10_000;

const seconds = (ms: number): string => `${Math.max(1, Math.round(ms / 1000))} s`;

/** Says honestly how current a live page is: "live" only while the server answers and what arrives is fresh. */
export function liveness(connection: ConnectionFacts, feed: FeedFacts, nowMs: number): Liveness {
  if (feed.status === 'ended') return { kind: 'ended', word: 'Complete', sentence: 'Nothing more will happen here.' };
  if (feed.status === 'failed')
    return {
      kind: 'stopped',
      word: 'Stopped',
      sentence: 'The server ended this feed. What you see is no longer updated.',
    };
  const lastHeard = connection.heardMs === null ? '' : ` Last heard ${seconds(nowMs - connection.heardMs)} ago.`;
  if (!connection.online)
    return {
      kind: 'offline',
      word: 'Offline',
      sentence: `This device has no network. What you see is not updated.${lastHeard}`,
    };
  if (connection.phase === 'waiting' || (connection.phase === 'connecting' && connection.heardMs !== null)) {
    const wait = connection.nextTryMs === null ? '' : ` Next try in ${seconds(connection.nextTryMs - nowMs)}.`;
    return nowMs - (connection.heardMs ?? connection.sinceMs) >= offlineAfterMs
      ? {
          kind: 'offline',
          word: 'Offline',
          sentence: `The shop cannot be reached. What you see is not updated.${lastHeard}${wait}`,
        }
      : {
          kind: 'reconnecting',
          word: 'Reconnecting',
          sentence: `The connection was lost and is being restored.${wait}`,
        };
  }
  if (connection.phase !== 'open')
    return { kind: 'connecting', word: 'Connecting', sentence: 'The live connection is being opened.' };
  if (feed.status === 'waiting')
    return {
      kind: 'reconnecting',
      word: 'Reconnecting',
      sentence: 'The server ended the feed; it is asked again, behind the last item.',
    };
  if (connection.pingSentMs !== null && nowMs - connection.pingSentMs > silentAfterMs)
    return {
      kind: 'late',
      word: 'Late',
      sentence: `The shop has been silent for ${seconds(nowMs - connection.pingSentMs)}.`,
    };
  if (feed.lag !== null && feed.lag.ms > lateAfterMs && nowMs - feed.lag.receivedMs < lateMemoryMs)
    return { kind: 'late', word: 'Late', sentence: `What happens arrives here ${seconds(feed.lag.ms)} later.` };
  return { kind: 'live', word: 'Live', sentence: 'What happens appears here at once.' };
}

/**
 * How late an item came. Only what happened while the connection stood says something: older items are history that was asked for.
 * @param atMs when it happened, @param receivedMs when it came, @param connectedMs since when the connection stands; all by the server's clock
 */
export const lagOf = (atMs: number, receivedMs: number, connectedMs: number): number | null =>
  atMs < connectedMs ? null : Math.max(0, receivedMs - atMs);
