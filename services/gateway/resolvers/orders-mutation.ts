import type { OrderRow } from '@bookstream/projections/orders/projection';
import { orderById } from '@bookstream/projections/orders/queries';
import { lineIdOf, orderIdOf } from '@bookstream/schemas/ids';
import { shopCurrency } from '@bookstream/schemas/money';
import { topics } from '@bookstream/schemas/topics';
import type { Policy } from '@bookstream/schemas/types/orders';
import { callerOf } from '../access.ts';
import { untilSeen } from '../commands.ts';
import type { GatewayContext } from '../context.ts';
import { isId } from './query.ts';
import {
  fromCommand,
  fromRejection,
  invalidAmount,
  invalidQuantity,
  type UserError,
  userError,
} from './user-errors.ts';

interface LineInput {
  readonly bookId: string;
  readonly quantity: number;
  readonly expectedUnitPrice: { readonly minor: bigint; readonly currency: string };
}

interface OrderPlaceInput {
  readonly idempotencyKey: string;
  readonly lines: readonly LineInput[];
  readonly policy: Policy;
  readonly await: 'ACCEPTED' | 'OUTCOME';
}

const mostCopies = 99;
const mostLines = 50;
const mostMinor = 100_000_000n;
const outcomeWithinMs = 10_000;
const known = ['IdempotencyKeyReused', 'NotSupportedYet', 'InvalidInput'];

const wrongKey = (key: string): UserError[] =>
  key.length >= 1 && key.length <= 200
    ? []
    : [
        userError('InvalidInput', 'INVALID_INPUT', 'An idempotency key has 1 to 200 characters; nothing was done.', [
          'idempotencyKey',
        ]),
      ];

export { wrongKey };

/** All that is wrong with an order, judged by the read model; empty when it may be sent. */
async function wrongWith(input: OrderPlaceInput, { loaders }: GatewayContext): Promise<readonly UserError[]> {
  const errors: UserError[] = wrongKey(input.idempotencyKey);
  if (input.policy !== 'ALL_OR_NOTHING') {
    errors.push(
      userError('NotSupportedYet', 'NOT_SUPPORTED_YET', `${input.policy} cannot be ordered yet; nothing was ordered.`, [
        'policy',
      ]),
    );
  }
  if (input.lines.length < 1 || input.lines.length > mostLines) {
    errors.push(
      userError('InvalidInput', 'INVALID_INPUT', `An order has 1 to ${mostLines} lines; nothing was ordered.`, [
        'lines',
      ]),
    );
    return errors;
  }
  const seen = new Set<string>();
  for (const [index, line] of input.lines.entries()) {
    const at = ['lines', String(index)];
    if (line.quantity < 1 || line.quantity > mostCopies)
      errors.push(invalidQuantity([...at, 'quantity'], 1, mostCopies));
    const { minor, currency } = line.expectedUnitPrice;
    if (minor < 0n || minor > mostMinor || currency !== shopCurrency) {
      errors.push(
        invalidAmount(
          [...at, 'expectedUnitPrice'],
          { amountMinor: 0n, currency: shopCurrency },
          { amountMinor: mostMinor, currency: shopCurrency },
        ),
      );
    }
    if (seen.has(line.bookId))
      errors.push(
        userError('InvalidInput', 'INVALID_INPUT', 'A book stands on two lines; put its copies on one.', [
          ...at,
          'bookId',
        ]),
      );
    seen.add(line.bookId);
    const book = isId(line.bookId) ? await loaders.book.load(line.bookId) : null;
    if (book === null) {
      errors.push(
        userError(
          'UnknownBook',
          'UNKNOWN_BOOK',
          'The shop does not have this book; nothing was ordered.',
          [...at, 'bookId'],
          { bookId: line.bookId },
        ),
      );
    } else if (book.withdrawn) {
      errors.push(
        userError(
          'BookWithdrawn',
          'BOOK_WITHDRAWN',
          `"${book.title}" is not sold any more; nothing was ordered.`,
          [...at, 'bookId'],
          { book },
        ),
      );
    }
  }
  return errors;
}

const isUnderWay = (order: OrderRow): boolean => order.status === 'PLACED' || order.status === 'RESERVING';

export async function orderPlace(_root: unknown, { input }: { input: OrderPlaceInput }, context: GatewayContext) {
  const { userId } = callerOf(context);
  const errors = await wrongWith(input, context);
  if (errors.length > 0) return { order: null, pending: false, replayed: false, userErrors: errors };
  const { lines, policy } = input;
  const { commandId, outcome } = await context.services.commands.send(
    {
      topic: topics.ordersCommands,
      mutation: 'orderPlace',
      idempotencyKey: input.idempotencyKey,
      input: { lines, policy },
      key: orderIdOf,
      command: (base) => {
        const orderId = orderIdOf(base.meta.commandId);
        return {
          type: 'PlaceOrder' as const,
          ...base,
          orderId,
          userId,
          lines: lines.map(({ bookId, quantity, expectedUnitPrice }, index) => ({
            lineId: lineIdOf(orderId, index),
            bookId,
            quantity,
            expectedUnitPrice: { amountMinor: expectedUnitPrice.minor, currency: expectedUnitPrice.currency },
          })),
          policy,
          traceId: context.trace.traceId,
        };
      },
    },
    context,
    userId,
  );
  const orderId = orderIdOf(commandId);
  const { postgres } = context.services;
  if (outcome === null)
    return { order: await orderById(postgres, orderId), pending: true, replayed: false, userErrors: [] };
  if (outcome.type === 'CommandRejected') {
    const userErrors = outcome.errors.map((error) => fromCommand(error, known));
    return { order: null, pending: false, replayed: outcome.replayed, userErrors };
  }
  const read = () => orderById(postgres, orderId);
  const wanted = (order: OrderRow | null): boolean =>
    order !== null && order.version >= outcome.version && (input.await === 'ACCEPTED' || !isUnderWay(order));
  const { row: order, seen } = await untilSeen(read, wanted, input.await === 'OUTCOME' ? outcomeWithinMs : undefined);
  context.logger.info('order-placed', `order ${orderId} is ${order?.status ?? 'not seen yet'}`, {
    orderId,
    status: order?.status,
  });
  const userErrors = order?.rejection
    ? [fromRejection(order.rejection, (bookId) => context.loaders.book.load(bookId))]
    : [];
  return { order, pending: !seen, replayed: outcome.replayed, userErrors };
}
