import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { EntryIndex, none } from './entry-index.ts';

test('names have slots of their own until they are released, as a map would have them', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 4_000 }), fc.boolean())), fc.nat(5), (steps, stride) => {
      const index = new EntryIndex();
      const map = new Map<string, number>();
      for (const [number, releases] of steps.flatMap(([first, second]) =>
        // Many at once, so that it grows, and few that come again.
        Array.from({ length: 1 + stride * 80 }, (_, at) => [(first + at * 7) % 4_001, second] as const),
      )) {
        const name = `name-${number}`;
        const slot = index.slotOf(name);
        expect(slot === none).toBe(!map.has(name));
        if (slot === none) {
          const made = index.make(name);
          index.newest[made * 2] = number;
          map.set(name, number);
        } else if (releases) {
          index.release(slot);
          map.delete(name);
        }
      }
      for (const [name, number] of map) {
        const slot = index.slotOf(name);
        expect([index.nameOf(slot), index.newest[slot * 2], index.newest[slot * 2 + 1]]).toEqual([name, number, none]);
      }
    }),
    { numRuns: 30 },
  );
});

test('the empty name is found again, also when it was the first of all', async () => {
  vi.resetModules(); // what was hashed last is remembered by the module
  const fresh = await import('./entry-index.ts');
  const index = new fresh.EntryIndex();
  const slot = index.make('');
  index.make('another');
  expect(index.slotOf('')).toBe(slot);
});
