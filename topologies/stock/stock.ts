import type { CommandError } from '@bookstream/schemas/types/outcomes';
import type { ReservationsEvent } from '@bookstream/schemas/types/reservations';
import type { StockCommand, StockEvent, StockLevel } from '@bookstream/schemas/types/stock';
import { refusal } from '../shared/inbox.ts';

export interface Book {
  readonly level: StockLevel;
  readonly version: number;
}

/** One attempt of one line of one order: the inbox of stock. A step that is done is never done again, only answered again. */
export type Attempt =
  | { readonly state: 'RESERVED' | 'RELEASED' | 'COMMITTED' | 'SHIPPED' | 'RETURNED'; readonly quantity: number }
  | { readonly state: 'REJECTED'; readonly quantity: number; readonly available: number; readonly contended: boolean };

type Bare<E, K extends string> = E extends unknown ? Omit<E, K> : never;
export type StockFact = Bare<StockEvent, 'meta' | 'bookId' | 'version'>;
export type LineFact = Bare<ReservationsEvent, 'meta' | 'bookId' | 'orderId' | 'lineId' | 'attempt'>;

export const emptyBook: Book = { level: { onHand: 0, reserved: 0, committed: 0, safety: 0 }, version: 0 };

export const availableOf = ({ onHand, reserved, committed, safety }: StockLevel): number =>
  onHand - reserved - committed - safety;

export type LineCommand = Extract<StockCommand, { lineId: string }>;

export interface LineDecision {
  /** Null: nothing moves. */
  readonly event: StockFact | null;
  readonly attempt: Attempt;
  readonly answer: LineFact;
}

const moved = (level: StockLevel, change: Partial<StockLevel>): StockLevel => ({ ...level, ...change });

/** What a step that was done before answers, every time. */
export function answerOf(attempt: Attempt): LineFact {
  const { quantity } = attempt;
  switch (attempt.state) {
    case 'RESERVED':
      return { type: 'LineReserved', quantity };
    case 'REJECTED':
      return { type: 'LineRejected', quantity, available: attempt.available, contended: attempt.contended };
    case 'RELEASED':
      return { type: 'LineReleased', quantity };
    case 'COMMITTED':
      return { type: 'LineCommitted', quantity };
    case 'SHIPPED':
      return { type: 'LineShipped', quantity };
    case 'RETURNED':
      return { type: 'LineReturned', quantity };
  }
}

const repeat = (attempt: Attempt): LineDecision => ({ event: null, attempt, answer: answerOf(attempt) });

function move(
  command: LineCommand,
  type: 'StockReserved' | 'StockReleased' | 'StockCommitted' | 'StockShipped',
  level: StockLevel,
  state: 'RESERVED' | 'RELEASED' | 'COMMITTED' | 'SHIPPED',
  quantity: number,
): LineDecision {
  const { orderId, lineId, attempt: number } = command;
  const attempt: Attempt = { state, quantity };
  return { event: { type, level, orderId, lineId, attempt: number, quantity }, attempt, answer: answerOf(attempt) };
}

/**
 * Answers one step of a line.
 * @throws Error – a step without the one before it: order-process would have to be wrong, so no copy moves and the record fails
 */
export function decideLine(command: LineCommand, { level }: Book, attempt: Attempt | null): LineDecision {
  switch (command.type) {
    case 'ReserveStock': {
      if (attempt !== null) return repeat(attempt);
      const { quantity } = command;
      const available = availableOf(level);
      if (available >= quantity) {
        return move(
          command,
          'StockReserved',
          moved(level, { reserved: level.reserved + quantity }),
          'RESERVED',
          quantity,
        );
      }
      // Copies that others hold and have not bought yet may come back.
      const contended = available + level.reserved >= quantity;
      return repeat({ state: 'REJECTED', quantity, available: Math.max(0, available), contended });
    }
    case 'ReleaseStock': {
      // Released before it was reserved: the late reservation will be answered with this release.
      if (attempt === null) return repeat({ state: 'RELEASED', quantity: 0 });
      if (attempt.state !== 'RESERVED') return repeat(attempt);
      const { quantity } = attempt;
      return move(
        command,
        'StockReleased',
        moved(level, { reserved: level.reserved - quantity }),
        'RELEASED',
        quantity,
      );
    }
    case 'CommitStock': {
      if (attempt?.state === 'RESERVED') {
        const { quantity } = attempt;
        const change = { reserved: level.reserved - quantity, committed: level.committed + quantity };
        return move(command, 'StockCommitted', moved(level, change), 'COMMITTED', quantity);
      }
      if (attempt?.state === 'COMMITTED' || attempt?.state === 'SHIPPED') return repeat(attempt);
      throw new Error(
        `line ${command.lineId} is ${attempt?.state ?? 'unknown'} and cannot be committed; no copy moved`,
      );
    }
    case 'ShipStock': {
      if (attempt?.state === 'COMMITTED') {
        const { quantity } = attempt;
        const change = { onHand: level.onHand - quantity, committed: level.committed - quantity };
        return move(command, 'StockShipped', moved(level, change), 'SHIPPED', quantity);
      }
      if (attempt?.state === 'SHIPPED') return repeat(attempt);
      throw new Error(`line ${command.lineId} is ${attempt?.state ?? 'unknown'} and cannot be shipped; no copy moved`);
    }
    case 'ReturnStock':
      return decideReturn(command, level, attempt);
  }
}

function decideReturn(
  command: Extract<LineCommand, { type: 'ReturnStock' }>,
  level: StockLevel,
  attempt: Attempt | null,
): LineDecision {
  if (attempt?.state === 'RETURNED') return repeat(attempt);
  if (attempt?.state !== command.from) {
    throw new Error(
      `line ${command.lineId} is ${attempt?.state ?? 'unknown'}, not ${command.from}, and cannot come back; no copy moved`,
    );
  }
  const { quantity } = attempt;
  const change =
    command.from === 'SHIPPED' ? { onHand: level.onHand + quantity } : { committed: level.committed - quantity };
  const { orderId, lineId, attempt: number, from } = command;
  const returned: Attempt = { state: 'RETURNED', quantity };
  return {
    event: { type: 'StockReturned', level: moved(level, change), orderId, lineId, attempt: number, quantity, from },
    attempt: returned,
    answer: answerOf(returned),
  };
}

export type AdminCommand = Extract<StockCommand, { payloadHash: string }>;

/** Movements by people: with a reason, refused with both numbers, never an overwrite. */
export function decideAdmin(command: AdminCommand, { level }: Book): StockFact | CommandError {
  switch (command.type) {
    case 'Restock':
      if (command.quantity < 1)
        return refusal('INVALID_QUANTITY', 'at least one copy must come in; stock is unchanged', ['quantity']);
      return {
        type: 'StockRestocked',
        level: moved(level, { onHand: level.onHand + command.quantity }),
        quantity: command.quantity,
        reason: command.reason,
      };
    case 'AdjustStock': {
      const onHand = level.onHand + command.delta;
      const promised = level.reserved + level.committed;
      if (onHand < promised) {
        const details = { onHand: String(onHand), promised: String(promised) };
        return refusal(
          'REFUSED',
          `${onHand} copies on hand would be fewer than the ${promised} that orders hold; stock is unchanged`,
          ['delta'],
          details,
        );
      }
      return { type: 'StockAdjusted', level: moved(level, { onHand }), delta: command.delta, reason: command.reason };
    }
    case 'JoinWaitlist':
    case 'LeaveWaitlist':
      return refusal('NOT_SUPPORTED_YET', 'waiting lists are not open yet; nothing was noted');
  }
}
