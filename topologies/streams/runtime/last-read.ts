import type { SourceNode } from '../plan/node.ts';
import type { Serde } from '../serde.ts';
import { byteString } from '../state/bytes.ts';

const isPrimitive = (value: unknown): boolean => typeof value !== 'object' || value === null;

/** One half of a record, as it was read. */
class Half {
  serde: Serde<unknown> | null = null;
  value: unknown = null;
  bytes: Uint8Array | null = null;

  /** @param trusted the value is as it was read; else only one that nobody can change in place is taken for that */
  bytesOf(serde: Serde<unknown>, value: unknown, trusted: boolean): Uint8Array | null {
    if (serde !== this.serde || !Object.is(value, this.value)) return null;
    return trusted || isPrimitive(value) ? this.bytes : null;
  }
}

/**
 * The bytes of the record under way: what goes on unchanged is not serialised again. Nearly every key does, into stores, changelogs and other
 * topics. Only for serdes whose bytes do not depend on the topic; for keys, which are compared by them, only where they have one form.
 */
export class LastRead {
  readonly #key = new Half();
  readonly #value = new Half();
  #namedBy: Serde<unknown> | null = null;
  #named: unknown = null;
  #name = '';

  note(source: SourceNode, key: unknown, keyBytes: Uint8Array | null, value: unknown, valueBytes: Uint8Array | null) {
    this.#key.serde = source.keySerde.ofAnyTopic && source.keySerde.oneForm ? source.keySerde : null;
    this.#key.value = key;
    this.#key.bytes = keyBytes;
    this.#value.serde = source.valueSerde.ofAnyTopic ? source.valueSerde : null;
    this.#value.value = value;
    this.#value.bytes = valueBytes;
  }

  keyBytes<K>(serde: Serde<K>, topic: string, key: K): Uint8Array {
    return this.#key.bytesOf(serde as Serde<unknown>, key, false) ?? serde.serialize(topic, key); // compared, not called
  }

  /** @param trusted see `Half` */
  valueBytes<V>(serde: Serde<V>, topic: string, value: V, trusted = false): Uint8Array {
    return this.#value.bytesOf(serde as Serde<unknown>, value, trusted) ?? serde.serialize(topic, value); // likewise
  }

  /**
   * The bytes of a key as `byteString`.
   * @param bytes for who has them already
   */
  keyName<K>(serde: Serde<K>, topic: string, key: K, bytes?: Uint8Array): string {
    if (serde === this.#namedBy && Object.is(key, this.#named) && isPrimitive(key)) return this.#name;
    const name = serde.byteString?.(topic, key) ?? byteString(bytes ?? this.keyBytes(serde, topic, key));
    if (serde.ofAnyTopic) {
      this.#namedBy = serde as Serde<unknown>; // likewise
      this.#named = key;
      this.#name = name;
    }
    return name;
  }
}
