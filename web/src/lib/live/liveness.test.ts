import { expect, test } from 'vitest';
import { type ConnectionFacts, type FeedFacts, lagOf, liveness } from '#lib/live/liveness.ts';

const now = 1_000_000;
const open: ConnectionFacts = {
  phase: 'open',
  sinceMs: now - 60_000,
  nextTryMs: null,
  heardMs: now - 3_000,
  pingSentMs: null,
  online: true,
};
const running: FeedFacts = { status: 'running', lag: null };
const kind = (connection: Partial<ConnectionFacts>, feed: Partial<FeedFacts> = {}) =>
  liveness({ ...open, ...connection }, { ...running, ...feed }, now).kind;

test('an open connection that answers is live', () => {
  expect(kind({})).toBe('live');
  expect(kind({ pingSentMs: now - 400 })).toBe('live');
});

test('a ping without an answer is late before the connection is given up', () => {
  expect(kind({ pingSentMs: now - 3_000 })).toBe('late');
});

test('items that come late make the feed late, until quiet has lasted', () => {
  expect(kind({}, { lag: { ms: 9_000, receivedMs: now - 1_000 } })).toBe('late');
  expect(kind({}, { lag: { ms: 300, receivedMs: now - 1_000 } })).toBe('live');
  expect(kind({}, { lag: { ms: 9_000, receivedMs: now - 30_000 } })).toBe('live');
});

test('a lost connection is reconnecting, then offline, and says when the next try is', () => {
  const lost = { phase: 'waiting', heardMs: now - 3_000, nextTryMs: now + 4_000 } as const;
  expect(kind(lost)).toBe('reconnecting');
  expect(kind({ ...lost, heardMs: now - 20_000 })).toBe('offline');
  expect(liveness({ ...open, ...lost }, running, now).sentence).toContain('Next try in 4 s');
});

test('no network is offline at once, whatever the socket believes', () => {
  expect(kind({ online: false })).toBe('offline');
});

test('a first connection is connecting, not an outage; an outage that lasts is one', () => {
  expect(kind({ phase: 'connecting', heardMs: null, sinceMs: now - 500 })).toBe('connecting');
  expect(kind({ phase: 'waiting', heardMs: null, sinceMs: now - 15_000 })).toBe('offline');
});

test('a feed that was refused never looks live, and one that is over says so', () => {
  expect(kind({}, { status: 'failed' })).toBe('stopped');
  expect(kind({}, { status: 'waiting' })).toBe('reconnecting');
  expect(kind({ phase: 'waiting' }, { status: 'ended' })).toBe('ended');
});

test('history that is read after a reconnect is not lateness', () => {
  expect(lagOf(1_000, 90_000, 80_000)).toBeNull();
  expect(lagOf(81_000, 90_000, 80_000)).toBe(9_000);
  expect(lagOf(90_500, 90_000, 80_000)).toBe(0);
});
