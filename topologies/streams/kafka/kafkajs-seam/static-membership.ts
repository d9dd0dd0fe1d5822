import { BrokerSilentError, SeamVersionError } from '../errors.ts';
import {
  type InternalBroker,
  type InternalCluster,
  type InternalGroup,
  type InternalPool,
  type Internals,
  provenVersion,
} from './internals.ts';

export interface GroupMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Buffer;
}

/** What a group member of ours adds to kafkajs's own consumer. Byte fields are the consumer protocol's, whole. */
export interface GroupHooks {
  readonly groupId: string;
  readonly groupInstanceId: string;
  readonly sessionTimeoutMs: number;
  readonly protocolName: string;
  metadata(): Buffer;
  /** Runs in the leader. */
  assign(members: readonly GroupMember[]): Promise<ReadonlyMap<string, Buffer>>;
  /** Awaited before every join but the first; heartbeats go on meanwhile. */
  beforeRejoin(): Promise<void>;
  joined(group: {
    readonly generationId: number;
    readonly memberId: string;
    readonly assignment: Buffer;
  }): Promise<void>;
  crashed(error: Error, restarts: boolean): void;
  /** The coordinator did not answer in time though its connection was up; it is asked on a new one. */
  silent(error: Error): void;
}

/** How long an idle consumer waits between two heartbeats. */
export const heartbeatEveryMs = 500;

/** What is known of one consumer's place in its group. */
export interface GroupPlace {
  readonly hooks: GroupHooks;
  /** Each ends an idle wait, so that a stop need not sit out a heartbeat. */
  readonly waiting: Set<() => void>;
  /** It was asked to join again. */
  rejoins: boolean;
  /** The next join is a rejoin. */
  hasJoined: boolean;
  /** As the broker sent it last. */
  assignment: Buffer | null;
}

/** By the assigner object that kafkajs was given: the one thing of ours that every ConsumerGroup carries. */
const placeOfAssigner = new WeakMap<object, GroupPlace>();

/** From here on the group that kafkajs makes with this assigner is ours. */
export const holdPlace = (assigner: object, place: GroupPlace): void => {
  placeOfAssigner.set(assigner, place);
};

const placeOf = (group: InternalGroup): GroupPlace | undefined => {
  const [assigner] = group.assigners;
  return assigner && placeOfAssigner.get(assigner);
};

/** Fails a kafkajs connection as a lost one: who waits for it is told, and the next request opens a new one. */
const dropConnections = (pool: InternalPool, error: Error): void => {
  for (const connection of pool.pool) if (connection.isConnected()) connection.socket.destroy(error);
};

/**
 * A broker whose group requests carry the instance id (KIP-345): kafkajs has the fields and never fills them. And kafkajs asks again on the same
 * connection when an answer does not come, for ever; here that one is given up.
 */
const withInstanceId = (broker: InternalBroker, place: GroupPlace, internals: Internals): InternalBroker => {
  const { hooks } = place;
  const { groupId, groupInstanceId } = hooks;
  const isSilent = (name: string, withinMs: number | null): void => {
    const time = withinMs === null ? 'in its time' : `within ${withinMs} ms`;
    const text = `the coordinator of ${groupId} has not answered ${name} ${time} though the connection was up; it is asked again on a new one`;
    const error = new BrokerSilentError(text);
    dropConnections(broker.connectionPool, error);
    hooks.silent(error);
  };
  const ask = (name: string, args: object): Promise<unknown> => {
    const apiKey = internals.apiKeys[name];
    if (apiKey === undefined) throw new SeamVersionError(`kafkajs ${provenVersion} knows no request ${name}`);
    return broker.connectionPool.send(
      broker.lookupRequest(apiKey, internals.requests[name])({ ...args, groupInstanceId }),
    );
  };
  const send = async (name: string, args: object): Promise<unknown> => {
    try {
      return await ask(name, args);
    } catch (error) {
      // A join may take as long as the slowest member; kafkajs knows how long that is.
      if (error instanceof Error && error.name === 'KafkaJSRequestTimeoutError') isSilent(name, null);
      throw error;
    }
  };
  const heartbeat = async (args: object): Promise<unknown> => {
    const withinMs = hooks.sessionTimeoutMs / 2;
    // What has come while this thread was busy is read before the second turn.
    const timer = setTimeout(() => setImmediate(() => setImmediate(late)), withinMs);
    let answered = false;
    const late = (): void => {
      if (!answered) isSilent('a heartbeat', withinMs);
    };
    try {
      return await send('Heartbeat', args);
    } finally {
      answered = true;
      clearTimeout(timer);
    }
  };
  return Object.assign(Object.create(broker), {
    joinGroup: (args: object) => send('JoinGroup', { ...args, protocolType: 'consumer' }),
    heartbeat,
    leaveGroup: async () => {}, // A restart keeps its place; who leaves for good sends LeaveGroup by itself.
    syncGroup: async (args: object) => {
      // The shape is kafkajs's own SyncGroup v3 answer.
      const answer = (await send('SyncGroup', args)) as { memberAssignment: Buffer };
      place.assignment = Buffer.from(answer.memberAssignment);
      return answer;
    },
  });
};

/** Runs the hook under heartbeats: one that takes longer than the session time-out would cost the member its place. */
const revoke = async (group: InternalGroup, hooks: GroupHooks): Promise<void> => {
  const { coordinator, groupId, memberId, generationId } = group;
  const beat = setInterval(() => {
    if (memberId === null) return;
    // It answers REBALANCE_IN_PROGRESS, which is why we are here.
    coordinator?.heartbeat({ groupId, memberId, groupGenerationId: generationId }).catch(() => {});
  }, 1000);
  try {
    await hooks.beforeRejoin();
  } finally {
    clearInterval(beat);
  }
};

export const patchGroup = (prototype: InternalGroup, internals: Internals): void => {
  const { joinAndSync, fetch } = prototype;
  const wrapped = new WeakSet<InternalCluster>();

  prototype.joinAndSync = async function (this: InternalGroup): Promise<void> {
    const place = placeOf(this);
    if (!place) return joinAndSync.call(this);
    if (!wrapped.has(this.cluster)) {
      wrapped.add(this.cluster);
      const find = this.cluster.findGroupCoordinator.bind(this.cluster);
      this.cluster.findGroupCoordinator = async (args) => withInstanceId(await find(args), place, internals);
    }
    if (place.hasJoined) {
      place.hasJoined = false;
      await revoke(this, place.hooks);
    }
    await joinAndSync.call(this);
    const { generationId, memberId } = this;
    const { assignment } = place;
    if (generationId === null || memberId === null || !assignment) return;
    place.hasJoined = true;
    place.rejoins = false; // what was asked for has just been done
    await place.hooks.joined({ generationId, memberId, assignment });
  };

  // Membership only: the runner calls this in a loop and heartbeats after each empty answer.
  prototype.fetch = async function (this: InternalGroup, nodeId: string): Promise<readonly unknown[]> {
    const place = placeOf(this);
    if (!place) return fetch.call(this, nodeId);
    try {
      await this.cluster.refreshMetadataIfNecessary();
      this.checkForStaleAssignment();
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          place.waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, heartbeatEveryMs);
        place.waiting.add(wake);
      });
    } catch (error) {
      await this.recoverFromFetch(error);
    }
    // What a heartbeat would throw: kafkajs then joins again.
    if (place.rejoins) {
      place.rejoins = false;
      throw Object.assign(new Error('asked to join again'), { type: 'REBALANCE_IN_PROGRESS' });
    }
    return [];
  };
};
