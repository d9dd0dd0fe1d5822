import type { StoreBuilder } from '../plan/node.ts';
import type { Serde } from '../serde.ts';
import { bufferSpec } from './buffer-spec.ts';
import { bytesOfLength, part, prefixEnd, writeUint32 } from './bytes.ts';
import { readTime, type StoreHost, writeTime } from './key-value-store.ts';
import type { StateStore } from './state-store.ts';

/** A record of one side of a stream-stream join that has met nobody yet. */
export interface WaitingEntry {
  readonly timestamp: number;
  readonly isLeft: boolean;
  readonly key: unknown;
  readonly value: unknown;
  remove(): void;
}

/** Ordered by time, then side (right before left), then key, then arrival. */
export interface WaitingRoom extends StateStore {
  add(timestamp: number, isLeft: boolean, key: unknown, value: unknown): void;
  /** Every entry of this time, side and key. */
  remove(timestamp: number, isLeft: boolean, key: unknown): void;
  /** What is removed while it is read does not disturb it. */
  entries(): Iterable<WaitingEntry>;
}

export interface WaitingRoomOptions {
  readonly name: string;
  readonly keySerde: Serde<unknown>;
  readonly leftSerde: Serde<unknown>;
  readonly rightSerde: Serde<unknown>;
}

export const waitingRoom = (options: WaitingRoomOptions): StoreBuilder => ({
  spec: bufferSpec(options.name),
  open: (host) => new BytesWaitingRoom(options, host),
});

/** Before the key: eight bytes of time, one for the side. After it: four that keep entries of one key apart. */
const prefixBytes = 9;
const sequenceBytes = 4;

class BytesWaitingRoom implements WaitingRoom {
  readonly name: string;
  readonly #options: WaitingRoomOptions;
  readonly #host: StoreHost;

  constructor(options: WaitingRoomOptions, host: StoreHost) {
    this.name = options.name;
    this.#options = options;
    this.#host = host;
  }

  add(timestamp: number, isLeft: boolean, key: unknown, value: unknown): void {
    const { overlay, topic, now } = this.#host;
    const row = this.#row(timestamp, isLeft, key, sequenceBytes);
    const bytes = (isLeft ? this.#options.leftSerde : this.#options.rightSerde).serialize(topic, value);
    for (let next = 0; !overlay.putIfAbsent(row, bytes, now()); ) writeUint32(row, row.length - sequenceBytes, ++next);
  }

  remove(timestamp: number, isLeft: boolean, key: unknown): void {
    const { overlay, now } = this.#host;
    const prefix = this.#row(timestamp, isLeft, key, 0);
    for (const [row] of [...overlay.range(prefix, prefixEnd(prefix))]) {
      if (row.length === prefix.length + sequenceBytes) overlay.put(row, null, now());
    }
  }

  *entries(): Generator<WaitingEntry> {
    const { overlay, topic, now } = this.#host;
    const { keySerde, leftSerde, rightSerde } = this.#options;
    for (const [row, value] of overlay.range(null, null)) {
      const isLeft = row[8] === 1;
      yield {
        timestamp: readTime(row, 0),
        isLeft,
        key: keySerde.deserialize(topic, part(row, prefixBytes, row.length - sequenceBytes)),
        value: (isLeft ? leftSerde : rightSerde).deserialize(topic, value),
        remove: () => overlay.put(row, null, now()),
      };
    }
  }

  #row(timestamp: number, isLeft: boolean, key: unknown, after: number): Uint8Array {
    const bytes = this.#options.keySerde.serialize(this.#host.topic, key);
    const row = bytesOfLength(prefixBytes + bytes.length + after);
    writeTime(row, 0, timestamp);
    row[8] = isLeft ? 1 : 0;
    row.set(bytes, prefixBytes);
    row.fill(0, prefixBytes + bytes.length);
    return row;
  }
}
