import type { RedriveRequest } from '@bookstream/streams';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { type Address, addressText, keyText } from './address.ts';
import { type Letter, type Letters, notParked, type Parked } from './letters.ts';

export interface Wanted {
  readonly address?: Address | undefined;
  readonly key?: string | undefined;
  readonly application?: string | undefined;
  readonly reason?: string | undefined;
  readonly all: boolean;
  readonly skip: boolean;
}

/** A key that is to go on. */
export interface Chosen {
  readonly key: Parked;
  /** The newest letter of the record that waits first; null: it has none (any more). */
  readonly letter: Letter | null;
  readonly request: RedriveRequest;
}

/** @throws CommandError when it is not clear what is wanted */
export function checkWanted({ address, key, application, reason, all, skip }: Wanted): void {
  const refuse = (why: string) =>
    new CommandError(`${why}; nothing was sent. See: dlq redrive --help`, exitCodes.usage);
  const ways = [address, key, all || undefined].filter((way) => way !== undefined).length;
  if (ways !== 1) throw refuse('Name one: the address of a letter, --key with --application, or --all');
  if (key !== undefined && application === undefined)
    throw refuse('--key needs --application: the same key may be parked in several');
  if (address !== undefined && (application !== undefined || reason !== undefined))
    throw refuse(
      'The address of a letter says by itself which application and reason; leave --application and --reason out',
    );
  if (key !== undefined && reason !== undefined) throw refuse('--reason goes with --all');
  if (skip && address === undefined)
    throw refuse('--skip leaves one record out for good, so it needs the address of its letter');
}

/**
 * The parked keys that are wanted.
 * @throws CommandError when an address or a key names nothing that is parked
 */
export function choose(wanted: Wanted, letters: Letters): readonly Chosen[] {
  if (wanted.address !== undefined) return [byAddress(wanted.address, wanted.skip, letters)];
  const { key, application, reason } = wanted;
  const chosen = letters.parked
    .filter((one) => application === undefined || one.application === application)
    .filter((one) => key === undefined || keyText(one.key) === key)
    .map((one): Chosen => ({ key: one, letter: letterOf(one, letters.letters), request: requestOf(one) }))
    .filter(({ letter }) => reason === undefined || letter?.reason === reason);
  if (key !== undefined && chosen.length === 0)
    throw new CommandError(
      `${application} has nothing parked of the key ${JSON.stringify(key)}; nothing was sent. What is parked: dlq list --parked`,
      exitCodes.failed,
    );
  return chosen;
}

function byAddress(address: Address, skip: boolean, { letters }: Letters): Chosen {
  const text = addressText(address);
  const letter = letters.find((one) => one.address === text);
  const refuse = (why: string) => new CommandError(`${text}: ${why}; nothing was sent.`, exitCodes.failed);
  if (letter === undefined) throw refuse('there is no such letter');
  const { standing } = letter;
  if (standing.is !== 'parked') throw refuse(standing.is === 'not parked' ? notParked : standing.why);
  const left = standing.key.records.find((record) => addressText(record) === letter.origin);
  return {
    key: standing.key,
    letter: letterOf(standing.key, letters),
    request: { ...requestOf(standing.key), ...(skip && left && { leaveOut: left }) },
  };
}

const requestOf = ({ subTopology, partition, key }: Parked): RedriveRequest => ({ subTopology, partition, key });

/** Of the record that waits first. */
const letterOf = ({ application, records: [first] }: Parked, letters: readonly Letter[]): Letter | null =>
  letters.findLast((one) => one.application === application && one.origin === addressText(first)) ?? null;
