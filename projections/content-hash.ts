import { createHash } from 'node:crypto';
import { canonical } from './row.ts';

const modulus = 1n << 128n;

/**
 * A hash of a set of rows that does not ask for their order, so that partitions can be added up: the sum of the rows' SHA-256, cut to
 * 128 bits. Rows have keys, so no row stands in it twice; against an adversary it would not hold.
 */
export class ContentHash {
  #sum = 0n;
  rows = 0;

  add(row: object): void {
    this.#sum += BigInt(`0x${createHash('sha256').update(canonical(row)).digest('hex').slice(0, 32)}`);
    this.rows += 1;
    if ((this.rows & 0xff) === 0) this.#sum %= modulus;
  }

  static of(rows: number, hex: string): ContentHash {
    const hash = new ContentHash();
    hash.#sum = BigInt(`0x${hex}`);
    hash.rows = rows;
    return hash;
  }

  merge(other: ContentHash): void {
    this.#sum = (this.#sum + other.#sum) % modulus;
    this.rows += other.rows;
  }

  get hex(): string {
    return (this.#sum % modulus).toString(16).padStart(32, '0');
  }
}
