import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterClient } from './cluster-client.ts';
import { decodeShare, decodeSubscription, encodeShare, encodeSubscription } from './consumer-protocol.ts';
import { BrokerConnectionError, BrokerRefusalError } from './errors.ts';
import { groupConsumer } from './kafkajs-seam/group-consumer.ts';
import type { GroupMetadata, Membership, MembershipOptions, TopicPartition } from './port.ts';
import { describeGroupRequest, leaveGroupRequest } from './protocol/groups.ts';
import { listTransactionsRequest } from './protocol/produce.ts';

const protocolName = 'bookstream-streams';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Prefix of the two transactional ids of one instance of one application. */
export const transactionalPrefix = (groupId: string, groupInstanceId: string): string =>
  `${groupId}/${groupInstanceId}`;

/**
 * A static member's place in a group (KIP-345), held by kafkajs. The leader tells every member who belongs to the group now. What members
 * agree on is part of their protocol's name, so a broker lets nobody in who comes with something else.
 */
export async function join(client: ClusterClient, options: MembershipOptions): Promise<Membership> {
  for (;;) {
    const joined = await attempt(client, options);
    if (joined !== null) return joined;
    await othersGone(client, options);
  }
}

/** What the leader tells each member beside its partitions. */
interface Told {
  /** Instance ids of all members. */
  readonly instances: readonly string[];
  readonly userData: string;
}

const toldIn = (bytes: Uint8Array): Told =>
  bytes.length === 0 ? { instances: [], userData: '' } : JSON.parse(decoder.decode(bytes)); // written by a leader of this protocol

const protocolOf = (agreement: string | undefined): string =>
  agreement === undefined ? protocolName : `${protocolName}/${agreement}`;

/** Null: the group has members that agree on something else. */
async function attempt(client: ClusterClient, options: MembershipOptions): Promise<Membership | null> {
  const { groupId, groupInstanceId } = options;
  let owned: readonly TopicPartition[] = [];
  let current: GroupMetadata | null = null;
  let differs = false;
  let first = true;
  const sessionTimeoutMs = options.sessionTimeoutMs ?? 10_000;

  const consumer = groupConsumer(
    client.config,
    {
      groupId,
      groupInstanceId,
      sessionTimeoutMs,
      protocolName: protocolOf(options.agreement),
      metadata: () => encodeSubscription({ topics: options.topics, userData: options.userData(), owned }),
      assign: async (members) => {
        const known = members.map(({ memberId, groupInstanceId: instance, metadata }) => {
          const subscription = decodeSubscription(metadata);
          return { memberId, groupInstanceId: instance, userData: subscription.userData, owned: subscription.owned };
        });
        const instances = known.map((member) => member.groupInstanceId).filter((instance) => instance !== null);
        const shares = await options.assign(known);
        return new Map(
          known.map(({ memberId }) => {
            const { partitions, userData } = shares.get(memberId) ?? { partitions: [] };
            const told: Told = { instances, userData: userData ?? '' };
            return [memberId, encodeShare({ partitions, userData: encoder.encode(JSON.stringify(told)) })];
          }),
        );
      },
      beforeRejoin: async () => {
        if (current !== null) await options.onRevoking(current);
        current = null;
      },
      joined: async ({ generationId, memberId, assignment }) => {
        first = false;
        const share = decodeShare(assignment);
        owned = share.partitions;
        current = { groupId, generationId, memberId, groupInstanceId };
        const { instances, userData } = toldIn(share.userData);
        const departed = instances.length === 0 ? [] : await departedInstances(client, groupId, new Set(instances));
        options.onAssigned({ partitions: owned, group: current, departed, userData });
      },
      crashed: (error, restarts) => {
        if (first && isInconsistent(error)) differs = true;
        else if (!restarts) options.onLost(error);
      },
      silent: (error) => options.onSilent?.(error),
    },
    { rebalanceTimeoutMs: 60_000 },
  );
  await consumer.start(options.topics);
  if (differs) return null;
  return {
    rejoin: () => consumer.rejoin(),
    leave: async ({ forget }) => {
      const member = current;
      await consumer.stop();
      if (!forget || member === null) return;
      const request = leaveGroupRequest(groupId, member.memberId, groupInstanceId);
      await client.askCoordinator('group', groupId, request, (errorCode) => errorCode, { withinMs: 3_000 });
    },
  };
}

