import { commandIdOf } from '@bookstream/schemas/ids';
import { payloadHashOf } from '@bookstream/schemas/payload-hash';
import type { Topic } from '@bookstream/schemas/topics';
import type { Meta } from '@bookstream/schemas/types/common';
import type { CommandOutcome } from '@bookstream/schemas/types/outcomes';
import { type KafkaPort, type PlainProducer, partitionForKey } from '@bookstream/streams/kafka/index';
import { formatTrace, traceHeader } from '../platform/trace.ts';
import { Bell } from './bell.ts';
import type { GatewayContext } from './context.ts';
import { refusal } from './errors.ts';
import type { Hub } from './hub.ts';

/** What a mutation turns into: the command's own members are made from its ids. */
export interface Intent<V> {
  readonly topic: Topic<V>;
  /** Name of the mutation; with the person and their key it makes the command's id. */
  readonly mutation: string;
  readonly idempotencyKey: string;
  /** What the person asked for, as they asked it: a repeat is told from another request by it. */
  readonly input: unknown;
  readonly key: (commandId: string) => string;
  readonly command: (base: { readonly meta: Meta; readonly payloadHash: string }) => V;
}

const outcomeWithinMs = 8_000;
const utf8 = new TextEncoder();

/** Sends the commands of people and hears what became of them. */
export class Commands {
  readonly #kafka: KafkaPort;
  readonly #hub: Hub;
  readonly #counts = new Map<string, number>();
  #producer: Promise<PlainProducer> | null = null;

  constructor(kafka: KafkaPort, hub: Hub) {
    this.#kafka = kafka;
    this.#hub = hub;
  }

  /** @returns the outcome; null when it has not come in time: the command is written and will be decided all the same */
  async send<V>(
    intent: Intent<V>,
    context: GatewayContext,
    userId: string,
  ): Promise<{ readonly commandId: string; readonly outcome: CommandOutcome | null }> {
    const commandId = commandIdOf(userId, intent.mutation, intent.idempotencyKey);
    const payloadHash = payloadHashOf(intent.input);
    const occurredAt = Date.now();
    const meta: Meta = {
      eventId: commandId,
      commandId,
      correlationId: context.trace.traceId,
      causationId: commandId,
      actor: userId,
      occurredAt,
    };
    const { name, keySerde, valueSerde } = intent.topic;
    const key = keySerde.serialize(name, intent.key(commandId));
    const value = valueSerde.serialize(name, intent.command({ meta, payloadHash }));
    const partition = partitionForKey(key, await this.#partitionsOf(name));
    const outcome = this.#hub.outcome(commandId, payloadHash, outcomeWithinMs);
    const headers = [[traceHeader, utf8.encode(formatTrace(context.trace))] as const];
    try {
      const producer = await this.#connected();
      await producer.send([{ topic: name, partition, timestamp: occurredAt, key, value, headers }]);
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      context.logger.error('command-not-sent', `${intent.mutation}: ${error.message}`, { error, commandId });
      const message = 'The shop cannot take this now; it is not known to be written. Send it again with the same key.';
      throw refusal('UNAVAILABLE', message);
    }
    context.logger.info('command-sent', `${intent.mutation} was sent`, { command: intent.mutation, commandId });
    return { commandId, outcome: await outcome };
  }

  #connected(): Promise<PlainProducer> {
    this.#producer ??= this.#kafka.producer().catch((error: unknown) => {
      this.#producer = null; // the next command tries again
      throw error;
    });
    return this.#producer;
  }

  async #partitionsOf(topic: string): Promise<number> {
    const known = this.#counts.get(topic);
    if (known !== undefined) return known;
    const count = (await this.#kafka.partitionCounts([topic])).get(topic);
    if (count === undefined) throw new Error(`${topic} is not there; run: npm run bookstream -- setup`);
    this.#counts.set(topic, count);
    return count;
  }

  async close(): Promise<void> {
    await (await this.#producer?.catch(() => null))?.close();
  }
}

const lookAgainMs = [2, 4, 8, 15, 25, 40, 60, 80, 100] as const;

/**
 * Asks a read model until it has what was just written: soon, then less often, and soon again whenever `listen` rings.
 * @returns the last answer, and whether it is what was waited for
 */
export async function untilSeen<R>(
  read: () => Promise<R>,
  isThere: (row: R) => boolean,
  withinMs = 4_000,
  listen: (ring: () => void) => () => void = () => () => undefined,
): Promise<{ readonly row: R; readonly seen: boolean }> {
  const end = Date.now() + withinMs;
  const bell = new Bell();
  const stop = listen(() => bell.ring());
  try {
    for (let round = 0; ; ) {
      const row = await read();
      if (isThere(row)) return { row, seen: true };
      if (Date.now() >= end) return { row, seen: false };
      const wasRung = await bell.wait(lookAgainMs[Math.min(round, lookAgainMs.length - 1)] ?? 0);
      round = wasRung ? 0 : round + 1;
    }
  } finally {
    stop();
  }
}
