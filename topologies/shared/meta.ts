import { type EventId, eventIdOf } from '@bookstream/schemas/ids';
import type { Meta } from '@bookstream/schemas/types/common';

/**
 * Makes the `meta` of everything that one input causes, in order: the ids hang on the cause and the place, so a replay makes them again.
 * `occurredAt` is the input's record time: a topology has no clock.
 */
export class Consequences {
  readonly #cause: Meta;
  readonly #applicationId: string;
  readonly #nodeName: string;
  readonly #occurredAt: number;
  #index = 0;

  constructor(cause: Meta, applicationId: string, nodeName: string, occurredAt: number) {
    this.#cause = cause;
    this.#applicationId = applicationId;
    this.#nodeName = nodeName;
    this.#occurredAt = occurredAt;
  }

  get occurredAt(): number {
    return this.#occurredAt;
  }

  event(): Meta {
    const eventId = this.#nextId();
    const { commandId, correlationId, actor, eventId: causationId } = this.#cause;
    return { eventId, commandId, correlationId, causationId, actor, occurredAt: this.#occurredAt };
  }

  /** Of a command, eventId and commandId are the same. */
  command(): Meta {
    const eventId = this.#nextId();
    const { correlationId, actor, eventId: causationId } = this.#cause;
    return { eventId, commandId: eventId, correlationId, causationId, actor, occurredAt: this.#occurredAt };
  }

  #nextId(): EventId {
    const id = eventIdOf(this.#cause.eventId, this.#applicationId, this.#nodeName, this.#index);
    this.#index += 1;
    return id;
  }
}
