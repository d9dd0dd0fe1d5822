import { ByteWriter } from './bytes.ts';
import { Backoff, type ClusterClient, isTransient, type Links } from './cluster-client.ts';
import { BrokerConnectionError, BrokerRefusalError, FencedError, TransactionAbortedError } from './errors.ts';
import { type BaseOffsets, partitionName, type Transaction, type TransactionalProducer } from './port.ts';
import { BatchCutter, encodeRound, type RoundBatch, refusalOf, type Share } from './produce-rounds.ts';
import {
  endTxnRequest,
  initProducerIdRequest,
  type ProducerId,
  produceRequest,
  txnOffsetCommitRequest,
} from './protocol/produce.ts';

const concurrentTransactions = 51;
const invalidTxnState = 48;
const duplicateSequence = 46;
const invalidTransactionTimeout = 50;
/** 47 an older epoch, 90 fenced, 49 the id belongs to another producer: somebody has called InitProducerId after us. */
const fencedCodes: readonly number[] = [47, 90, 49];
/** The group does not know us (any more) as we were: 22 another generation, 25 no such member, 82 the instance id was taken over. */
const membershipCodes: readonly number[] = [22, 25, 82, 27];

/** Shorter than the session time-out, so that what a dead worker left open is gone when its partitions are given away. */
export const transactionTimeoutMs = 8000;

const pipelinedBytes = 64 << 10;

interface Identity {
  readonly transactionalId: string;
  /** Null: InitProducerId must settle what is open before the next use. */
  producer: ProducerId | null;
}

/** InitProducerId: ends what an earlier owner left open, and shuts it out. */
export const initialise = async (client: ClusterClient, transactionalId: string): Promise<ProducerId> => {
  const answer = await client.askCoordinator(
    'transaction',
    transactionalId,
    initProducerIdRequest(transactionalId, transactionTimeoutMs),
    ({ errorCode }) => errorCode,
    { repeatable: [concurrentTransactions] },
  );
  if (answer.errorCode !== 0) {
    throw new BrokerRefusalError(`Transactional id ${transactionalId} was not initialised`, answer.errorCode, {
      ...(answer.errorCode === invalidTransactionTimeout
        ? { detail: `raise transaction.max.timeout.ms of the brokers to ${transactionTimeoutMs} or more` }
        : { retriable: true }),
    });
  }
  return answer;
};

/**
 * Transactions one after another on two ids in turn: an id may not be used between its EndTxn and the end of the broker's own work on
 * it, and the other bridges that time. The laws (seen on a broker): nothing is produced on an id between its EndTxn and the answer; a
 * refused offset commit aborts (EndTxn would commit the records all the same); a lost EndTxn answer is asked again until it says what happened.
 */
export class AlternatingProducer implements TransactionalProducer {
  readonly #client: ClusterClient;
  readonly #links: Links;
  /** Where a quota on produced bytes holds nothing up: an open transaction does not wait for it. */
  readonly #controlLinks: Links;
  readonly #identities: readonly [Identity, Identity];
  readonly #slab = new ByteWriter(64 << 10);
  readonly #cutter = new BatchCutter();
  #turn = 0;
  #last: Promise<unknown> = Promise.resolve();
  #fenced: FencedError | null = null;
  #closed = false;

