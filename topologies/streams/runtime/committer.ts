import type { BaseOffsets, KafkaPort, Transaction } from '../kafka/port.ts';
import type { ProcessingGuarantee } from './application-runner.ts';

/** Writes what tasks have done; one call at a time. */
export interface Committer {
  /** Resolves when records and offsets are committed. If it throws, only the committed offsets tell how far it came. */
  commit(transaction: Transaction): Promise<BaseOffsets>;
  close(): Promise<void>;
}

/**
 * `exactly_once`: records and offsets in one transaction; opening settles what an earlier run under this prefix left open.
 * `at_least_once`: the records, then the offsets; after a crash in between the work comes again.
 */
export async function openCommitter(
  kafka: KafkaPort,
  guarantee: ProcessingGuarantee,
  prefix: string,
): Promise<Committer> {
  if (guarantee === 'exactly_once') return kafka.transactionalProducer(prefix);
  const producer = await kafka.producer();
  return {
    async commit({ records, offsets, group, maxBytesOf }) {
      const base = await producer.send(records, maxBytesOf && { maxBytesOf });
      await kafka.commitOffsets(offsets, group);
      return base;
    },
    close: () => producer.close(),
  };
}
