import { topics } from '@bookstream/schemas/topics';
import type { Meta } from '@bookstream/schemas/types/common';
import type { CommandError, CommandOutcome } from '@bookstream/schemas/types/outcomes';
import { type KeyValueStore, type ProcessorContext, Serdes, type StoreBuilder, Stores } from '@bookstream/streams';
import type { Consequences } from './meta.ts';

/** A command of a person: it has an outcome, and its idempotency key may come again. */
export interface PersonsCommand {
  readonly meta: Meta;
  readonly payloadHash: string;
}

const day = 86_400_000;
const rememberedForMs = 7 * day;

/** The first outcome of every command of a person, as long as `command.outcomes` keeps it. */
export const inboxStore = (name: string): StoreBuilder =>
  Stores.keyValue<string, CommandOutcome>({
    name,
    keySerde: Serdes.string,
    valueSerde: topics.commandOutcomes.valueSerde,
  });

export const refusal = (
  code: string,
  message: string,
  field: readonly string[] = [],
  details: Readonly<Record<string, string>> = {},
): CommandError => ({
  code,
  message,
  field,
  details,
});

/** Gives a repeated command its first answer again, and tells a second intent under the same key from a repeat. */
export class Inbox {
  readonly #outcomes: KeyValueStore<string, CommandOutcome>;

  constructor(context: ProcessorContext<never, never>, store: string) {
    this.#outcomes = context.getStateStore(store);
    context.schedule(day, 'stream-time', (now) => this.#forget(now - rememberedForMs));
  }

  /**
   * The answer to a command that was seen before; null when it is new. Another payload under the same key has an outcome of its own, which is
   * remembered too: each (commandId, payloadHash) has one outcome that is no replay.
   */
  repeated(command: PersonsCommand, consequences: Consequences): CommandOutcome | null {
    const first = this.#outcomes.get(command.meta.commandId);
    if (first === null) return null;
    if (first.payloadHash === command.payloadHash) return { ...first, replayed: true };
    const key = `${command.meta.commandId}/${command.payloadHash}`;
    const refused = this.#outcomes.get(key);
    if (refused !== null) return { ...refused, replayed: true };
    const message = 'this key was used for another request; nothing was done. Make a new key for a new request';
    const outcome = rejected(command, [refusal('IDEMPOTENCY_KEY_REUSED', message, ['idempotencyKey'])], consequences);
    this.#outcomes.put(key, outcome);
    return outcome;
  }

  remember<O extends CommandOutcome>(outcome: O): O {
    this.#outcomes.put(outcome.commandId, outcome);
    return outcome;
  }

  #forget(before: number): void {
    for (const [key, outcome] of this.#outcomes.all()) {
      if (outcome.meta.occurredAt < before) this.#outcomes.delete(key);
    }
  }
}

export const accepted = (
  command: PersonsCommand,
  events: readonly { readonly meta: Meta; readonly version: number }[],
  consequences: Consequences,
): CommandOutcome => ({
  type: 'CommandAccepted',
  meta: consequences.event(`outcome/${command.payloadHash}`),
  commandId: command.meta.commandId,
  payloadHash: command.payloadHash,
  eventIds: events.map((event) => event.meta.eventId),
  version: events.at(-1)?.version ?? 0,
  replayed: false,
});

export const rejected = (
  command: PersonsCommand,
  errors: readonly CommandError[],
  consequences: Consequences,
): CommandOutcome => ({
  type: 'CommandRejected',
  meta: consequences.event(`outcome/${command.payloadHash}`),
  commandId: command.meta.commandId,
  payloadHash: command.payloadHash,
  errors,
  replayed: false,
});
