import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BrokerRefusalError, ProduceRefusalError } from '../kafka/errors.ts';
import type { ProducedRecord } from '../kafka/port.ts';
import { soleBatchSize } from '../kafka/record-batch.ts';
import { ProductionLimits } from './production-limits.ts';

const now = Date.UTC(2026, 10, 30);
const key = Buffer.from('k');

beforeEach(() => vi.useFakeTimers({ now }));
afterEach(() => vi.useRealTimers());

interface Of {
  readonly bytes?: number;
  readonly timestamp?: number;
  readonly key?: Uint8Array | null;
}
const record = (of: Of): ProducedRecord => ({
  topic: 't',
  partition: 0,
  timestamp: of.timestamp ?? now,
  key: of.key === undefined ? key : of.key,
  value: Buffer.alloc(of.bytes ?? 1),
  headers: [],
});
const refusal = (errorCode: number, ...records: readonly Of[]) =>
  new ProduceRefusalError({ topic: 't', partition: 0 }, errorCode, null, records.map(record));
const told = (limits: ProductionLimits, of: Of, topic = 't'): string | undefined => {
  const { timestamp, key, value, headers } = record(of);
  return limits.refusalOf(topic, timestamp, key, value, headers)?.message;
};

describe('what a broker has refused, though nothing was known against it', () => {
  test('is known of records as large, and of larger ones, on that topic; batches are cut below', () => {
    const limits = new ProductionLimits();
    limits.learn(refusal(10, { bytes: 3_000 }), false);
    limits.learn(refusal(10, { bytes: 5_000 }), false); // sent before the first was known
    expect(told(limits, { bytes: 3_000 })).toMatch(/^t does not take a record of 30\d\d bytes: .*MESSAGE_TOO_LARGE/);
    expect(told(limits, { bytes: 2_999 })).toBeUndefined();
    expect(told(limits, { bytes: 9_000 }, 'other')).toBeUndefined();
    expect(limits.maxBytesOf('t')).toBe(soleBatchSize(key, Buffer.alloc(3_000), []) - 1);
  });

  test('is known of times as far ahead, or as old, also when the clock has gone on', () => {
    const limits = new ProductionLimits();
    limits.learn(refusal(32, { timestamp: now + 5_000 }, { timestamp: now - 90_000 }), false);
    vi.advanceTimersByTime(500);
    const isTaken = (timestamp: number) => [
      limits.takesTime('t', timestamp),
      told(limits, { timestamp }) === undefined,
    ];
    expect([now + 5_000, now + 4_999, now - 89_999, now - 90_000, now - 99_000].map(isTaken)).toEqual(
      [false, true, true, false, false].map((taken) => [taken, taken]),
    );
    expect(told(limits, { timestamp: now - 90_000 })).toMatch(
      /a record of 2026-11-29T23:58:30.000Z: .*INVALID_TIMESTAMP/,
    );
  });

  test('is known of records without a key, if it was one; of an invalid one with a key nothing is', () => {
    const limits = new ProductionLimits();
    limits.learn(refusal(87, {}), false);
    expect(told(limits, {})).toBeUndefined();
    limits.learn(refusal(87, { key: null }), false);
    expect([told(limits, {}), told(limits, { key: null })]).toEqual([
      undefined,
      expect.stringMatching(/a record without a key: .*INVALID_RECORD/),
    ]);
  });

  test('tells nothing where the broker has named no record', () => {
    const limits = new ProductionLimits();
    for (const errorCode of [10, 32, 87]) limits.learn(refusal(errorCode), true);
    expect(told(limits, { bytes: 9_000, timestamp: now + 99_000, key: null })).toBeUndefined();
  });

  test('is all that goes to a topic that refuses us, unless nobody would be asked', () => {
    const limits = new ProductionLimits();
    limits.learn(refusal(29), false);
    expect(told(limits, {})).toBeUndefined();
    limits.learn(refusal(29), true);
    expect(told(limits, {})).toMatch(/^t does not take it: .*TOPIC_AUTHORIZATION_FAILED/);
  });

  test('is tried again after a minute', () => {
    const limits = new ProductionLimits();
    limits.learn(refusal(10, { bytes: 3_000 }), false);
    vi.advanceTimersByTime(59_999);
    expect(told(limits, { bytes: 3_000 })).toBeDefined();
    vi.advanceTimersByTime(1);
    expect([told(limits, { bytes: 3_000 }), limits.maxBytesOf('t')]).toEqual([undefined, Number.POSITIVE_INFINITY]);
  });
});

test('settings that may not be read are named; those of other topics are known all the same', async () => {
  const limits = new ProductionLimits();
  const logged: string[] = [];
  const topicConfigs = async (topics: readonly string[]) => {
    if (topics.includes('secret')) throw new BrokerRefusalError('Settings of topic secret', 29);
    return new Map(topics.map((topic) => [topic, new Map([['max.message.bytes', '1000']])]));
  };
  await limits.load(['open', 'secret'], { topicConfigs }, (_level, event, message) =>
    logged.push(`${event}: ${message}`),
  );
  expect(['open', 'secret'].map((topic) => limits.maxBytesOf(topic))).toEqual([1_000, Number.POSITIVE_INFINITY]);
  expect(logged).toEqual([
    expect.stringMatching(/^limits-unknown: the settings of secret cannot be read, .*Allow DescribeConfigs: /),
  ]);
});
