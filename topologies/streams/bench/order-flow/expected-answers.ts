import { isDeepStrictEqual } from 'node:util';
import { type OrderEvents, statusOf } from './orders.ts';
import { type BookSales, bookSalesSerde, type OrderStatus, orderStatusSerde } from './serdes.ts';

const text = new TextDecoder();
const ofKey = (key: Uint8Array | null): string => text.decode(key ?? undefined);
const ofValue = (value: Uint8Array | null): Uint8Array => value ?? new Uint8Array();

interface Written {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/**
 * What plain code makes of the input, against both outputs: one status record an order, with the right fields; the last record of each book with the
 * right sums; and counts that rise by one where every update is told, else that rise.
 */
export class ExpectedAnswers {
  readonly #open = new Map<string, OrderStatus>();
  readonly #sums = new Map<string, BookSales>();
  readonly #told = new Map<string, BookSales>();
  readonly #mistakes: string[] = [];
  readonly #tellsEveryUpdate: boolean;

  constructor(input: Iterable<OrderEvents>, tellsEveryUpdate: boolean) {
    this.#tellsEveryUpdate = tellsEveryUpdate;
    for (const events of input) {
      const status = statusOf(events);
      const { bookId } = status;
      this.#open.set(status.orderId, status);
      const { count, revenueMinor } = this.#sums.get(bookId) ?? { count: 0, revenueMinor: 0 };
      this.#sums.set(bookId, { bookId, count: count + 1, revenueMinor: revenueMinor + status.amountMinor });
    }
  }

  takeStatus({ key, value }: Written): void {
    const orderId = ofKey(key);
    const status = orderStatusSerde.deserialize('order-status', ofValue(value));
    const expected = this.#open.get(orderId);
    this.#open.delete(orderId);
    if (expected === undefined) this.#mistakes.push(`order ${orderId} has a second status, or was never placed`);
    else if (!isDeepStrictEqual(status, expected))
      this.#mistakes.push(`${JSON.stringify(status)} should be ${JSON.stringify(expected)}`);
  }

  takeSales({ key, value }: Written): void {
    const keyed = ofKey(key);
    const sales = bookSalesSerde.deserialize('book-sales', ofValue(value));
    const before = this.#told.get(keyed)?.count ?? 0;
    const rises = this.#tellsEveryUpdate ? sales.count === before + 1 : sales.count > before;
    if (!rises) this.#mistakes.push(`book ${keyed} had ${before} sales, and then ${sales.count}`);
    this.#told.set(keyed, sales);
  }

  /** What is wrong when all was taken. */
  mistakes(): readonly string[] {
    const mistakes = [...this.#mistakes];
    if (this.#open.size > 0)
      mistakes.push(`${this.#open.size} orders have no status, among them ${this.#open.keys().next().value}`);
    for (const bookId of new Set([...this.#sums.keys(), ...this.#told.keys()])) {
      const [told, sum] = [this.#told.get(bookId), this.#sums.get(bookId)];
      if (!isDeepStrictEqual(told, sum))
        mistakes.push(`book ${bookId} ends with ${JSON.stringify(told)}, not ${JSON.stringify(sum)}`);
    }
    return mistakes;
  }

  /** When all was taken. @throws with the first of the mistakes */
  check(): void {
    const mistakes = this.mistakes();
    if (mistakes.length === 0) return;
    const first = mistakes.slice(0, 5).join('\n');
    throw new Error(`the answer is wrong in ${mistakes.length} places, so its speed does not count:\n${first}`);
  }
}
