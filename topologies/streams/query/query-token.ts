import { createHash, timingSafeEqual } from 'node:crypto';
import { InvalidArgumentError } from '../errors.ts';

const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** What the instances of an application show each other, `Authorization: Bearer` (RFC 6750), so that nobody else is answered. */
export class QueryToken {
  /** Of what this instance asks with. */
  readonly authorization: string;
  readonly #accepted: readonly Buffer[];

  /**
   * @param tokens one, or several that are all accepted, of which the first is sent
   * @throws InvalidArgumentError – there is none, or one that no header can carry
   */
  constructor(tokens: string | readonly string[]) {
    const all = typeof tokens === 'string' ? [tokens] : tokens;
    const [first] = all;
    if (first === undefined || !all.every((token) => /^[\x21-\x7e]+$/.test(token)))
      throw new InvalidArgumentError(
        'queryToken has none, or one that is empty or has other letters than those of ASCII without blanks; nothing was started. ' +
          'Leave it out where everybody is to be answered.',
      );
    this.authorization = `Bearer ${first}`;
    this.#accepted = all.map((token) => hashOf(`Bearer ${token}`));
  }

  /** Takes as long for one that is nearly right; hashes have one length. */
  admits(authorization: string | undefined): boolean {
    const shown = hashOf(authorization ?? '');
    return this.#accepted.reduce((admitted, one) => timingSafeEqual(one, shown) || admitted, false);
  }
}

/** Null: everybody is answered. @throws InvalidArgumentError */
export const queryTokenOf = (tokens: string | readonly string[] | undefined): QueryToken | null =>
  tokens === undefined ? null : new QueryToken(tokens);
