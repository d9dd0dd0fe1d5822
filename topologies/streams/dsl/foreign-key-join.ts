import { MissingSerdeError } from '../errors.ts';
import type { TaskContext } from '../plan/node.ts';
import { internalTopicOf } from '../plan/topology.ts';
import { responseJoin } from '../runtime/operators/response-join.ts';
import {
  responseSerde,
  type Subscription,
  type SubscriptionResponse,
  subscriptionSerde,
  versionHash,
} from '../runtime/operators/subscription.ts';
import { foreignTableJoin, subscriptionJoin, subscriptionReceive } from '../runtime/operators/subscription-receive.ts';
import { subscriptionSend } from '../runtime/operators/subscription-send.ts';
import type { RowVersion } from '../runtime/operators/table.ts';
import { type Serde, Serdes } from '../serde.ts';
import { type Graph, sourcesOf } from './graph.ts';
import type { KTable, TableResultOptions } from './k-table.ts';
import { Stores } from './stores.ts';
import type { TableView } from './table-behaviour.ts';
import { tableOf } from './table-source.ts';

export interface ForeignKeyJoinOptions<K2, V2, R> extends TableResultOptions<R> {
  /** Of the right rows on their way to the left ones; needed where the right table's own is not known. */
  readonly otherValueSerde?: Serde<V2>;
  /** How the right table's topic is partitioned, if not by the bytes of its keys. */
  readonly otherPartitioner?: (foreignKey: K2, partitions: number) => number;
}

export interface ForeignKeyJoin<K, V, K2, V2, R> {
  readonly left: KTable<K, V>;
  readonly right: KTable<K2, V2>;
  readonly foreignKeyOf: (value: V, key: K) => K2 | null;
  readonly joiner: (left: V, right: V2, key: K) => R | null;
  readonly leftJoin: boolean;
  readonly options: ForeignKeyJoinOptions<K2, V2, R>;
}

const erased = <T>(serde: Serde<T>): Serde<unknown> => serde as Serde<unknown>; // inside the graph types are erased

/**
 * `KTableImpl#doJoinOnForeignKey`. Each left row tells the task of its foreign key that it wants that right row, over one internal topic
 * (`-subscription-registration-topic`); each answer, at once and whenever the right row changes, comes back over another one
 * (`-subscription-response-topic`) to the partition of the left row. So the two tables need not be partitioned alike.
 */
