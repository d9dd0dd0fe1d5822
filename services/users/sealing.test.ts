import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newPersonalKey, seal, unseal } from './sealing.ts';

test('what was sealed is read back with the same key and user only', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.uuid(), fc.nat(), (email, displayName, userId, at) => {
      const key = newPersonalKey();
      const sealed = seal(key, userId, { email, displayName });
      expect(unseal(key, userId, sealed)).toEqual({ email, displayName });
      expect(() => unseal(newPersonalKey(), userId, sealed)).toThrow();
      expect(() => unseal(key, `${userId}0`, sealed)).toThrow();
      const bent = Uint8Array.from(sealed);
      const index = at % bent.length;
      bent[index] = (bent[index] ?? 0) ^ 1;
      expect(() => unseal(key, userId, bent)).toThrow();
    }),
    { numRuns: 50 },
  );
});
