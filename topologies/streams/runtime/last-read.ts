import { EncodedRecord } from '../kafka/encoded-records.ts';
import type { ConsumedRecord } from '../kafka/port.ts';
import type { SourceNode } from '../plan/node.ts';
import type { Serde } from '../serde.ts';
import { type ByteSpan, byteString } from '../state/bytes.ts';

const isPrimitive = (value: unknown): boolean => typeof value !== 'object' || value === null;

const noBytes = new Uint8Array();

/**
 * The record under way as it was read: what goes on unchanged is not serialised again. Nearly every key does, into stores, changelogs and other
 * topics. Only for serdes whose bytes do not depend on the topic; for keys, which are compared by them, only where they have one form.
 */
export class LastRead {
  #raw: ConsumedRecord | null = null;
  #keySerde: Serde<unknown> | null = null;
  #key: unknown = null;
  #valueSerde: Serde<unknown> | null = null;
  #value: unknown = null;
  readonly #span: ByteSpan = { bytes: noBytes, from: 0, to: 0 };
  #namedBy: Serde<unknown> | null = null;
  #named: unknown = null;
  #name = '';

  /** @param key, value what the source's serdes made of `raw` */
  note({ keySerde, valueSerde }: SourceNode, raw: ConsumedRecord, key: unknown, value: unknown): void {
    this.#raw = raw;
    this.#keySerde = keySerde.ofAnyTopic && keySerde.oneForm ? keySerde : null;
    this.#key = key;
    this.#valueSerde = valueSerde.ofAnyTopic ? valueSerde : null;
    this.#value = value;
  }

  keyBytes<K>(serde: Serde<K>, topic: string, key: K): Uint8Array {
    if (serde !== this.#keySerde || !Object.is(key, this.#key) || !isPrimitive(key)) return serde.serialize(topic, key);
    return this.#raw?.key ?? serde.serialize(topic, key);
  }

  /** @param trusted it is as it was read; else only one that nobody can change in place is taken for that */
  valueBytes<V>(serde: Serde<V>, topic: string, value: V, trusted = false): Uint8Array {
    return (this.#isRead(serde, value, trusted) ? this.#raw?.value : null) ?? serde.serialize(topic, value);
  }

  /** As `valueBytes`, without a view of what was read. What it answers is good until the next call. */
  valueSpan<V>(serde: Serde<V>, topic: string, value: V, trusted = false): ByteSpan {
    const span = this.#span;
    if (this.#raw instanceof EncodedRecord && this.#isRead(serde, value, trusted) && this.#raw.spanValue(span))
      return span;
    span.bytes = this.valueBytes(serde, topic, value, trusted);
    span.from = 0;
    span.to = span.bytes.length;
    return span;
  }

  #isRead<V>(serde: Serde<V>, value: V, trusted: boolean): boolean {
    return serde === this.#valueSerde && Object.is(value, this.#value) && (trusted || isPrimitive(value)); // compared, not called
  }

  /**
   * The bytes of a key as `byteString`.
   * @param bytes for who has them already
   */
  keyName<K>(serde: Serde<K>, topic: string, key: K, bytes?: Uint8Array): string {
    if (serde === this.#namedBy && Object.is(key, this.#named) && isPrimitive(key)) return this.#name;
    const name = serde.byteString?.(topic, key) ?? byteString(bytes ?? this.keyBytes(serde, topic, key));
    if (serde.ofAnyTopic) {
      this.#namedBy = serde as Serde<unknown>; // compared, not called
      this.#named = key;
      this.#name = name;
    }
    return name;
  }
}
