import { ByteWriter } from './bytes.ts';
import { Backoff, type ClusterClient, isTransient, type Links } from './cluster-client.ts';
import { BrokerConnectionError, BrokerRefusalError } from './errors.ts';
import { type BaseOffsets, type PlainProducer, partitionName, type RecordsToSend, type SendOptions } from './port.ts';
import { BatchCutter, encodeRound, type RoundBatch, refusalOf, type Share } from './produce-rounds.ts';
import { initProducerIdRequest, type ProducerId, produceRequest } from './protocol/produce.ts';

const duplicateSequence = 46;
const deliverWithinMs = 60_000;

/** Idempotent: a batch whose answer was lost is repeated and stands in the log once. Sends one after another, in the order of the calls. */
export class IdempotentProducer implements PlainProducer {
  readonly #client: ClusterClient;
  readonly #links: Links;
  readonly #slab = new ByteWriter(64 << 10);
  readonly #cutter = new BatchCutter();
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
      const rounds = this.#cutter.cut(records, maxBytesOf);
      for (let round = rounds.shift(); round !== undefined; round = rounds.shift()) {
        this.#producer ??= await this.#initialise();
        this.#slab.reset();
        const { producerId, producerEpoch } = this.#producer;
        const batches = encodeRound(
          this.#slab,
          round,
          { producerId, producerEpoch, transactional: false },
          this.#sequences,
        );
        rounds.unshift(...(await this.#produce(batches, baseOffsets)));
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

  /** @returns what is to be sent before all else: batches that were too large, in smaller ones */
  async #produce(
    batches: readonly RoundBatch[],
    baseOffsets: Map<string, number>,
  ): Promise<readonly (readonly Share[])[]> {
    let left = batches;
    const smaller: (readonly Share[])[] = [];
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
            for (const produced of answer) {
              const { topic, partition, errorCode, baseOffset } = produced;
              const name = partitionName(produced);
              if (errorCode === 0 || errorCode === duplicateSequence) {
                if (!baseOffsets.has(name)) baseOffsets.set(name, baseOffset);
                continue;
              }
              const batch = group.find((one) => one.topic === topic && one.partition === partition);
              if (batch === undefined) continue; // the broker answers what it was asked
              const halves = this.#cutter.cutSmaller(batch, errorCode, this.#sequences);
              if (halves.length > 0) {
                smaller.push(...halves);
                continue;
              }
              cause = refusalOf(batch, produced);
              if (!isTransient(errorCode)) throw cause;
              again.push(batch);
            }
          } catch (error) {
            if (!(error instanceof BrokerConnectionError)) throw error;
            cause = error;
            again.push(...group);
          }
        }),
      );
      if (again.length === 0) return smaller;
      if (!(await backoff.again()))
        throw cause ?? new BrokerRefusalError(`No leader for ${again.map(partitionName).join(', ')}`, 5);
      await this.#client.refresh([...new Set(again.map(({ topic }) => topic))]).catch(() => {}); // The next attempt tells.
      left = again;
    }
  }
}
