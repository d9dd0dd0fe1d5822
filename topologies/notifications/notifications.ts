import { orderNumberOf } from '@bookstream/schemas/ids';
import { format } from '@bookstream/schemas/money';
import type { OrdersEvent } from '@bookstream/schemas/types/orders';

export interface Notice {
  readonly kind: string;
  readonly title: string;
  readonly body: string;
}

type Rejected = Extract<OrdersEvent, { type: 'OrderRejected' }>;

const copies = (count: number): string => (count === 1 ? '1 copy' : `${count} copies`);

/** Why, in words that tell what to do. Nothing was paid in any of these cases. */
function reasonOf(event: Rejected): string {
  switch (event.reason) {
    case 'OUT_OF_STOCK':
      return `You asked for ${copies(event.requested ?? 0)}, and there ${event.available === 1 ? 'is' : 'are'} ${event.available ?? 0} left. Nothing was paid; order fewer, or come back later.`;
    case 'FUNDS':
      return `Your wallet is ${event.missing ? format(event.missing) : 'some money'} short. Nothing was paid; top it up and order again.`;
    case 'PRICE_CHANGED':
      return `A book costs ${event.now ? format(event.now) : 'more'} now, not ${event.was ? format(event.was) : 'what you saw'}. Nothing was paid; look at the new price and order again.`;
    case 'UNKNOWN_BOOK':
      return 'A book of this order is not in the shop. Nothing was paid.';
    case 'BOOK_WITHDRAWN':
      return 'A book of this order is not sold any more. Nothing was paid.';
    case 'TIMED_OUT':
      return 'The order took too long and was given up. Nothing was paid; please order again.';
  }
}

/** What a person is told of an event of one of their orders; null where there is nothing to tell. */
export function noticeOf(event: OrdersEvent): Notice | null {
  const number = orderNumberOf(event.orderId);
  switch (event.type) {
    case 'OrderConfirmed':
      return {
        kind: 'ORDER_CONFIRMED',
        title: `Order ${number} is confirmed`,
        body: `${format(event.total)} was paid from your wallet.`,
      };
    case 'OrderRejected':
      return { kind: 'ORDER_REJECTED', title: `Order ${number} was rejected`, body: reasonOf(event) };
    default:
      return null;
  }
}
