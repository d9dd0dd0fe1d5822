import { type EventId, eventIdOf } from '@bookstream/schemas/ids';
import type { Meta } from '@bookstream/schemas/types/common';

/**
 * Makes the `meta` of everything that one input causes, in order: the ids hang on the cause and the place, so a replay makes them again.
 * `occurredAt` is when it was decided, told by the task's clock and never before its cause. It is a fact for people: what is decided hangs on
 * the record time, which is the same in every replay.
 */
export class Consequences {
  readonly #cause: Meta;
  readonly #applicationId: string;
  readonly #nodeName: string;
  /** Of the input, epoch ms. */
  readonly recordTime: number;
  readonly #occurredAt: number;
  readonly #made = new Map<string, number>();

  constructor(
    cause: Meta,
    applicationId: string,
    nodeName: string,
    time: { readonly record: number; readonly now: number },
  ) {
    this.#cause = cause;
    this.#applicationId = applicationId;
    this.#nodeName = nodeName;
    this.recordTime = time.record;
    this.#occurredAt = Math.max(cause.occurredAt, time.now);
  }

  /**
   * @param output names a kind of output beside the main one and counts for itself: the answer to a repeat, which comes without the event
   * that the first answer stood behind, must not take that event's id
   */
  event(output = ''): Meta {
    const eventId = this.#nextId(output);
    const { commandId, correlationId, actor, eventId: causationId } = this.#cause;
    return { eventId, commandId, correlationId, causationId, actor, occurredAt: this.#occurredAt };
  }

  /** Of a command, eventId and commandId are the same. */
  command(): Meta {
    const eventId = this.#nextId('');
    const { correlationId, actor, eventId: causationId } = this.#cause;
    return { eventId, commandId: eventId, correlationId, causationId, actor, occurredAt: this.#occurredAt };
  }

  #nextId(output: string): EventId {
    const index = this.#made.get(output) ?? 0;
    this.#made.set(output, index + 1);
    const node = output === '' ? this.#nodeName : `${this.#nodeName}/${output}`;
    return eventIdOf(this.#cause.eventId, this.#applicationId, node, index);
  }
}
