import type { ApplicationPlan, DeadLetter, ParkedKey } from '@bookstream/streams';
import { readDeadLetters, readParked } from '@bookstream/streams';
import type { AdminPort, KafkaPort } from '@bookstream/streams/kafka/index';
import { addressText, keyText, textOf } from './address.ts';

type Applications = ReadonlyMap<string, ApplicationPlan>;

/** A key that waits, and in which application. */
export interface Parked extends ParkedKey {
  readonly application: string;
}

/** What is known of the record that a letter is of. Only what the application's own changelog says; nothing is guessed. */
export type Standing =
  | { readonly is: 'parked'; readonly key: Parked }
  /** Its application parks, and it is not among what is parked. */
  | { readonly is: 'not parked' }
  /** Its writer has gone on for good. */
  | { readonly is: 'never parks'; readonly why: string };

export const notParked =
  'not parked now: redriven or left out since, or from a time when its application parked nothing';

/** A letter as it is listed; the value stays where it is. */
export interface Letter {
  readonly address: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Epoch ms; of the record. */
  readonly timestamp: number;
  /** Text, or hex behind 0x. */
  readonly key: string | null;
  readonly application: string;
  readonly task: string;
  readonly reason: string;
  readonly cause: string;
  /** Address of the record that it is of. */
  readonly origin: string | null;
  /** Topic to which it could not be sent. */
  readonly target: string | null;
  readonly standing: Standing;
}

export interface Letters {
  readonly letters: readonly Letter[];
  readonly parked: readonly Parked[];
}

/** The dead-letter topics of the shop that are there. */
export async function deadLetterTopics(kafka: AdminPort, own: ReadonlySet<string>, ids: Iterable<string>) {
  const prefixes = [...ids].map((id) => `${id}-`);
  return (await kafka.listTopics())
    .filter((name) => name.endsWith('.dlq'))
    .filter((name) => own.has(name) || prefixes.some((prefix) => name.startsWith(prefix)))
    .toSorted();
}

export async function readAllParked(kafka: KafkaPort, applications: Applications): Promise<readonly Parked[]> {
  const keys = await Promise.all(
    Array.from(applications, async ([application, plan]) =>
      (await readParked(kafka, plan)).map((key): Parked => ({ ...key, application })),
    ),
  );
  return keys.flat();
}

export async function readLetters(
  kafka: KafkaPort,
  topics: readonly string[],
  applications: Applications,
): Promise<Letters> {
  const found: DeadLetter[] = [];
  await readDeadLetters(kafka, topics, (letter) => found.push(lightened(letter)));
  const parked = await readAllParked(kafka, applications); // behind the letters: none of them is younger than what is known of its key
  const standingOf = standings(parked, applications);
  const letters = found.map((letter) => letterOf(letter, standingOf(letter)));
  return { letters: letters.toSorted((a, b) => a.timestamp - b.timestamp), parked };
}

/** A key of its own: as it came it would keep the bytes of everything that was fetched with it. */
const lightened = (letter: DeadLetter): DeadLetter => ({
  ...letter,
  key: letter.key === null ? null : new Uint8Array(letter.key),
  value: null,
  headers: [],
});

export function letterOf(letter: DeadLetter, standing: Standing): Letter {
  const { at, timestamp, key, application, task, reason, cause, origin, target } = letter;
  return {
    address: addressText(at),
    ...at,
    timestamp,
    key: key === null ? null : keyText(key),
    application,
    task,
    reason,
    cause,
    origin: origin === null ? null : addressText(origin),
    target,
    standing,
  };
}

export function standings(parked: readonly Parked[], applications: Applications): (letter: DeadLetter) => Standing {
  const byRecord = new Map(
    parked.flatMap((key) =>
      key.records.map((record) => [`${key.application} ${key.subTopology} ${addressText(record)}`, key]),
    ),
  );
  return (letter) => {
    const { application, task, origin } = letter;
    const plan = applications.get(application);
    const sub = plan?.subTopologies.find(({ id }) => task.startsWith(`${id}_`));
    const waiting = origin && byRecord.get(`${application} ${sub?.id} ${addressText(origin)}`);
    if (waiting) return { is: 'parked', key: waiting };
    const why = neverParks(letter, plan !== undefined, sub !== undefined);
    return why === null ? { is: 'not parked' } : { is: 'never parks', why };
  };
}

function neverParks(letter: DeadLetter, isOurs: boolean, hasTask: boolean): string | null {
  const { application, task, reason, target, key } = letter;
  if (reason === '') return 'it is no letter of the stream engine';
  if (application.startsWith('projection-'))
    return 'a projection parks nothing: its rows have gone on without the record. Once it can be read, `projection rebuild` takes it';
  if (!isOurs) return `${application} is no application of the shop`;
  if (task === 'global') return 'a global table parks nothing: it has gone on without the row';
  if (target !== null) return `its input was processed; what could not be sent to ${target} is not made again`;
  if (!hasTask) return `${application} has no task ${task} any more`;
  if (key === null) return 'a record without a key parks nothing';
  if (textOf(key) === null) return 'a record whose key cannot be read parks nothing';
  return null;
}