export function foreignKeyJoin<K, V, K2, V2, R>(graph: Graph, join: ForeignKeyJoin<K, V, K2, V2, R>): KTable<K, R> {
  const { left, right, leftJoin, options } = join;
  const as = options.as ?? options.store;
  graph.demandName(
    as,
    `The foreign-key join of ${left.node.name} with ${right.node.name} has two internal topics and a store: give it a name (as).`,
  );
  const part = (suffix: string, prefix: string) => graph.name(prefix, as && `${as}${suffix}`);
  // The original counts in this order, and its numbers tell.
  const requestTopic = `${part('-subscription-registration', 'KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-')}-topic`;
  const sendName = part('-subscription-registration-processor', 'KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-');
  const requestSink = part('-subscription-registration-sink', 'KTABLE-SINK-');
  const requestSource = part('-subscription-registration-source', 'KTABLE-SOURCE-');
  const store = part('-subscription-store', 'KTABLE-FK-JOIN-SUBSCRIPTION-STATE-STORE-');
  const receiveName = part('-subscription-receive', 'KTABLE-FK-JOIN-SUBSCRIPTION-PROCESSOR-');
  const joinName = part('-subscription-join-foreign', 'KTABLE-FK-JOIN-SUBSCRIPTION-PROCESSOR-');
  const foreignName = part('-foreign-join-subscription', 'KTABLE-FK-JOIN-SUBSCRIPTION-PROCESSOR-');
  const responseTopic = `${part('-subscription-response', 'KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-')}-topic`;
  const responseSink = part('-subscription-response-sink', 'KTABLE-SINK-');
  const responseSource = part('-subscription-response-source', 'KTABLE-SOURCE-');
  const resolverName = part(
    '-subscription-response-resolver',
    'KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-RESOLVER-PROCESSOR-',
  );
  const resultName = part('-result', 'KTABLE-FK-JOIN-OUTPUT-');

  const resultStore = options.store ?? graph.name('KTABLE-FK-JOIN-OUTPUT-STATE-STORE-');

  const node = as ?? resultName;
  const need = <T>(serde: Serde<T> | null | undefined, what: string, cure: string): Serde<T> => {
    if (serde !== null && serde !== undefined) return serde;
    throw new MissingSerdeError(`${node} needs ${what}, and none is known there; nothing was built. ${cure}`);
  };
  const primaryKeySerde = need(left.serdes.key, "the left table's keySerde", 'Give one where that table is made.');
  const foreignKeySerde = need(right.serdes.key, "the right table's keySerde", 'Give one where that table is made.');
  const rightSerde = need(
    options.otherValueSerde ?? right.serdes.value,
    "the right table's valueSerde",
    'Give it as otherValueSerde.',
  );

  // Both tables are kept: the left one for its old foreign keys and for the answers, the right one for the requests.
  right.behaviour.sendOldValues(true);
  left.behaviour.sendOldValues(true);
  const leftView = left.behaviour.view();
  const rightView = right.behaviour.view();
  const versions = versionsOf(leftView, left.serdes.value, requestTopic, (bytes) =>
    need(bytes, "the left table's valueSerde", 'Give one where that table is made.'),
  );

  const internal = { internal: { partitions: null }, timestampExtractor: null, offsetReset: 'earliest' } as const;
  const open = { nullKeys: 'keep', nullValues: 'keep' } as const;
  const rows = (task: TaskContext) => ({
    store,
    topic: internalTopicOf(task.applicationId, requestTopic),
    foreignKeySerde: erased(foreignKeySerde),
  });

  const send = graph.processor(
    sendName,
    [left.node],
    (task) =>
      subscriptionSend(task, sendName, internalTopicOf(task.applicationId, requestTopic), versions(task), {
        always: leftJoin || graph.semantics === 'strict',
        foreignKeyOf: join.foreignKeyOf as (value: unknown, key: unknown) => unknown, // types are erased below
        primaryKeySerde: erased(primaryKeySerde),
        foreignKeySerde: erased(foreignKeySerde),
      }),
    leftView.stores,
  );
  const { otherPartitioner } = options;
  graph.sink({
    name: requestSink,
    parents: [send],
    topic: requestTopic,
    internal: true,
    keySerde: erased(foreignKeySerde),
    valueSerde: erased(subscriptionSerde),
    partitioner: (foreignKey, subscription, partitions) => {
      const { leftPartition } = subscription as Subscription; // the only thing that is sent there
      // Without a foreign key any partition will do; all of them share the work.
      if (foreignKey === null) return leftPartition % partitions;
      return otherPartitioner?.(foreignKey as K2, partitions) ?? null; // the right table's keys
    },
  });
  const requests = graph.source({
    name: requestSource,
    topic: requestTopic,
    ...internal,
    ...open,
    keySerde: erased(foreignKeySerde),
    valueSerde: erased(subscriptionSerde),
  });
  graph.coPartition({ node, sources: [...sourcesOf(right.node), requests] });
  graph.addStore(
    Stores.timestampedKeyValue({
      name: store,
      keySerde: Serdes.bytes,
      valueSerde: subscriptionSerde,
      persistent: options.persistent ?? true,
    }),
  );
  const receive = graph.processor(
    receiveName,
    [requests],
    (task) => subscriptionReceive(task, receiveName, rows(task)),
    [store],
  );
  const answer = graph.processor(
    joinName,
    [receive],
    (task) => subscriptionJoin(task, joinName, rightView.getter(task)),
    rightView.stores,
  );
  const foreign = graph.processor(
    foreignName,
    [right.node],
    (task) => foreignTableJoin(task, foreignName, rows(task)),
    [store],
  );
  graph.sink({
    name: responseSink,
    parents: [answer, foreign],
    topic: responseTopic,
    internal: true,
    keySerde: erased(Serdes.bytes),
    valueSerde: erased(responseSerde(rightSerde)),
    partitioner: (_key, response) => (response as SubscriptionResponse<V2>).leftPartition, // the only thing that is sent there
  });
  const responses = graph.source({
    name: responseSource,
    topic: responseTopic,
    ...internal,
    ...open,
    keySerde: erased(primaryKeySerde),
    valueSerde: erased(responseSerde(rightSerde)),
  });
  graph.coPartition({ node, sources: [...sourcesOf(left.node), responses] });
  const deletesOnlyWhatIs = graph.semantics === 'strict' && options.store !== undefined;
  const resolved = graph.processor(
    resolverName,
    [responses],
    (task) =>
      responseJoin(task, resolverName, leftView.getter(task), versions(task), {
        leftJoin,
        joiner: join.joiner as (left: unknown, right: unknown, key: unknown) => unknown, // types are erased below
        semantics: graph.semantics,
        result: deletesOnlyWhatIs ? resultStore : null,
      }),
    deletesOnlyWhatIs ? [...leftView.stores, resultStore] : leftView.stores,
  );
  const serdes = { key: primaryKeySerde, value: options.valueSerde ?? null };
  return tableOf<K, R>(graph, resolved, resultName, serdes, options, resultStore);
}

/** How the left side tells versions of a row apart: by what is stored, and where nothing is, by the value's bytes. */
function versionsOf<V>(
  view: TableView,
  valueSerde: Serde<V> | null,
  topic: string,
  need: (serde: Serde<V> | null) => Serde<V>,
): (task: TaskContext) => RowVersion {
  const byValue = (): RowVersion => {
    const serde = need(valueSerde);
    return (_key, value) => versionHash(serde.serialize(`${topic}-vh`, value as V)); // the left table's values
  };
  const { bytes } = view;
  if (bytes === undefined) {
    const version = byValue();
    return () => version;
  }
  return (task) => {
    const bytesOf = bytes(task);
    return bytesOf === null ? byValue() : (key) => versionHash(bytesOf(key) ?? nothing);
  };
}

const nothing = new Uint8Array(0);