/** INCONSISTENT_GROUP_PROTOCOL: the group's members have no protocol in common with this one. */
const isInconsistent = (error: Error): boolean =>
  ('type' in error && error.type === 'INCONSISTENT_GROUP_PROTOCOL') ||
  (error.cause instanceof Error && isInconsistent(error.cause));

const lookEveryMs = 500;

/** Resolves when the group may be joined: nobody is there any more who agrees on something else. */
async function othersGone(client: ClusterClient, options: MembershipOptions): Promise<void> {
  const { groupId, groupInstanceId, agreement, onWaiting, signal } = options;
  let told = '';
  let formerSelfOut = false;
  for (;;) {
    signal?.throwIfAborted();
    const group = await client.askCoordinator('group', groupId, describeGroupRequest(groupId), (one) => one.errorCode);
    if (group.errorCode !== 0) throw new BrokerRefusalError(`DescribeGroups of ${groupId}`, group.errorCode);
    const { members, protocol } = group;
    if (members.length === 0 || protocol === protocolOf(agreement)) return;
    if (!formerSelfOut && members.some((member) => member.groupInstanceId === groupInstanceId)) {
      // The topology of this very instance has changed: nobody comes back for that place. If somebody does, it lives, and is waited for.
      formerSelfOut = true;
      const request = leaveGroupRequest(groupId, '', groupInstanceId);
      await client.askCoordinator('group', groupId, request, (errorCode) => errorCode, { withinMs: 3_000 });
      continue;
    }
    const names = members.map((member) => member.groupInstanceId ?? member.memberId).sort();
    // Amid a rebalance the protocol is not told.
    if (protocol !== '' && told !== `${protocol} ${names}`) {
      told = `${protocol} ${names}`;
      const theirs = protocol.startsWith(`${protocolName}/`) ? protocol.slice(protocolName.length + 1) : null;
      onWaiting?.({ agreement: theirs, names });
    }
    await sleep(lookEveryMs, undefined, { ...(signal && { signal }) }).catch(() => undefined); // looked at above
  }
}

/** A broker answers from its memory; the group must not wait for one that hangs. */
const listWithinMs = 3_000;

/**
 * Transactional ids that have a transaction, as far as brokers can be asked. What a broker coordinates that is away is not told: such a transaction is
 * then not settled by us but waited for, by `requireStable` and the restore, until it ends or times out; its owner's offsets are refused all the same.
 */
async function openTransactions(client: ClusterClient): Promise<readonly string[]> {
  const lists = (await client.brokers()).map(async (node): Promise<readonly string[]> => {
    const asked = client.ask(node, listTransactionsRequest()).then(
      ({ transactionalIds }) => transactionalIds,
      (error: unknown) => {
        if (error instanceof BrokerConnectionError) return [];
        throw error;
      },
    );
    return Promise.race([asked, sleep(listWithinMs, [], { ref: false })]);
  });
  return (await Promise.all(lists)).flat();
}

/** Instances of this application that have open transactions and are members no more. */
async function departedInstances(
  client: ClusterClient,
  groupId: string,
  members: ReadonlySet<string>,
): Promise<readonly string[]> {
  const prefix = `${groupId}/`;
  const instances = (await openTransactions(client))
    .filter((id) => id.startsWith(prefix) && /-[ab]$/.test(id))
    .map((id) => id.slice(prefix.length, -2));
  return [...new Set(instances)].filter((instance) => !members.has(instance));
}
