import { setTimeout as sleep } from 'node:timers/promises';
import { StreamsError } from '../errors.ts';
import type { KafkaPort, ProducedRecord } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';
import { internalTopicOf, redriveTopicOf } from '../plan/topology.ts';
import type { RecordMetadata } from '../runtime/record.ts';
import { nameOf, type ParkedKey, type ParkedRecord, readParked } from './parked.ts';

/** A parked key that is to go on. */
export interface RedriveRequest extends Pick<ParkedKey, 'subTopology' | 'partition' | 'key'> {
  /** A record of the key that can never be processed: it is left out for good. */
  readonly leaveOut?: RecordMetadata;
}

export interface RedriveOutcome {
  readonly request: RedriveRequest;
  /**
   * `done`: all that waited was taken; `failed-again`: at `stoppedAt` there is a dead letter again, and it waits with all behind it; `waiting`: the
   * application has not come to it in the time that was given. The redrive stays on its topic until it does.
   */
  readonly state: 'done' | 'failed-again' | 'waiting';
  /** Records that were parked before and are processed now. */
  readonly taken: number;
  /** `leaveOut` was parked before and is left out now: false also when a record before it is a letter again. */
  readonly leftOut: boolean;
  /** Records of the key that are parked now, also those that came meanwhile. */
  readonly left: number;
  readonly stoppedAt: RecordMetadata | null;
}

export interface RedriveOptions {
  /** Default 30,000. */
  readonly timeoutMs?: number;
  /** So many of the redrives have been taken. */
  readonly onProgress?: (taken: number, all: number) => void;
}

/** A redrive was asked of a task that parks nothing, so nothing was sent. */
export class NotParkingError extends StreamsError {
  readonly code = 'NOT_PARKING';
}

const pollMs = 200;

/** What is sent for a request. Nothing goes to the topic that the records came from. */
export const redriveRecordOf = (applicationId: string, request: RedriveRequest): ProducedRecord => {
  const { subTopology, partition, key, leaveOut } = request;
  return {
    topic: internalTopicOf(applicationId, redriveTopicOf(subTopology)),
    partition,
    timestamp: Date.now(),
    key,
    value: leaveOut === undefined ? null : Buffer.from(`${partitionName(leaveOut)}@${leaveOut.offset}`),
    headers: [],
  };
};

/**
 * Asks the tasks of a running application for what they have parked, and waits until they have taken it.
 * @param plan of the topology as it runs: `topology.parkingDeadLetters().plan(applicationId)`
 * @returns an outcome for each request, in their order
 * @throws NotParkingError – nothing was sent
 */
export async function redrive(
  kafka: KafkaPort,
  plan: ApplicationPlan,
  requests: readonly RedriveRequest[],
  { timeoutMs = 30_000, onProgress = () => {} }: RedriveOptions = {},
): Promise<readonly RedriveOutcome[]> {
  if (requests.length === 0) return [];
  const { applicationId } = plan;
  const records = requests.map((request) => redriveRecordOf(applicationId, request));
  await checkTopics(kafka, plan, records);
  const before = byName(await readParked(kafka, plan));
  const producer = await kafka.producer();
  const next = new Map(await producer.send(records).finally(() => producer.close()));
  const sent = records.map((record) => {
    const name = partitionName(record);
    const offset = next.get(name) ?? 0;
    next.set(name, offset + 1);
    return { topic: record.topic, partition: record.partition, offset };
  });
  const waiting = new Set(sent);
  const deadline = performance.now() + timeoutMs;
  onProgress(0, sent.length);
  for (;;) {
    const committed = await kafka.committedOffsets(applicationId, sent, { requireStable: false });
    const offsets = new Map(committed.map((one) => [partitionName(one), one.offset]));
    for (const one of waiting) if ((offsets.get(partitionName(one)) ?? 0) > one.offset) waiting.delete(one);
    onProgress(sent.length - waiting.size, sent.length);
    if (waiting.size === 0 || performance.now() > deadline) break;
    await sleep(pollMs);
  }
  const after = byName(await readParked(kafka, plan));
  return requests.map((request, index): RedriveOutcome => {
    const name = nameOf(request, request.key);
    const place = sent[index];
    const isWaiting = place !== undefined && waiting.has(place);
    return { request, ...outcomeOf(request, before.get(name) ?? [], after.get(name) ?? [], isWaiting) };
  });
}

type Parked = readonly ParkedRecord[];

const byName = (keys: readonly ParkedKey[]): ReadonlyMap<string, Parked> =>
  new Map(keys.map((one) => [nameOf(one, one.key), one.records]));

function outcomeOf(
  { leaveOut }: RedriveRequest,
  before: Parked,
  after: Parked,
  isWaiting: boolean,
): Omit<RedriveOutcome, 'request'> {
  const are = new Set(after.map(placeOf));
  const still = before.filter((record) => are.has(placeOf(record)));
  const gone = before.filter((record) => !are.has(placeOf(record)));
  const leftOut = leaveOut !== undefined && gone.some((record) => placeOf(record) === placeOf(leaveOut));
  const [first] = still;
  return {
    state: isWaiting ? 'waiting' : first === undefined ? 'done' : 'failed-again',
    taken: gone.length - (leftOut ? 1 : 0),
    leftOut,
    left: after.length,
    stoppedAt:
      isWaiting || first === undefined
        ? null
        : { topic: first.topic, partition: first.partition, offset: first.offset },
  };
}

const placeOf = (record: RecordMetadata): string => `${partitionName(record)}@${record.offset}`;

/** @throws NotParkingError */
async function checkTopics(kafka: KafkaPort, plan: ApplicationPlan, records: readonly ProducedRecord[]): Promise<void> {
  const redrives = new Set(
    plan.subTopologies.flatMap(({ sources }) => sources.flatMap(({ topic, redrive }) => (redrive ? [topic] : []))),
  );
  const counts = await kafka.partitionCounts([...new Set(records.map(({ topic }) => topic))]);
  for (const { topic, partition } of records) {
    if (redrives.has(topic) && partition < (counts.get(topic) ?? 0)) continue;
    const why = redrives.has(topic)
      ? `${partitionName({ topic, partition })} is not there: it has never run with parkDeadLetters, or with fewer partitions`
      : `its topology reads no ${topic}`;
    throw new NotParkingError(
      `${plan.applicationId} cannot be asked for what it has parked; nothing was sent: ${why}.`,
    );
  }
}