  private constructor(client: ClusterClient, prefix: string, producers: readonly [ProducerId, ProducerId]) {
    this.#client = client;
    this.#links = client.links();
    this.#controlLinks = client.links();
    this.#identities = [
      { transactionalId: `${prefix}-a`, producer: producers[0] },
      { transactionalId: `${prefix}-b`, producer: producers[1] },
    ];
  }

  static async open(client: ClusterClient, prefix: string): Promise<AlternatingProducer> {
    const [a, b] = await Promise.all([initialise(client, `${prefix}-a`), initialise(client, `${prefix}-b`)]);
    return new AlternatingProducer(client, prefix, [a, b]);
  }

  commit(transaction: Transaction): Promise<BaseOffsets> {
    const run = this.#last.then(() => this.#commit(transaction));
    this.#last = run.catch(() => {}); // The caller of that commit has it; the next begins on its own.
    return run;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    this.#links.close();
    this.#controlLinks.close();
  }

  async #commit({ records, offsets, group, maxBytesOf }: Transaction): Promise<BaseOffsets> {
    if (this.#closed) throw new FencedError('The producer is closed; nothing was written');
    if (this.#fenced) throw this.#fenced;
    const baseOffsets = new Map<string, number>();
    if (records.length === 0 && offsets.length === 0) return baseOffsets;
    const identity = this.#identities[this.#turn === 0 ? 0 : 1];
    this.#turn = 1 - this.#turn;
    identity.producer ??= await initialise(this.#client, identity.transactionalId);
    const { producer } = identity;
    const withinMs = transactionTimeoutMs;
    try {
      const sequences = new Map<string, number>();
      const rounds = this.#cutter.cut(records, maxBytesOf);
      let offsetsWritten: Promise<void> | null = null;
      for (let round = rounds.shift() ?? []; ; ) {
        this.#slab.reset();
        const stamp = { producerId: producer.producerId, producerEpoch: producer.producerEpoch, transactional: true };
        const batches = encodeRound(this.#slab, round, stamp, sequences);
        const written = this.#produce(identity.transactionalId, batches, sequences, baseOffsets, withinMs);
        // Behind the first round on its connection, so that their additions to the transaction do not race; but not behind much, for which a
        // quota's pause, in which nothing is answered there, may be longer than a transaction.
        const size = batches.reduce((sum, { batch }) => sum + batch.length, 0);
        offsetsWritten ??=
          offsets.length > 0
            ? this.#commitOffsets(identity.transactionalId, producer, { group, offsets }, size)
            : Promise.resolve();
        // Both must have been answered before anything else is sent on this id, whatever fails first.
        const outcomes = await Promise.allSettled([written, offsetsWritten]);
        for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
        rounds.unshift(...(await written));
        const next = rounds.shift();
        if (next === undefined) break;
        round = next;
      }
    } catch (error) {
      throw await this.#giveUp(identity, producer, error);
    }
    await this.#end(identity, producer);
    return baseOffsets;
  }

  /**
   * Sends each leader its batches until all are taken; a batch is repeated byte for byte, which the broker recognises.
   * @returns what is to be sent before all else: batches that were too large, in smaller ones
   */
  async #produce(
    transactionalId: string,
    batches: readonly RoundBatch[],
    sequences: Map<string, number>,
    baseOffsets: Map<string, number>,
    withinMs: number,
  ): Promise<readonly (readonly Share[])[]> {
    let left = batches;
    const smaller: (readonly Share[])[] = [];
    if (left.length === 0) return smaller;
    const backoff = new Backoff(withinMs);
    for (;;) {
      const again: RoundBatch[] = [];
      const unknown = left.filter((one) => this.#client.leaderOf(one) === undefined);
      if (unknown.length > 0) await this.#client.refresh([...new Set(unknown.map(({ topic }) => topic))]);
      // One broker after another: side by side their additions to the transaction race, and the loser is put off for 20 ms.
      for (const [nodeId, group] of Map.groupBy(left, (one) => this.#client.leaderOf(one) ?? -1)) {
        if (nodeId === -1) {
          again.push(...group);
          continue;
        }
        try {
          const answer = await this.#client.ask(nodeId, produceRequest(transactionalId, group, withinMs), this.#links);
          for (const produced of answer) {
            const { topic, partition, errorCode, baseOffset } = produced;
            const name = partitionName(produced);
            if (errorCode === 0 || errorCode === duplicateSequence) {
              if (!baseOffsets.has(name)) baseOffsets.set(name, baseOffset);
              continue;
            }
            const batch = group.find((one) => one.topic === topic && one.partition === partition);
            if (batch === undefined) continue; // the broker answers what it was asked
            if (errorCode === concurrentTransactions || isTransient(errorCode)) again.push(batch);
            else {
              const halves = this.#cutter.cutSmaller(batch, errorCode, sequences);
              if (halves.length === 0) throw refusalOf(batch, produced);
              smaller.push(...halves);
            }
          }
        } catch (error) {
          if (!(error instanceof BrokerConnectionError)) throw error;
          again.push(...group);
        }
      }
      if (again.length === 0) return smaller;
      if (!(await backoff.again())) {
        throw new BrokerRefusalError(`Produce to ${again.map(partitionName).join(', ')} within ${withinMs} ms`, 7, {
          retriable: true,
        });
      }
      left = again;
      await this.#client.refresh([...new Set(left.map(({ topic }) => topic))]).catch(() => {}); // The next attempt tells.
    }
  }

  async #commitOffsets(
    transactionalId: string,
    producer: ProducerId,
    { group, offsets }: Pick<Transaction, 'group' | 'offsets'>,
    behindBytes: number,
  ): Promise<void> {
    const request = txnOffsetCommitRequest(transactionalId, producer, group, offsets);
    const errorOf = (results: readonly { readonly errorCode: number }[]): number =>
      results.find(({ errorCode }) => errorCode !== 0)?.errorCode ?? 0;
    const results = await this.#client.askCoordinator('group', group.groupId, request, errorOf, {
      withinMs: transactionTimeoutMs,
      repeatable: [concurrentTransactions],
      links: behindBytes <= pipelinedBytes ? this.#links : this.#controlLinks,
    });
    const refused = errorOf(results);
    if (refused)
      throw new BrokerRefusalError(`Offsets of group ${group.groupId}, generation ${group.generationId}`, refused);
  }

  /** @throws TransactionAbortedError, FencedError */
  async #end(identity: Identity, producer: ProducerId): Promise<void> {
    const { transactionalId } = identity;
    // Until it is known how this ended nobody may go on: neither blindly forward nor back.
    identity.producer = null;
    const answer = await this.#ask(transactionalId, endTxnRequest(transactionalId, producer, true), 60_000);
    if (answer.errorCode === 0) {
      identity.producer = answer;
      return;
    }
    if (fencedCodes.includes(answer.errorCode)) throw this.#fence(transactionalId, answer.errorCode);
    throw new TransactionAbortedError(
      answer.errorCode === invalidTxnState
        ? `The transaction of ${transactionalId} had ended the other way (timed out by the broker); nothing of it is visible`
        : `The transaction of ${transactionalId} could not be committed: error ${answer.errorCode}`,
      false,
    );
  }

  async #ask(
    transactionalId: string,
    request: ReturnType<typeof endTxnRequest>,
    withinMs: number,
  ): Promise<ProducerId> {
    return this.#client.askCoordinator('transaction', transactionalId, request, ({ errorCode }) => errorCode, {
      withinMs,
      repeatable: [concurrentTransactions],
      links: this.#controlLinks,
    });
  }

  /** Aborts, so that nothing of it can be committed by accident. @returns the error for the caller */
  async #giveUp(identity: Identity, producer: ProducerId, cause: unknown): Promise<Error> {
    const { transactionalId } = identity;
    identity.producer = null;
    const errorCode = cause instanceof BrokerRefusalError ? cause.errorCode : 0;
    if (fencedCodes.includes(errorCode)) return this.#fence(transactionalId, errorCode);
    const answer = await this.#ask(transactionalId, endTxnRequest(transactionalId, producer, false), 10_000).catch(
      () => null,
    );
    // Without a clear answer the next use of the id asks InitProducerId, which aborts whatever is open.
    if (answer?.errorCode === 0) identity.producer = answer;
    if (answer && fencedCodes.includes(answer.errorCode)) return this.#fence(transactionalId, answer.errorCode);
    const why = cause instanceof Error ? cause.message : String(cause);
    return new TransactionAbortedError(
      `The transaction of ${transactionalId} was aborted and nothing of it is visible: ${why}`,
      membershipCodes.includes(errorCode),
      { cause },
    );
  }

  #fence(transactionalId: string, errorCode: number): FencedError {
    this.#fenced = new FencedError(
      `${transactionalId} belongs to another producer now (error ${errorCode}): another process runs under this instance id, or the ` +
        'broker timed the transaction out. Join anew and go on from the committed offsets.',
    );
    return this.#fenced;
  }
}
