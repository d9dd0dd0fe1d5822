import { uuidv5 } from '@bookstream/schemas/ids';
import { shopCurrency } from '@bookstream/schemas/money';
import { topics } from '@bookstream/schemas/topics';
import type { Meta } from '@bookstream/schemas/types/common';
import type { CommandOutcome } from '@bookstream/schemas/types/outcomes';
import type { PaymentsEvent } from '@bookstream/schemas/types/payments';
import type { LedgerEntry, TopUp, WalletsCommand, WalletsEvent } from '@bookstream/schemas/types/wallets';
import {
  type KeyValueStore,
  type Processor,
  type ProcessorContext,
  Serdes,
  Stores,
  type StreamRecord,
  type StreamsBuilder,
} from '@bookstream/streams';
import { accepted, Inbox, inboxStore, refusal, rejected } from '../shared/inbox.ts';
import { Consequences } from '../shared/meta.ts';
import { type Routed, route } from '../shared/routed.ts';
import { stateSerde } from '../shared/state-serde.ts';
import { whole } from '../shared/whole.ts';
import { decideHold, emptyWallet, type Hold, type HoldCommand, type Movement, topUp, type Wallet } from './wallet.ts';

export const applicationId = 'bookstream-wallet';

const nodeName = 'wallet';

/** One entry per account that the movement touches; ids hang on the command, so that a replay writes the same ledger. */
const entriesOf = ({ moves }: Movement, command: Meta, userId: string): readonly LedgerEntry[] =>
  moves.map(({ account, amountMinor }, index) => ({
    entryId: uuidv5(command.commandId, 'entry', index),
    account: account === 'free' || account === 'held' ? `wallet:${userId}:${account}` : account,
    amountMinor,
  }));

class WalletProcessor implements Processor<string, WalletsCommand, string, Routed> {
  readonly #decideHold: typeof decideHold;
  #context!: ProcessorContext<string, Routed>; // set by init, before the first record
  #wallets!: KeyValueStore<string, Wallet>; // likewise
  #holds!: KeyValueStore<string, Hold>; // likewise
  #inbox!: Inbox; // likewise

  constructor(decide: typeof decideHold) {
    this.#decideHold = decide;
  }

  init(context: ProcessorContext<string, Routed>): void {
    this.#context = context;
    this.#wallets = context.getStateStore('wallets');
    this.#holds = context.getStateStore('wallet-holds');
    this.#inbox = new Inbox(context as ProcessorContext<never, never>, 'wallet-outcomes'); // it only reads stores and schedules
  }

  process({ key: userId, value: command, timestamp }: StreamRecord<string, WalletsCommand>): void {
    const consequences = new Consequences(command.meta, applicationId, nodeName, {
      record: timestamp,
      now: this.#context.currentSystemTimeMs(),
    });
    if (command.type === 'TopUp') this.#topUp(userId, command, consequences);
    else if (command.type === 'RefundFunds') throw new Error('refunds cannot be paid yet; no money moved');
    else this.#hold(userId, command, consequences);
  }

  #hold(userId: string, command: HoldCommand, consequences: Consequences): void {
    const { holdId, orderId } = command;
    const key = `${userId}/${holdId}`;
    const decision = this.#decideHold(command, this.#walletOf(userId), this.#holds.get(key));
    if (decision.movement !== null) this.#write(userId, decision.movement, command.meta, consequences);
    this.#holds.put(key, decision.hold);
    const meta = consequences.event(`answer/${decision.answer.type}`);
    const answer = { ...decision.answer, meta, orderId, userId } as PaymentsEvent; // a bare fact with what it lacked
    this.#forward({ to: 'paymentsEvents', key: orderId, value: answer });
  }

  #topUp(userId: string, command: TopUp, consequences: Consequences): void {
    const repeated = this.#inbox.repeated(command, consequences);
    const outcome = repeated ?? this.#inbox.remember(this.#toppedUp(userId, command, consequences));
    this.#forward({ to: 'commandOutcomes', key: command.meta.commandId, value: outcome });
  }

  #toppedUp(userId: string, command: TopUp, consequences: Consequences): CommandOutcome {
    const { amount, meta } = command;
    if (amount.amountMinor <= 0n || amount.currency !== shopCurrency) {
      const message = `top up an amount above zero, in ${shopCurrency}; the wallet is unchanged`;
      return rejected(command, [refusal('INVALID_AMOUNT', message, ['amount'])], consequences);
    }
    const event = this.#write(userId, topUp(amount, this.#walletOf(userId)), meta, consequences);
    return accepted(command, [event], consequences);
  }

  #write(userId: string, movement: Movement, command: Meta, consequences: Consequences): WalletsEvent {
    const { balance, held } = movement;
    const version = this.#walletOf(userId).version + 1;
    const entries = entriesOf(movement, command, userId);
    const event = {
      ...movement.event,
      meta: consequences.event(),
      userId,
      version,
      balance,
      held,
      entries,
    } as WalletsEvent; // a bare event with what it lacked
    this.#wallets.put(userId, { balance, held, version });
    this.#forward({ to: 'walletsEvents', key: userId, value: event });
    return event;
  }

  #walletOf(userId: string): Wallet {
    return this.#wallets.get(userId) ?? emptyWallet;
  }

  #forward(routed: Routed): void {
    this.#context.forward({ key: routed.key, value: routed });
  }
}

/**
 * A double-entry ledger per person. Keyed by UserId: one wallet, one task, so no two orders spend the same euro. The ledger (wallets.events) and
 * the same facts re-keyed for the order (payments.events) are written in one transaction.
 * @param decide for the simulation, which plants faults
 */
export function build(builder: StreamsBuilder, decide: typeof decideHold = decideHold): void {
  builder.addStateStore(
    Stores.keyValue({ name: 'wallets', keySerde: Serdes.string, valueSerde: stateSerde<Wallet>() }),
  );
  builder.addStateStore(
    Stores.keyValue({ name: 'wallet-holds', keySerde: Serdes.string, valueSerde: stateSerde<Hold>() }),
  );
  builder.addStateStore(inboxStore('wallet-outcomes'));
  const decided = builder
    .stream(topics.walletsCommands, whole)
    .process<string, Routed>(() => new WalletProcessor(decide), {
      as: nodeName,
      stores: ['wallets', 'wallet-holds', 'wallet-outcomes'],
    });
  route(decided, ['walletsEvents', 'paymentsEvents', 'commandOutcomes']);
}
