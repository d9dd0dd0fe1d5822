import { readFileSync } from 'node:fs';
import { type ParseArgsConfig, parseArgs } from 'node:util';

/** The comment at the head of a program: what it is for and what it takes. */
export function headOf(file: string): string {
  const lines = readFileSync(file, 'utf8').split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  return lines
    .slice(0, end)
    .map((line) => line.replace(/^\/\/ ?/, ''))
    .join('\n');
}

/** Says what is wrong and how it is used, and ends the process with 2. @param also behind the head of the file */
export function refuse(file: string, why: string, also = ''): never {
  const done = file.endsWith('.bench.ts') ? 'measured' : 'run';
  console.error(`${why}; nothing was ${done}.\n\n${headOf(file)}${also}`);
  process.exit(2);
}

/**
 * The arguments of a benchmark, or of another program that is told by its head, as `parseArgs` reads them. `--help` prints the head of the file and ends the process with 0; what is no option ends
 * it with 2.
 * @param file of the program: `import.meta.filename`
 * @param also behind the head of the file
 */
export function optionsOf<const T extends ParseArgsConfig>(
  file: string,
  config: T,
  also = '',
): ReturnType<typeof parseArgs<T>> {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(headOf(file) + also);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    if (!(error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')))
      throw error;
    const [what] = error.message.split('. '); // Node goes on with how to write what begins with a dash
    return refuse(file, String(what).replace(/\.$/, ''), also);
  }
}

/** @param what the option and its value are told as, such as `--rounds` */
export function wholeNumber(file: string, what: string, text: string, least = 1): number {
  const number = Number(text);
  return text.trim() !== '' && Number.isInteger(number) && number >= least
    ? number
    : refuse(file, `${what} ${text}: a whole number of at least ${least} is needed`);
}
