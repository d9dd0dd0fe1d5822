import type { ConsumedRecord, KafkaPort } from '../kafka/port.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';
import { changelogTopicOf, parkedStoreOf } from '../plan/topology.ts';
import { byteString } from '../state/bytes.ts';
import { decodeParked, parkedNumberOf } from '../state/parked-records.ts';
import { readToEnd } from './read-to-end.ts';

/** A record that waits, as it lies on its topic; its value stays in the changelog. */
export type ParkedRecord = Omit<ConsumedRecord, 'value' | 'headers'>;

/** A key that waits behind a dead letter. */
export interface ParkedKey {
  readonly subTopology: number;
  /** Of the task, and so of its redrive topic. */
  readonly partition: number;
  readonly key: Uint8Array;
  /** In the order in which they came; the first is the letter's own. */
  readonly records: readonly [ParkedRecord, ...ParkedRecord[]];
}

/**
 * What an application has parked, by the changelogs of its tasks: the state of the last commit, whether or not it runs.
 * @param plan of the topology as it runs: `topology.parkingDeadLetters().plan(applicationId)`. Without parking nothing is parked.
 */
export async function readParked(kafka: KafkaPort, plan: ApplicationPlan): Promise<readonly ParkedKey[]> {
  const changelogs = new Map(
    plan.subTopologies
      .filter(({ sources }) => sources.some(({ redrive }) => redrive))
      .map(({ id }) => [changelogTopicOf(plan.applicationId, parkedStoreOf(id)), id]),
  );
  const rows = new Map<string, { readonly at: Place; readonly number: number; readonly record: ParkedRecord }>();
  await readToEnd(kafka, [...changelogs.keys()], ({ topic, partition, key, value }) => {
    if (key === null) return;
    const row = `${topic}-${partition}/${byteString(key)}`;
    if (value === null) rows.delete(row);
    else {
      const { value: _value, headers: _headers, ...record } = decodeParked(value);
      rows.set(row, {
        at: { subTopology: changelogs.get(topic) ?? 0, partition },
        number: parkedNumberOf(key),
        record,
      });
    }
  });
  const byKey = Map.groupBy(rows.values(), ({ at, record }) => nameOf(at, record.key ?? nothing));
  return [...byKey.values()].flatMap((group): readonly ParkedKey[] => {
    const [first, ...others] = group.toSorted((a, b) => a.number - b.number);
    if (first === undefined || first.record.key === null) return [];
    return [{ ...first.at, key: first.record.key, records: [first.record, ...others.map(({ record }) => record)] }];
  });
}

type Place = Pick<ParkedKey, 'subTopology' | 'partition'>;

const nothing = new Uint8Array();

/** One key of one task. */
export const nameOf = ({ subTopology, partition }: Place, key: Uint8Array): string =>
  `${subTopology}_${partition}/${byteString(key)}`;
