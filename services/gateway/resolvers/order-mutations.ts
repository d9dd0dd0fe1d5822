import type { OrderRow } from '@bookstream/projections/orders/projection';
import { orderById } from '@bookstream/projections/orders/queries';
import { lineIdOf, orderIdOf } from '@bookstream/schemas/ids';
import { topics } from '@bookstream/schemas/topics';
import type { Policy } from '@bookstream/schemas/types/orders';
import { callerOf } from '../access.ts';
import { type Intent, untilSeen } from '../commands.ts';
import type { GatewayContext } from '../context.ts';
import {
  allowed,
  isId,
  type LineInput,
  mergedLines,
  wrongAmount,
  wrongKey,
  wrongNumber,
  wrongQuantity,
} from './inputs.ts';
import { errorsOf, fromRejection, type UserError, unknownBook, userError } from './user-errors.ts';

interface OrderPlaceInput {
  readonly idempotencyKey: string;
  readonly lines: readonly LineInput[];
  readonly policy: Policy;
  readonly await: 'ACCEPTED' | 'OUTCOME';
}

const outcomeWithinMs = 10_000;

/** All that is wrong with an order, judged by the read model; empty when it may be sent. */
async function wrongWith(input: OrderPlaceInput, context: GatewayContext): Promise<readonly UserError[]> {
  const errors = [
    ...wrongKey(input.idempotencyKey),
    ...wrongNumber(input.lines.length, allowed.lines, ['input', 'lines']),
  ];
  if (input.policy !== 'ALL_OR_NOTHING') {
    const message = `${input.policy} cannot be ordered yet; nothing was ordered.`;
    errors.push(userError('NotSupportedYet', 'NOT_SUPPORTED_YET', message, ['input', 'policy']));
  }
  if (errors.length > 0) return errors;
  const lines = await Promise.all(input.lines.map((line, index) => wrongWithLine(line, index, context)));
  errors.push(...lines.flat());
  if (errors.length > 0) return errors;
  return mergedLines(input.lines).flatMap(({ bookId, quantity }) => {
    const last = input.lines.findLastIndex((line) => line.bookId === bookId);
    return wrongQuantity(quantity, allowed.copies, ['input', 'lines', String(last), 'quantity']);
  });
}

async function wrongWithLine(line: LineInput, index: number, { loaders }: GatewayContext): Promise<UserError[]> {
  const at = (field: string) => ['input', 'lines', String(index), field];
  const errors = [
    ...wrongQuantity(line.quantity, allowed.copies, at('quantity')),
    ...wrongAmount(line.expectedUnitPrice, allowed.expectedPrice, at('expectedUnitPrice')),
  ];
  const book = isId(line.bookId) ? await loaders.book.load(line.bookId) : null;
  if (book === null) errors.push(unknownBook(line.bookId, at('bookId'), 'nothing was ordered'));
  else if (book.withdrawn) {
    const message = `"${book.title}" is not sold any more; nothing was ordered.`;
    errors.push(userError('BookWithdrawn', 'BOOK_WITHDRAWN', message, at('bookId'), { book }));
  }
  return errors;
}

const isUnderWay = (order: OrderRow): boolean => order.status === 'PLACED' || order.status === 'RESERVING';

type OrdersCommand = Parameters<typeof topics.ordersCommands.valueSerde.serialize>[1];

function intentOf({ idempotencyKey, lines, policy }: OrderPlaceInput, userId: string, traceId: string) {
  const command: Intent<OrdersCommand>['command'] = (base) => {
    const orderId = orderIdOf(base.meta.commandId);
    return {
      type: 'PlaceOrder',
      ...base,
      orderId,
      userId,
      lines: mergedLines(lines).map(({ bookId, quantity, expectedUnitPrice: { minor, currency } }, index) => ({
        lineId: lineIdOf(orderId, index),
        bookId,
        quantity,
        expectedUnitPrice: { amountMinor: minor, currency },
      })),
      policy,
      traceId,
    };
  };
  const input = { lines, policy };
  return { topic: topics.ordersCommands, mutation: 'orderPlace', idempotencyKey, input, key: orderIdOf, command };
}

/** Answers when the order stands in the read model or, with `await: OUTCOME`, when it is decided; later than that with `pending`. */
async function orderPlace(_root: unknown, { input }: { input: OrderPlaceInput }, context: GatewayContext) {
  const { userId } = callerOf(context);
  const wrong = await wrongWith(input, context);
  if (wrong.length > 0) return { order: null, pending: false, replayed: false, userErrors: wrong };
  const { commands, hub, postgres } = context.services;
  const { commandId, outcome } = await commands.send(intentOf(input, userId, context.trace.traceId), context, userId);
  const orderId = orderIdOf(commandId);
  const read = () => orderById(postgres, orderId);
  if (outcome === null) return { order: await read(), pending: true, replayed: false, userErrors: [] };
  if (outcome.type === 'CommandRejected') {
    const userErrors = errorsOf(outcome, ['IdempotencyKeyReused', 'NotSupportedYet', 'InvalidInput']);
    return { order: null, pending: false, replayed: outcome.replayed, userErrors };
  }
  const wanted = (order: OrderRow | null): boolean =>
    order !== null && order.version >= outcome.version && (input.await === 'ACCEPTED' || !isUnderWay(order));
  const withinMs = input.await === 'OUTCOME' ? outcomeWithinMs : undefined;
  const { row: order, seen } = await untilSeen(read, wanted, withinMs, (ring) =>
    hub.listen(topics.ordersView, orderId, ring),
  );
  context.logger.info('order-placed', `order ${orderId} is ${order?.status ?? 'not seen yet'}`, {
    orderId,
    status: order?.status,
  });
  const bookOf = (bookId: string) => context.loaders.book.load(bookId);
  const userErrors = order?.rejection ? [fromRejection(order.rejection, bookOf)] : [];
  return { order, pending: !seen, replayed: outcome.replayed, userErrors };
}

export const orderMutations = { orderPlace };
