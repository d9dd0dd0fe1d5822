import { type ApplicationPlan, type DeadLetter, readDeadLetters } from '@bookstream/streams';
import type { KafkaPort } from '@bookstream/streams/kafka/index';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { type Address, addressText, keyText } from './address.ts';
import { type Letter, letterOf, readAllParked, standings } from './letters.ts';

/** A letter with all that lies there of it. */
export interface WholeLetter {
  readonly letter: Letter;
  readonly value: Uint8Array | null;
  /** Of the record; as text, or as hex behind 0x. */
  readonly headers: readonly (readonly [name: string, text: string])[];
  /** Of the value, before it was cut; null: it is whole. */
  readonly valueBytes: number | null;
}

/** @throws CommandError when there is none */
export async function findLetter(
  kafka: KafkaPort,
  address: Address,
  applications: ReadonlyMap<string, ApplicationPlan>,
): Promise<WholeLetter> {
  const found: DeadLetter[] = [];
  const text = addressText(address);
  await readDeadLetters(kafka, [address.topic], (one) => {
    if (addressText(one.at) === text) found.push(one);
  });
  const [letter] = found;
  if (letter === undefined)
    throw new CommandError(`There is no letter ${text}. They are told by: dlq list --by letter`, exitCodes.failed);
  const { value, headers, valueBytes } = letter;
  const parked = await readAllParked(kafka, applications);
  return {
    letter: letterOf(letter, standings(parked, applications)(letter)),
    value,
    headers: headers.map(([name, bytes]) => [name, keyText(bytes)]),
    valueBytes,
  };
}
