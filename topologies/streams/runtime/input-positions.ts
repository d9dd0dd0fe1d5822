import type { CommittedOffset, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';

export interface InputPosition {
  readonly partition: TopicPartition;
  /** Next offset to process. */
  offset: number;
  /** Epoch ms of the newest record taken; -1 before the first. */
  time: number;
}

/** How far a task has come with each of its inputs. Offset and time are committed together: the time is the offset's metadata. */
export class InputPositions {
  #positions: ReadonlyMap<string, InputPosition> = new Map();
  /** Inputs that have moved since the last take. */
  #moved = new Set<string>();

  /** @returns the newest of the inputs' times */
  start(inputs: readonly TopicPartition[], committed: readonly CommittedOffset[]): number {
    const positions = inputs.map((input): InputPosition => {
      const offset = committed.find((one) => one.topic === input.topic && one.partition === input.partition);
      return { partition: input, offset: offset?.offset ?? 0, time: timeOf(offset?.metadata) };
    });
    this.#positions = new Map(positions.map((position) => [partitionName(position.partition), position]));
    this.#moved = new Set();
    return Math.max(-1, ...positions.map(({ time }) => time));
  }

  /** By `partitionName`. Whoever changes the offset says so with `moved`. */
  get(name: string): InputPosition | undefined {
    return this.#positions.get(name);
  }

  moved(name: string): void {
    this.#moved.add(name);
  }

  get haveMoved(): boolean {
    return this.#moved.size > 0;
  }

  /** Those that have moved since the last take; all, if none has. */
  take(): readonly CommittedOffset[] {
    const named = this.#moved.size > 0 ? this.#moved : this.#positions.keys();
    const offsets = [...named].flatMap((name): CommittedOffset[] => {
      const position = this.#positions.get(name);
      if (position === undefined) return [];
      return [{ ...position.partition, offset: position.offset, metadata: String(position.time) }];
    });
    this.#moved = new Set();
    return offsets;
  }
}

/** Of an offset that somebody else has committed (a reset tool) nothing is known. */
const timeOf = (metadata: string | null | undefined): number =>
  metadata && Number.isFinite(Number(metadata)) ? Number(metadata) : -1;
