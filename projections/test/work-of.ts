import type { ConsumedRecord } from '@bookstream/streams/kafka/port';
import { decode, fold, keysOf, tablesOf } from '../batch.ts';
import type { Projection } from '../projection.ts';
import type { Claim, Work } from '../sink.ts';
import type { InMemoryPort } from './in-memory-port.ts';

/** What a follower makes of one batch, by hand: a process can then stop anywhere. */
export function workOf(projection: Projection, claim: Claim, records: readonly ConsumedRecord[], next: number): Work {
  const { decoded } = decode(tablesOf(projection, claim.topic), records);
  return { from: claim.nextOffset, next, keys: keysOf(decoded), fold: async (held) => fold(decoded, held).changed };
}

/** The batch from where the claim stands to before `to`. */
export const workUpTo = (projection: Projection, port: InMemoryPort, claim: Claim, to: number): Work =>
  workOf(
    projection,
    claim,
    [...port.broker.fetch(claim, claim.nextOffset).records].filter((record) => record.offset < to),
    to,
  );

/** Stops a batch between reading and writing. */
export function pausedIn(work: Work) {
  const paused = Promise.withResolvers<void>();
  const resumed = Promise.withResolvers<void>();
  const stopping: Work = {
    ...work,
    fold: async (held) => {
      paused.resolve();
      await resumed.promise;
      return work.fold(held);
    },
  };
  return { work: stopping, paused: paused.promise, resume: resumed.resolve };
}
