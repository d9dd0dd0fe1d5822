import type { ClusterClient } from './cluster-client.ts';
import { decodeShare, decodeSubscription, encodeShare, encodeSubscription } from './consumer-protocol.ts';
import { groupConsumer } from './kafkajs-seam.ts';
import type { GroupMetadata, Membership, MembershipOptions, TopicPartition } from './port.ts';
import { leaveGroupRequest, listTransactionsRequest } from './protocol.ts';

const protocolName = 'bookstream-streams';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Prefix of the two transactional ids of one instance of one application. */
export const transactionalPrefix = (groupId: string, groupInstanceId: string): string =>
  `${groupId}/${groupInstanceId}`;

/** A static member's place in a group (KIP-345), held by kafkajs. The leader tells every member who belongs to the group now. */
export async function join(client: ClusterClient, options: MembershipOptions): Promise<Membership> {
  const { groupId, groupInstanceId } = options;
  let owned: readonly TopicPartition[] = [];
  let current: GroupMetadata | null = null;
  const sessionTimeoutMs = options.sessionTimeoutMs ?? 10_000;

  const consumer = groupConsumer(
    client.config,
    {
      groupId,
      groupInstanceId,
      protocolName,
      metadata: () => encodeSubscription({ topics: options.topics, userData: options.userData(), owned }),
      assign: (members) => {
        const known = members.map(({ memberId, groupInstanceId: instance, metadata }) => {
          const subscription = decodeSubscription(metadata);
          return { memberId, groupInstanceId: instance, userData: subscription.userData, owned: subscription.owned };
        });
        const instances = known.map((member) => member.groupInstanceId).filter((instance) => instance !== null);
        const userData = encoder.encode(JSON.stringify(instances));
        const shares = options.assign(known);
        return new Map(
          known.map(({ memberId }) => [memberId, encodeShare({ partitions: shares.get(memberId) ?? [], userData })]),
        );
      },
      beforeRejoin: async () => {
        if (current !== null) await options.onRevoking(current);
        current = null;
      },
      joined: async ({ generationId, memberId, assignment }) => {
        const share = decodeShare(assignment);
        owned = share.partitions;
        current = { groupId, generationId, memberId, groupInstanceId };
        const instances: readonly string[] =
          share.userData.length === 0 ? [] : JSON.parse(decoder.decode(share.userData)); // written by the leader above
        const departed = instances.length === 0 ? [] : await departedInstances(client, groupId, new Set(instances));
        options.onAssigned({ partitions: owned, group: current, departed });
      },
      crashed: (error, restarts) => {
        if (!restarts) options.onLost(error);
      },
    },
    { sessionTimeoutMs, rebalanceTimeoutMs: 60_000 },
  );
  await consumer.start(options.topics);
  return {
    leave: async ({ forget }) => {
      const member = current;
      await consumer.stop();
      if (!forget || member === null) return;
      const request = leaveGroupRequest(groupId, member.memberId, groupInstanceId);
      await client.askCoordinator('group', groupId, request, (errorCode) => errorCode, { withinMs: 3_000 });
    },
  };
}

/** Instances of this application that have open transactions and are members no more. */
async function departedInstances(
  client: ClusterClient,
  groupId: string,
  members: ReadonlySet<string>,
): Promise<readonly string[]> {
  const prefix = `${groupId}/`;
  const lists = await Promise.all((await client.brokers()).map((node) => client.ask(node, listTransactionsRequest())));
  const instances = lists
    .flatMap((list) => list.transactionalIds)
    .filter((id) => id.startsWith(prefix) && /-[ab]$/.test(id))
    .map((id) => id.slice(prefix.length, -2));
  return [...new Set(instances)].filter((instance) => !members.has(instance));
}
