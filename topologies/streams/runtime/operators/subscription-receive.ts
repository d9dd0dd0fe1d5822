import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { Serde } from '../../serde.ts';
import type { TimestampedKeyValueStore } from '../../state/state-store.ts';
import { type AnyRecord, withKeyAndValue, withValue } from '../record.ts';
import { operator } from './operator.ts';
import { type Subscription, type SubscriptionResponse, subscriptionKey, subscriptionPrefix } from './subscription.ts';
import { changeOf } from './table.ts';
import type { Getter } from './table-rows.ts';

type Operator = OperatorFunction<AnyRecord, AnyRecord>;
type Subscriptions = TimestampedKeyValueStore<Uint8Array, Subscription>;

export interface SubscriptionRows {
  /** Holds a row for every left row, under its foreign key. */
  readonly store: string;
  /** Of the subscription topic; the foreign key's serde is given its name with `-fk`, on both sides. */
  readonly topic: string;
  readonly foreignKeySerde: Serde<unknown>;
}

const subscriptionsOf = (task: TaskContext, { store }: SubscriptionRows) => task.store(store) as Subscriptions; // made by the builder of the join
/** The left key stands in the row's key already. */
const noKey = new Uint8Array(0);

/** `SubscriptionReceiveProcessorSupplier`: keeps who wants which right row, and passes the request on. */
export function subscriptionReceive(task: TaskContext, name: string, rows: SubscriptionRows): Operator {
  const subscriptions = subscriptionsOf(task, rows);
  return operator(task, name, (record, emit) => {
    const subscription = record.value as Subscription; // its source reads nothing else
    if (record.key !== null) {
      const foreignKey = rows.foreignKeySerde.serialize(`${rows.topic}-fk`, record.key);
      const key = subscriptionKey(foreignKey, subscription.primaryKey);
      const { instruction } = subscription;
      const leaves = instruction === 'unsubscribe' || instruction === 'unsubscribe-and-answer';
      const value = { ...subscription, primaryKey: noKey };
      subscriptions.put(key, leaves ? null : { value, timestamp: record.timestamp });
    }
    emit(record);
  });
}

/** `SubscriptionJoinProcessorSupplier`: the answer to a request, with the right row as it is now. */
export function subscriptionJoin(task: TaskContext, name: string, right: Getter): Operator {
  return operator(task, name, (record, emit) => {
    const { instruction, primaryKey, hash, leftPartition } = record.value as Subscription; // its only parent passes subscriptions on
    if (instruction === 'unsubscribe') return;
    const row = record.key === null ? null : right(record.key);
    if (instruction === 'answer-if-found' && row === null) return;
    const value = instruction === 'unsubscribe-and-answer' ? null : (row?.value ?? null);
    const response: SubscriptionResponse<unknown> = { leftPartition, hash, value };
    const timestamp = Math.max(record.timestamp, row?.timestamp ?? -1);
    emit({ key: primaryKey, value: response, timestamp, headers: record.headers });
  });
}

/** `ForeignTableJoinProcessorSupplier`: a right row's change is told to every left row that wants it, in the order of their keys. */
export function foreignTableJoin(task: TaskContext, name: string, rows: SubscriptionRows): Operator {
  const subscriptions = subscriptionsOf(task, rows);
  return operator(task, name, (record, emit) => {
    const { newValue, isLatest } = changeOf(record);
    if (record.key === null || !isLatest) {
      task.dropped(name, record.key === null ? 'null-key' : 'out-of-order');
      return;
    }
    const prefix = subscriptionPrefix(rows.foreignKeySerde.serialize(`${rows.topic}-fk`, record.key));
    for (const [key, { value }] of subscriptions.prefixScan(prefix)) {
      const response = { leftPartition: value.leftPartition, hash: value.hash, value: newValue };
      emit(withKeyAndValue(withValue(record, null), key.subarray(prefix.length), response));
    }
  });
}
