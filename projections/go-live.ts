import { setTimeout as sleep } from 'node:timers/promises';
import { partitionName } from '@bookstream/streams/kafka/port';
import { compareBuilds, type Difference } from './compare.ts';
import { DeadLetters } from './dead-letters.ts';
import { RebuildCancelledError, RebuildError } from './errors.ts';
import { Follower } from './follower.ts';
import type { RebuildTask } from './rebuild-report.ts';
import type { Checkpoint, Sink } from './sink.ts';

const catchUpMs = 10_000;
const switchAttempts = 5;

export interface WentLive {
  readonly former: number;
  readonly switched: boolean;
  readonly differences: readonly Difference[];
}

/** Brings a build up to date, compares it with the live one, and lets readers see it. @param toSwitch false stops before that */
export async function goLive(task: RebuildTask, toSwitch: boolean): Promise<WentLive> {
  const { projection, port, sink, build, report } = task;
  const former = await sink.live(projection.name);
  if (former === null) throw new RebuildError(`${projection.name} has no live build; nothing was switched.`);
  report.enter('CATCH_UP');
  const partitions = await sink.checkpoints(projection.name, build);
  const ends = async (): Promise<readonly Checkpoint[]> => {
    const offsets = await port.endOffsets(partitions);
    return partitions.map(({ topic, partition }) => {
      return { topic, partition, nextOffset: offsets.get(partitionName({ topic, partition })) ?? 0 };
    });
  };
  const deadLetters = new DeadLetters(port);
  let follower = await follow(task, deadLetters, partitions);
  try {
    const targets = await ends();
    await report.during((signal) => follower.reached(targets, signal));
    report.enter('COMPARE');
    const differences = await compareAll(sink, task, former);
    if (!toSwitch) return { former, switched: false, differences };
    report.enter('SWITCH');
    for (let attempt = 1; ; attempt += 1) {
      try {
        await sink.switchTo(projection, build, async (live) => {
          const signal = AbortSignal.any([task.signal, AbortSignal.timeout(catchUpMs)]);
          await follower.reached(live === 'end' ? await ends() : live, signal);
          await follower.close(); // from here on the build belongs to who follows the live one
        });
        return { former, switched: true, differences };
      } catch (error) {
        if (error instanceof RebuildCancelledError || task.signal.aborted || attempt === switchAttempts) throw error;
        await follower.close();
        await sleep(500 * attempt);
        follower = await follow(task, deadLetters, partitions);
      }
    }
  } finally {
    await follower.close();
    await deadLetters.close();
  }
}

async function follow(
  { projection, port, sink, build, bad: left }: RebuildTask,
  deadLetters: DeadLetters,
  partitions: readonly Checkpoint[],
): Promise<Follower> {
  const follower = new Follower({
    projection,
    port,
    sink,
    build,
    onBad: async (number, bad) => {
      left.push(...bad);
      // The one who follows the live build may never come to these records, if the switch comes first.
      await deadLetters.send(projection.name, number, bad);
    },
    onError: () => undefined, // it tries again; what it cannot reach in time is told by who waits
  });
  await follower.follow(partitions);
  return follower;
}

async function compareAll(
  sink: Sink,
  { projection, build }: RebuildTask,
  former: number,
): Promise<readonly Difference[]> {
  const definitions = new Map((await sink.builds(projection.name)).map((known) => [known.build, known.definition]));
  if (definitions.get(former) !== definitions.get(build)) return [];
  const differences: Difference[] = [];
  for (const table of projection.tables) differences.push(await compareBuilds(sink, table, former, build));
  return differences;
}
