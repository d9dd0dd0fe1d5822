import type { CommittedOffset, TopicPartition } from '../kafka/port.ts';

export interface InputPosition {
  readonly partition: TopicPartition;
  /** Next offset to process. */
  offset: number;
  /** Epoch ms of the newest record taken; -1 before the first. */
  time: number;
  /** Since the last take. */
  moved: boolean;
}

/** How far a task has come with each of its inputs. Offset and time are committed together: the time is the offset's metadata. */
export class InputPositions {
  /** By topic: a task has one partition of each of its topics. */
  #positions: ReadonlyMap<string, InputPosition> = new Map();

  /** @returns the newest of the inputs' times */
  start(inputs: readonly TopicPartition[], committed: readonly CommittedOffset[]): number {
    const positions = inputs.map((input): InputPosition => {
      const offset = committed.find((one) => one.topic === input.topic && one.partition === input.partition);
      return { partition: input, offset: offset?.offset ?? 0, time: timeOf(offset?.metadata), moved: false };
    });
    this.#positions = new Map(positions.map((position) => [position.partition.topic, position]));
    return Math.max(-1, ...positions.map(({ time }) => time));
  }

  /** Whoever changes the offset says so with `moved`. */
  get(topic: string): InputPosition | undefined {
    return this.#positions.get(topic);
  }

  get haveMoved(): boolean {
    for (const { moved } of this.#positions.values()) if (moved) return true;
    return false;
  }

  /** Those that have moved since the last take; all, if none has. */
  take(): readonly CommittedOffset[] {
    const all = [...this.#positions.values()];
    const moved = all.filter((position) => position.moved);
    return (moved.length > 0 ? moved : all).map((position): CommittedOffset => {
      position.moved = false;
      return { ...position.partition, offset: position.offset, metadata: String(position.time) };
    });
  }
}

/** Of an offset that somebody else has committed (a reset tool) nothing is known. */
const timeOf = (metadata: string | null | undefined): number =>
  metadata && Number.isFinite(Number(metadata)) ? Number(metadata) : -1;
