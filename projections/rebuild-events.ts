import { randomUUID } from 'node:crypto';
import { uuidv5 } from '@bookstream/schemas/ids';
import { topics } from '@bookstream/schemas/topics';
import type { Meta } from '@bookstream/schemas/types/common';
import type { ProjectionsEvent } from '@bookstream/schemas/types/projections';
import { partitionForKey } from '@bookstream/streams/kafka/partitioner';
import type { KafkaPort, PlainProducer } from '@bookstream/streams/kafka/port';

type WithoutMeta<E> = E extends ProjectionsEvent ? Omit<E, 'meta'> : never;

/** A rebuild's life on `projections.events`: what the CLI, the API and the admin page follow. */
export class RebuildEvents {
  readonly #producer: PlainProducer;
  readonly #partitions: number;
  readonly #actor: string;
  readonly #run = randomUUID();
  #sent = 0;

  private constructor(producer: PlainProducer, partitions: number, actor: string) {
    this.#producer = producer;
    this.#partitions = partitions;
    this.#actor = actor;
  }

  /** @throws when the topic is not there */
  static async open(port: KafkaPort, actor: string): Promise<RebuildEvents> {
    const { name } = topics.projectionsEvents;
    const partitions = (await port.partitionCounts([name])).get(name);
    if (partitions === undefined)
      throw new Error(`there is no topic ${name}; nothing was begun. Cure: bookstream setup`);
    return new RebuildEvents(await port.producer(), partitions, actor);
  }

  async send(event: WithoutMeta<ProjectionsEvent>): Promise<void> {
    const { name, keySerde, valueSerde } = topics.projectionsEvents;
    const now = Date.now();
    const eventId = uuidv5(this.#run, event.type, this.#sent);
    this.#sent += 1;
    const meta: Meta = {
      eventId,
      commandId: this.#run,
      correlationId: this.#run,
      causationId: this.#run,
      actor: this.#actor,
      occurredAt: now,
    };
    const key = keySerde.serialize(name, event.projection);
    const value = valueSerde.serialize(name, { ...event, meta } as ProjectionsEvent); // one of the union, with its meta again
    const partition = partitionForKey(key, this.#partitions);
    await this.#producer.send([{ topic: name, partition, timestamp: now, key, value, headers: [] }]);
  }

  close(): Promise<void> {
    return this.#producer.close();
  }
}
