import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RecordsToSend } from '../kafka/port.ts';
import type { TaskOptions } from './task-options.ts';
import { TaskOutputs } from './task-outputs.ts';

const numbersOf = (records: RecordsToSend): readonly number[] => Array.from(records, ({ timestamp }) => timestamp);

/** Pushed records are numbered by their times. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('push' as const), partition: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('take back' as const), count: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('take or settle' as const) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('drop' as const) }) },
);

test('a transaction holds what it was given until it is settled, also one that was under way when its task was dropped', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const outputs = new TaskOutputs({ applicationId: 'app' } as TaskOptions, '0_0', null); // it asks for no more
      const abandoned: (readonly [records: RecordsToSend, wanted: readonly number[]])[] = [];
      let waiting: number[] = [];
      let underWay: readonly [records: RecordsToSend, wanted: readonly number[]] | null = null;
      let number = 0;
      for (const one of steps) {
        if (one.does === 'push') {
          outputs.push('node', 'out', one.partition, number, null, Uint8Array.of(number), [], null);
          waiting.push(number);
          number += 1;
        } else if (one.does === 'take back') {
          waiting = waiting.slice(0, Math.max(0, waiting.length - one.count));
          outputs.takeBack(waiting.length);
        } else if (one.does === 'drop') {
          if (underWay !== null) abandoned.push(underWay);
          outputs.drop();
          underWay = null;
          waiting = [];
        } else if (underWay === null) {
          underWay = [outputs.take(), waiting];
          waiting = [];
        } else {
          outputs.sent();
          underWay = null;
        }
        expect(outputs.length).toBe(waiting.length);
        for (const [records, wanted] of underWay === null ? abandoned : [...abandoned, underWay])
          expect(numbersOf(records)).toEqual(wanted);
      }
      expect(numbersOf(outputs.take())).toEqual(waiting);
    }),
  );
});
