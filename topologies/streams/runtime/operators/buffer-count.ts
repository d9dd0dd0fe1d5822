import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { Serde } from '../../serde.ts';
import { part } from '../../state/bytes.ts';
import type { KeyValueStore } from '../../state/state-store.ts';
import { type AnyRecord, withValue } from '../record.ts';
import { operator } from './operator.ts';

/** What is open of a key's buffers. */
export interface OpenBuffers {
  /** Records to leave out before the next buffer begins: only where it begins later than the last one ends. */
  readonly skip: number;
  /** From the beginning of the oldest open buffer on. */
  readonly values: readonly unknown[];
}

/**
 * RxJS's `bufferCount`, per key: `size` values together, a new buffer with every `every`th record. What is not full yet stands in the
 * store; it never comes out unfilled, since a stream has no end.
 */
export function bufferCountOperator(
  task: TaskContext,
  name: string,
  store: string,
  size: number,
  every: number,
): OperatorFunction<AnyRecord, AnyRecord> {
  const rows = task.store(store) as KeyValueStore<unknown, OpenBuffers>; // made by the builder of this node
  return operator(task, name, (record, emit) => {
    if (record.key === null) {
      task.dropped(name, 'null-key');
      return;
    }
    const { skip, values } = rows.get(record.key) ?? { skip: 0, values: [] };
    const keep = (open: OpenBuffers): void =>
      rows.put(record.key, open.skip === 0 && open.values.length === 0 ? null : open);
    if (skip > 0) {
      keep({ skip: skip - 1, values });
      return;
    }
    const more = [...values, record.value];
    if (more.length < size) {
      keep({ skip: 0, values: more });
      return;
    }
    keep({ skip: Math.max(0, every - size), values: more.slice(every) });
    emit(withValue(record, more));
  });
}

const none = -1;

/** How many to leave out and how many values, four bytes each; then every value behind the length of its bytes, -1 for null. */
export const openBuffersSerde = (valueSerde: Serde<unknown>): Serde<OpenBuffers> => ({
  serialize: (topic, { skip, values }) => {
    const all = values.map((value) => (value === null ? null : valueSerde.serialize(topic, value)));
    const out = new Uint8Array(all.reduce((sum, bytes) => sum + 4 + (bytes?.length ?? 0), 8));
    const view = new DataView(out.buffer);
    view.setUint32(0, skip);
    view.setUint32(4, all.length);
    let at = 8;
    for (const bytes of all) {
      view.setInt32(at, bytes?.length ?? none);
      at += 4;
      if (bytes === null) continue;
      out.set(bytes, at);
      at += bytes.length;
    }
    return out;
  },
  deserialize: (topic, bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 8;
    const values = Array.from({ length: view.getUint32(4) }, () => {
      const length = view.getInt32(at);
      at += 4;
      if (length === none) return null;
      at += length;
      return valueSerde.deserialize(topic, part(bytes, at - length, at));
    });
    return { skip: view.getUint32(0), values };
  },
});
