import { join } from 'node:path';
import { connectSchemas } from '@bookstream/schemas/serde';
import { applications } from '../applications.ts';
import { dataFolder } from '../running.ts';
import { table } from '../table.ts';
import type { Address } from './address.ts';
import { findLetter } from './one-letter.ts';
import { flat, stateText, timeText } from './telling.ts';
import { asJson, decodeValue, hexDump } from './value.ts';
import { withKafka } from './with-letters.ts';

/** Writes to standard output all that lies there of one letter. */
export async function show(address: Address, { json }: { readonly json: boolean }): Promise<void> {
  const found = await withKafka((kafka) => findLetter(kafka, address, applications));
  const { letter, value, headers, valueBytes } = found;
  const readAs = letter.target ?? letter.origin?.replace(/-\d+@\d+$/, '') ?? letter.topic;
  const decoded = value === null ? null : await decodeValue(readAs, value, await connectRegistry());
  if (json) {
    const bytes = value === null ? null : Buffer.from(value).toString('base64');
    console.log(asJson({ ...flat(letter), headers, valueBytes, bytes, ...decoded }));
    return;
  }
  const { standing } = letter;
  console.log(
    table([
      ['letter', letter.address],
      ['of the record', letter.origin ?? '(none)'],
      ...(letter.target === null ? [] : [['was to go to', letter.target]]),
      ['time', timeText(letter.timestamp)],
      ['key', letter.key ?? '(none)'],
      ['written by', `${letter.application} ${letter.task}`],
      ['reason', letter.reason],
      ['cause', letter.cause],
      ['record', standing.is === 'never parks' ? `${standing.is}: ${standing.why}` : stateText(letter)],
      ...headers.map(([name, text]) => [`header ${name}`, text]),
    ]),
  );
  if (valueBytes !== null) console.log(`\nthe value was cut: it had ${valueBytes} bytes`);
  if (value === null || decoded === null) console.log('\nwithout a value (a tombstone)');
  else if ('value' in decoded) console.log(`\n${asJson(decoded.value)}`);
  else console.log(`\n${value.length} bytes, not read: ${decoded.problem}\n${hexDump(value)}`);
}

/** @returns why the registry cannot be asked */
async function connectRegistry(): Promise<string | null> {
  const registryUrl = process.env.REGISTRY_URL;
  if (!registryUrl) return 'REGISTRY_URL is not set';
  try {
    await connectSchemas({ registryUrl, cacheDir: join(dataFolder(), 'schemas') });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
