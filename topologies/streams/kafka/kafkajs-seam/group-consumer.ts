import { type ConnectionConfig, kafkaOf } from './patched-kafkajs.ts';
import { type GroupHooks, type GroupPlace, heartbeatEveryMs, holdPlace } from './static-membership.ts';

export interface GroupConsumer {
  /** Resolves after the first join, whose `joined` hook has been awaited. */
  start(topics: readonly string[]): Promise<void>;
  /** Leaves the consumer's loop and its connections; the place in the group stays until the session times out. */
  stop(): Promise<void>;
  /** Joins again soon, as if the group were rebalancing: the broker compares the metadata, and shares out anew where they have changed. */
  rejoin(): void;
}

/** A kafkajs consumer that holds a static member's place and never fetches. */
export const groupConsumer = (
  config: ConnectionConfig,
  hooks: GroupHooks,
  timeouts: { readonly rebalanceTimeoutMs: number },
): GroupConsumer => {
  const place: GroupPlace = { hooks, waiting: new Set(), rejoins: false, hasJoined: false, assignment: null };
  const consumer = kafkaOf(config, true).consumer({
    groupId: hooks.groupId,
    sessionTimeout: hooks.sessionTimeoutMs,
    rebalanceTimeout: timeouts.rebalanceTimeoutMs,
    // A little below the wait of the idle loop, else every second beat would be skipped.
    heartbeatInterval: heartbeatEveryMs * 0.8,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 50, maxRetryTime: 1000, retries: 10 },
    partitionAssigners: [
      () => {
        const assigner = {
          name: hooks.protocolName,
          version: 1,
          protocol: () => ({ name: hooks.protocolName, metadata: hooks.metadata() }),
          assign: async ({
            members,
          }: {
            members: { memberId: string; memberMetadata: Buffer; groupInstanceId?: string }[];
          }) => {
            const shares = await hooks.assign(
              members.map((member) => ({
                memberId: member.memberId,
                groupInstanceId: member.groupInstanceId ?? null,
                metadata: member.memberMetadata,
              })),
            );
            return members.map(({ memberId }) => ({
              memberId,
              memberAssignment: shares.get(memberId) ?? Buffer.alloc(0),
            }));
          },
        };
        holdPlace(assigner, place);
        return assigner;
      },
    ],
  });
  consumer.on('consumer.crash', ({ payload }) => hooks.crashed(payload.error, payload.restart));
  const wakeUp = (): void => {
    for (const wake of place.waiting) wake();
  };
  return {
    start: async (topics) => {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics] });
      await consumer.run({ autoCommit: false, eachBatch: async () => {} });
    },
    stop: async () => {
      const stopped = consumer.disconnect();
      wakeUp();
      await stopped;
    },
    rejoin: () => {
      place.rejoins = true;
      wakeUp();
    },
  };
};
