import type { LogRecorded } from '@bookstream/schemas/types/logs';
import { describe, expect, test } from 'vitest';
import { createLogger, type LogLevel } from './logger.ts';

function recording(level: LogLevel = 'info') {
  const lines: Record<string, unknown>[] = [];
  const records: LogRecorded[] = [];
  const logger = createLogger({
    service: 'stock',
    instance: 'stock-1',
    level,
    write: (line) => void lines.push(JSON.parse(line)),
    sink: (record) => void records.push(record),
  });
  return { logger, lines, records };
}

describe('a line', () => {
  test('is one JSON object on standard output and the same as a record for the topic', () => {
    const { logger, lines, records } = recording();
    logger.info('reserved', 'two copies are held', { orderId: 'o-1', traceId: 't-1', copies: 2, price: 940n });
    expect(lines[0]).toMatchObject({ level: 'info', service: 'stock', event: 'reserved', orderId: 'o-1', copies: '2' });
    expect(records).toEqual([
      {
        type: 'LogRecorded',
        time: expect.any(Number),
        level: 'info',
        service: 'stock',
        instance: 'stock-1',
        traceId: 't-1',
        orderId: 'o-1',
        event: 'reserved',
        message: 'two copies are held',
        fields: { copies: '2', price: '940' },
      },
    ]);
  });

  test('below the level is written nowhere', () => {
    const { logger, lines, records } = recording('warn');
    logger.info('idle', 'nothing to do');
    expect([lines, records]).toEqual([[], []]);
  });

  test('carries what the logger was bound to', () => {
    const { logger, records } = recording();
    logger.with({ orderId: 'o-2' }).warn('late', 'the answer came late');
    expect(records[0]).toMatchObject({ level: 'warn', orderId: 'o-2' });
  });

  test.each(['password', 'accessToken', 'refresh_token', 'Authorization', 'email', 'set-cookie'])(
    'hides %s',
    (name) => {
      const { logger, lines, records } = recording();
      logger.info('login', 'somebody came', { [name]: 'S3CRET' });
      expect(JSON.stringify([lines, records])).not.toContain('S3CRET');
    },
  );

  test('tells an error with its causes', () => {
    const { logger, records } = recording();
    logger.error('failed', 'it failed', { error: new Error('outer', { cause: new Error('inner') }) });
    expect(records[0]?.fields.error).toMatch(/outer[\s\S]*caused by Error: inner/);
  });

  test('text of others cannot forge another line', () => {
    const { logger, lines } = recording();
    logger.info('note', 'hello\n{"level":"error"}');
    expect(lines).toHaveLength(1);
  });
});
