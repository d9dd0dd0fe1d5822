// Generated from the .avsc files: change those, then `npm run types`.

/** What every event and command says about itself. Of a command, eventId and commandId are the same. */
export interface Meta {
  readonly eventId: string;
  readonly commandId: string;
  readonly correlationId: string;
  readonly causationId: string;
  readonly actor: string;
  /** Epoch ms. */
  readonly occurredAt: number;
}

/** An amount in the smallest unit of its currency; never a float. */
export interface Money {
  readonly amountMinor: bigint;
  readonly currency: string;
}
