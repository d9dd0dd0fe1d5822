import { EncodedRecord } from '../kafka/encoded-records.ts';
import type { ConsumedRecord, FetchedBatch } from '../kafka/port.ts';
import type { DropReason, SourceNode } from '../plan/node.ts';
import { partReaderOf, type Serde } from '../serde.ts';
import type { AnyRecord } from './record.ts';

/** A record that cannot be read. */
export class Unreadable {
  readonly reason: DropReason;
  readonly cause: unknown;

  constructor(reason: DropReason, cause: unknown) {
    this.reason = reason;
    this.cause = cause;
  }
}

/** See `Task.prepare`: what the serdes of `source` need for these records. */
export function prepareRecords({ topic, records }: FetchedBatch, source: SourceNode): Promise<void> | undefined {
  if (source.keySerde.prepare === undefined && source.valueSerde.prepare === undefined) return undefined;
  let waits: Promise<void>[] | undefined;
  for (const { key, value } of records) {
    const forKey = key === null ? undefined : source.keySerde.prepare?.(topic, key);
    const forValue = value === null ? undefined : source.valueSerde.prepare?.(topic, value);
    if (forKey !== undefined || forValue !== undefined) {
      waits ??= [];
      if (forKey !== undefined) waits.push(forKey);
      if (forValue !== undefined) waits.push(forValue);
    }
  }
  return waits === undefined ? undefined : Promise.all(waits).then(() => undefined);
}

/**
 * What the nodes behind `source` get, with the time that its extractor gives. That may be negative: such a record goes no further.
 * @param partitionTime epoch ms of the newest record of this input; -1 before the first
 */
export function readRecord(raw: ConsumedRecord, source: SourceNode, partitionTime: number): AnyRecord | Unreadable {
  const { topic } = raw;
  if (source.nullKeys === 'dead-letter' && raw.key === null)
    return new Unreadable('null-key', new Error(`${topic} is keyed, and this record has no key`));
  if (source.nullValues === 'dead-letter' && raw.value === null)
    return new Unreadable('null-value', new Error(`a record of ${topic} must have a value, and this one has none`));
  let { timestamp } = raw;
  try {
    const key = readKey(raw, source.keySerde);
    const value = readValue(raw, source.valueSerde);
    if (source.timestampExtractor !== null) {
      timestamp = source.timestampExtractor({ key, value, timestamp }, partitionTime);
      if (!Number.isSafeInteger(timestamp))
        throw new RangeError(`the timestamp extractor of ${source.name} gave ${timestamp}, which is no epoch ms`);
    }
    return { key, value, timestamp, headers: raw.headers };
  } catch (error) {
    return new Unreadable('malformed', error);
  }
}

function readKey<K>(raw: ConsumedRecord, serde: Serde<K>): K | null {
  const read = partReaderOf(serde);
  if (read !== undefined && raw instanceof EncodedRecord) return raw.readKey(read);
  return raw.key === null ? null : serde.deserialize(raw.topic, raw.key);
}

function readValue<V>(raw: ConsumedRecord, serde: Serde<V>): V | null {
  const read = partReaderOf(serde);
  if (read !== undefined && raw instanceof EncodedRecord) return raw.readValue(read);
  return raw.value === null ? null : serde.deserialize(raw.topic, raw.value);
}
