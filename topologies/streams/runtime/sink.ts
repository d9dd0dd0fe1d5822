import { ProductionError } from '../errors.ts';
import { partitionForKey } from '../kafka/partitioner.ts';
import type { SinkNode, TaskContext } from '../plan/node.ts';
import { internalTopicOf } from '../plan/topology.ts';
import type { LastRead } from './last-read.ts';
import type { AnyRecord } from './record.ts';

/** What a sink does with a record. @throws RangeError – its partitioner chose a partition that is not there */
export function sinkOf(
  node: SinkNode,
  task: TaskContext,
  lastRead: LastRead,
  partitionsOf: (topic: string) => number,
): (record: AnyRecord) => void {
  const { keySerde, valueSerde, partitioner, topic: named } = node;
  const real = (name: string): string => (node.internal ? internalTopicOf(task.applicationId, name) : name);
  const keyBytes = ({ key }: AnyRecord, topic: string): Uint8Array | null =>
    key === null ? null : lastRead.keyBytes(keySerde, topic, key);
  const valueBytes = ({ value }: AnyRecord, topic: string): Uint8Array | null =>
    value === null ? null : lastRead.valueBytes(valueSerde, topic, value);
  const send = (topic: string, count: number, record: AnyRecord): void => {
    const key = keyBytes(record, topic);
    const value = valueBytes(record, topic);
    const partition = partitioner?.(record.key, record.value, count) ?? partitionForKey(key, count);
    if (!(Number.isInteger(partition) && partition >= 0 && partition < count))
      throw new RangeError(`its partitioner chose ${partition}; ${topic} has the partitions 0 to ${count - 1}`);
    task.produce(topic, partition, key, value, record.timestamp, record.headers, node.name);
  };
  if (typeof named !== 'string') {
    return (record) => {
      const topic = real(named(record.key, record.value, record));
      let count: number;
      try {
        count = partitionsOf(topic);
      } catch (error) {
        if (!(error instanceof ProductionError)) throw error;
        const { timestamp, headers } = record;
        const lost = {
          topic,
          partition: 0,
          timestamp,
          key: keyBytes(record, topic),
          value: valueBytes(record, topic),
          headers,
        };
        task.refuseToSend(node.name, lost, error);
        return;
      }
      send(topic, count, record);
    };
  }
  const topic = real(named);
  // Asked with the first record: only then must the topic be there.
  let count = 0;
  return (record) => {
    if (count === 0) count = partitionsOf(topic);
    send(topic, count, record);
  };
}
