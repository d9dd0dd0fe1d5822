import type { KafkaPort, PlainProducer } from '@bookstream/streams/kafka/port';
import { deadLetterOf } from '@bookstream/streams/runtime/dead-letter';
import type { BadRecord } from './batch.ts';

/**
 * Sends what cannot be projected to `<topic>.dlq`, before the position passes it: a crash between the two sends it again, with the same
 * origin in its headers. Its key is not parked: rows hang on the events that could be read.
 */
export class DeadLetters {
  readonly #port: KafkaPort;
  #producer: Promise<PlainProducer> | null = null;

  constructor(port: KafkaPort) {
    this.#port = port;
  }

  /** @throws what the port throws: nothing may be skipped until it is kept there */
  async send(projection: string, build: number, bad: readonly BadRecord[]): Promise<void> {
    if (bad.length === 0) return;
    this.#producer ??= this.#port.producer();
    const producer = await this.#producer.catch((error: unknown) => {
      this.#producer = null;
      throw error;
    });
    await producer.send(
      bad.map(({ record, reason, cause }) =>
        deadLetterOf(record, reason, cause, { application: `projection-${projection}`, task: `build-${build}` }),
      ),
    );
  }

  async close(): Promise<void> {
    await (await this.#producer?.catch(() => null))?.close();
  }
}
