import { type outputTopics, partitions } from '../bench/order-flow/topology.ts';
import type { Fetcher, KafkaPort } from '../kafka/index.ts';

/** Counts the committed records of both outputs while they come. */
export class CommittedOutputs implements AsyncDisposable {
  statuses = 0;
  sales = 0;
  readonly #fetcher: Fetcher;

  constructor(kafka: KafkaPort, { orderStatus, bookSales }: ReturnType<typeof outputTopics>) {
    this.#fetcher = kafka.fetcher({
      isolation: 'read_committed',
      onBatch: ({ topic, records }) => {
        if (topic === orderStatus.name) this.statuses += records.length;
        else this.sales += records.length;
      },
      onOutOfRange: () => {}, // the log begins at 0
      onError: () => {}, // a broker is away: it goes on trying, and who waits has a deadline
    });
    for (const { name } of [orderStatus, bookSales])
      for (let partition = 0; partition < partitions; partition += 1)
        this.#fetcher.assign({ topic: name, partition }, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fetcher.close();
  }
}
