import { MissingSerdeError } from '../errors.ts';
import type { Serde } from '../serde.ts';

/** @throws MissingSerdeError – nothing above has said how these bytes are written */
export function needSerde<T>(serde: Serde<T> | null | undefined, what: string, who: string, where = 'in its options') {
  if (serde !== null && serde !== undefined) return serde;
  throw new MissingSerdeError(
    `${who} needs ${/^[aeiou]/.test(what) ? 'an' : 'a'} ${what}, and none is known there; nothing was built. Give one ${where}.`,
  );
}
