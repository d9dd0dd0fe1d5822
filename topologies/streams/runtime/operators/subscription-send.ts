import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { Serde } from '../../serde.ts';
import { checkKey } from '../../state/bytes.ts';
import { type AnyRecord, withKeyAndValue } from '../record.ts';
import { operator } from './operator.ts';
import { type Instruction, type Subscription, subscriptionKey } from './subscription.ts';
import { changeOf, type RowVersion } from './table.ts';

export interface SubscriptionSend {
  /**
   * Every change of a left row is answered: so it must be in a left join. An inner join of `kafka-streams` asks for an answer only where
   * it takes one to be needed, and is wrong when a row changes again before the answer has come: that answer is dropped as stale, the
   * newer change asks for none, and a result that should be gone stays for ever. `strict` asks always.
   */
  readonly always: boolean;
  readonly foreignKeyOf: (value: unknown, key: unknown) => unknown;
  readonly primaryKeySerde: Serde<unknown>;
  readonly foreignKeySerde: Serde<unknown>;
}

const sameBytes = (a: Uint8Array | null, b: Uint8Array | null): boolean =>
  a === null || b === null ? a === b : Buffer.compare(a, b) === 0;

/**
 * `SubscriptionSendProcessorSupplier`: tells the right side which row each left row wants. A row that changes its foreign key leaves the
 * old one in silence, since the new one's answer replaces the result. (The original's comments: superfluous tombstones are the price.)
 */
export function subscriptionSend(
  task: TaskContext,
  name: string,
  topic: string,
  versionOf: RowVersion,
  join: SubscriptionSend,
): OperatorFunction<AnyRecord, AnyRecord> {
  const { always, primaryKeySerde, foreignKeySerde } = join;
  const bytesOf = (foreignKey: unknown) =>
    foreignKey === null ? null : foreignKeySerde.serialize(`${topic}-fk`, foreignKey);
  return operator(task, name, (record, emit) => {
    const { newValue, oldValue, isLatest } = changeOf(record);
    if (record.key === null || !isLatest) {
      task.dropped(name, record.key === null ? 'null-key' : 'out-of-order');
      return;
    }
    const foreignKeyOf = (value: unknown) => (value === null ? null : (join.foreignKeyOf(value, record.key) ?? null));
    const was = foreignKeyOf(oldValue);
    const is = foreignKeyOf(newValue);
    const [wasBytes, isBytes] = [bytesOf(was), bytesOf(is)];
    const changed = !sameBytes(wasBytes, isBytes);
    const primaryKey = primaryKeySerde.serialize(`${topic}-pk`, record.key);
    // Here, where the author's handler can take it: on the right side it would stop the application.
    if (isBytes !== null) checkKey(subscriptionKey(isBytes, primaryKey));
    const hash = newValue === null ? null : versionOf(record.key, newValue);
    const send = (foreignKey: unknown, instruction: Instruction) => {
      const subscription: Subscription = { instruction, leftPartition: task.partition, hash, primaryKey };
      emit(withKeyAndValue(record, foreignKey, subscription));
    };
    if (always) {
      if (oldValue === null && newValue === null) return;
      if (was !== null && changed) send(was, 'unsubscribe');
      send(is, 'answer');
      return;
    }
    if (newValue !== null && is === null) task.dropped(name, 'null-key');
    if (is === null) {
      if (was !== null) send(was, 'unsubscribe-and-answer');
      return;
    }
    if (was !== null && changed) send(was, 'unsubscribe');
    send(is, was !== null && changed ? 'answer' : 'answer-if-found');
  });
}
