import { redriveRecordOf } from '@bookstream/streams';
import { applicationOf, applications } from '../applications.ts';
import { runSteps } from '../steps.ts';
import { table } from '../table.ts';
import { type Address, keyText } from './address.ts';
import { exitCodeOf, type Row, redriveAll, rowText } from './redriving.ts';
import { type Chosen, checkWanted, choose, type Wanted } from './selection.ts';
import { short } from './telling.ts';
import { allLetters, withKafka } from './with-letters.ts';

export interface RedriveOptions extends Omit<Wanted, 'address'> {
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly timeout: number;
}

/** Lets what is wanted go on, and says how it went. @throws CommandError when it is not parked */
export async function redrive(
  address: Address | undefined,
  { dryRun, json, timeout, ...rest }: RedriveOptions,
): Promise<void> {
  const wanted: Wanted = { ...rest, address };
  checkWanted(wanted);
  if (wanted.application !== undefined) applicationOf(wanted.application);
  await withKafka(async (kafka) => {
    const chosen = choose(wanted, await allLetters(kafka));
    if (dryRun) {
      tellSendings(chosen, json);
      return;
    }
    let rows: readonly Row[] = [];
    const run = async (tell: (line: string) => void): Promise<string> => {
      rows = await redriveAll(kafka, applications, chosen, timeout * 1_000, tell);
      return `${rows.filter(({ outcome }) => outcome === 'done').length} done`;
    };
    if (chosen.length > 0)
      await runSteps([{ title: `redrive ${chosen.length} ${chosen.length === 1 ? 'key' : 'keys'}`, run }]);
    tellRows(rows, json, table(rows.map((row) => [row.application, row.key, rowText(row)])));
    process.exitCode = exitCodeOf(rows);
  });
}

function tellRows(rows: readonly object[], json: boolean, text: string): void {
  if (json) console.log(JSON.stringify(rows, null, 2));
  else console.log(rows.length === 0 ? 'nothing of that is parked' : text);
}

function tellSendings(chosen: readonly Chosen[], json: boolean): void {
  const rows = chosen.map(({ key, letter, request }) => {
    const { topic, partition, value } = redriveRecordOf(key.application, request);
    return {
      ...{ topic, partition, key: keyText(key.key) },
      value: value === null ? null : Buffer.from(value).toString(),
      waiting: key.records.length,
      letter: letter?.address ?? null,
      cause: letter === null ? null : `${letter.reason}: ${letter.cause}`,
    };
  });
  const lines = rows.map(({ topic, partition, key, value, waiting, cause }) => [
    ...[`${topic}-${partition}`, key, value === null ? 'no value' : `leave out ${value}`, String(waiting)],
    short(cause ?? ''),
  ]);
  tellRows(rows, json, table([['to', 'key', 'value', 'wait', 'first letter'], ...lines]));
  console.error('nothing was sent');
}
