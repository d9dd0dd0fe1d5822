import { ByteWriter } from './bytes.ts';
import { Backoff, type ClusterClient, isTransient, type Links } from './cluster-client.ts';
import { BrokerConnectionError, BrokerRefusalError, ProduceRefusalError } from './errors.ts';
import { type BaseOffsets, type PlainProducer, partitionName, type RecordsToSend, type SendOptions } from './port.ts';
import { cutIntoRounds, encodeRound } from './produce-rounds.ts';
import { initProducerIdRequest, type ProducerId, produceRequest } from './protocol/produce.ts';

const duplicateSequence = 46;
const deliverWithinMs = 60_000;

/** Idempotent: a batch whose answer was lost is repeated and stands in the log once. Sends one after another, in the order of the calls. */
export class IdempotentProducer implements PlainProducer {
  readonly #client: ClusterClient;
  readonly #links: Links;
  readonly #slab = new ByteWriter(64 << 10);
  #producer: ProducerId | null = null;
  #sequences = new Map<string, number>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: ClusterClient) {
    this.#client = client;
    this.#links = client.links();
  }

  send(records: RecordsToSend, options: SendOptions = {}): Promise<BaseOffsets> {
    const run = this.#last.then(() => this.#send(records, options));
    this.#last = run.catch(() => {}); // Its caller has it.
    return run;
  }

  async close(): Promise<void> {
    await this.#last;
    this.#links.close();
  }

  async #send(records: RecordsToSend, { maxBytesOf }: SendOptions): Promise<BaseOffsets> {
    const baseOffsets = new Map<string, number>();
    try {
      for (const round of cutIntoRounds(records, maxBytesOf)) {
        this.#producer ??= await this.#initialise();
        this.#slab.reset();
        const { producerId, producerEpoch } = this.#producer;
        const batches = encodeRound(
          this.#slab,
          round,
          { producerId, producerEpoch, transactional: false },
          this.#sequences,
        );
        await this.#produce(batches, baseOffsets);
      }
    } catch (error) {
      // What the broker has of these sequences is unknown: begin anew under another id.
      this.#producer = null;
      this.#sequences = new Map();
      throw error;
    }
    return baseOffsets;
  }

  async #initialise(): Promise<ProducerId> {
    const backoff = new Backoff(deliverWithinMs, 20);
    for (;;) {
      const answer = await this.#client.askAny(initProducerIdRequest(null, deliverWithinMs));
      if (answer.errorCode === 0) return answer;
      // A broker that has just started loads its coordinator first.
      if (!isTransient(answer.errorCode) || !(await backoff.again())) {
        throw new BrokerRefusalError('A producer id', answer.errorCode, { retriable: true });
      }
    }
  }

  async #produce(batches: ReturnType<typeof encodeRound>, baseOffsets: Map<string, number>): Promise<void> {
    let left = batches;
    const backoff = new Backoff(deliverWithinMs, 5);
    for (;;) {
      const unknown = left.filter((one) => this.#client.leaderOf(one) === undefined);
      if (unknown.length > 0) await this.#client.refresh([...new Set(unknown.map(({ topic }) => topic))]);
      const byNode = Map.groupBy(left, (one) => this.#client.leaderOf(one) ?? -1);
      const again = [...(byNode.get(-1) ?? [])];
      byNode.delete(-1);
      let cause: unknown;
      await Promise.all(
        [...byNode].map(async ([nodeId, group]) => {
          try {
            const answer = await this.#client.ask(nodeId, produceRequest(null, group, 30_000), this.#links);
            for (const { topic, partition, errorCode, baseOffset, message } of answer) {
              const name = partitionName({ topic, partition });
              if (errorCode === 0 || errorCode === duplicateSequence) {
                if (!baseOffsets.has(name)) baseOffsets.set(name, baseOffset);
                continue;
              }
              cause = new ProduceRefusalError({ topic, partition }, errorCode, message);
              if (!isTransient(errorCode)) throw cause;
              again.push(...group.filter((one) => one.topic === topic && one.partition === partition));
            }
          } catch (error) {
            if (!(error instanceof BrokerConnectionError)) throw error;
            cause = error;
            again.push(...group);
          }
        }),
      );
      if (again.length === 0) return;
      if (!(await backoff.again()))
        throw cause ?? new BrokerRefusalError(`No leader for ${again.map(partitionName).join(', ')}`, 5);
      await this.#client.refresh([...new Set(again.map(({ topic }) => topic))]).catch(() => {}); // The next attempt tells.
      left = again;
    }
  }
}
