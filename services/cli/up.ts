import { CommandError, exitCodes } from './exit-codes.ts';
import { Platform, removeData } from './platform.ts';
import { lookAround } from './prerequisites.ts';
import { dataFolder, findRunning } from './running.ts';
import type { Scale } from './scale.ts';
import { runSteps, type Step } from './steps.ts';
import { tellError } from './tell-error.ts';

export interface UpOptions {
  readonly reset: boolean;
  readonly web: boolean;
  readonly seed: boolean;
  readonly port: number;
  readonly scale: Scale;
}

/**
 * Brings the platform up and stays until Ctrl-C, SIGTERM or a service that cannot be kept alive.
 * @returns the exit code
 */
export async function up(options: UpOptions): Promise<number> {
  const dataDir = dataFolder();
  const began = performance.now();
  const running = findRunning(dataDir);
  if (running !== null) {
    throw new CommandError(
      `Bookstream already runs on ${dataDir} (process ${running.pid}) at ${running.gatewayUrl}; a second one was not started. ` +
        'Cure: end it with Ctrl-C or `npm run bookstream -- down`, or give this one a folder of its own: `BOOKSTREAM_DATA=.bookstream-2 PORT=4010 npm start`.',
      exitCodes.precondition,
    );
  }
  await checkMachine(dataDir, options.port);
  if (options.reset) await removeData(dataDir);

  const ended = Promise.withResolvers<number>();
  const say = (line: string) => console.error(line);
  const { seedThrough } = await import('./seed-through.ts');
  const platform = new Platform({
    dataDir,
    port: options.port,
    web: options.web,
    scale: options.scale,
    ...(options.seed && { seed: seedThrough }),
    say,
    onGivenUp: (error) => {
      tellError(error);
      ended.resolve(exitCodes.failed);
    },
  });

  let stopping = false;
  let firstSignalAt = 0;
  const stop = (code: number) => {
    if (!stopping) say('\nstopping: gateway, worker, users, then the engines …');
    stopping = true;
    ended.resolve(code);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // A terminal gives Ctrl-C to us and to our parent, which passes it on: two within a second are one.
      if (stopping && performance.now() - firstSignalAt > 1_000) process.exit(exitCodes.interrupted); // the watchdog ends the children
      if (!stopping) firstSignalAt = performance.now();
      stop(exitCodes.ok);
    });
  }
  stopWithParent(() => stop(exitCodes.ok));

  const unlessStopping = (step: Step): Step => ({
    ...step,
    run: (tell) =>
      stopping ? Promise.reject(new CommandError('stopped while starting', exitCodes.interrupted)) : step.run(tell),
  });
  const starting = runSteps(platform.steps().map(unlessStopping)).then(() => {
    console.log(welcome(platform.origin, (performance.now() - began) / 1000, options));
  });
  const failed = starting.then(
    () => ended.promise,
    (error: unknown) => {
      if (stopping) return exitCodes.interrupted;
      return tellError(error);
    },
  );
  const code = await Promise.race([ended.promise, failed]);
  stopping = true;
  await platform.close();
  say('stopped');
  return code;
}

async function checkMachine(dataDir: string, port: number): Promise<void> {
  const wrong = (await lookAround({ dataDir, port, portIsOurs: false })).filter((finding) => !finding.ok);
  if (wrong.length === 0) return;
  throw new CommandError(
    'Bookstream was not started: this machine lacks something.',
    exitCodes.precondition,
    wrong.map(({ what, found, cure }) => `${what}: ${found}. Cure: ${cure}`),
  );
}

/** npm may be ended without passing that on: when our parent goes, so do we. Set by start.mjs only. */
function stopWithParent(stop: () => void): void {
  const parent = Number(process.env.BOOKSTREAM_PARENT ?? 0);
  if (parent === 0 || process.ppid !== parent) return;
  setInterval(() => {
    if (process.ppid !== parent) stop();
  }, 1_000).unref();
}

const welcome = (origin: string, seconds: number, options: UpOptions): string => `
Bookstream is up (${seconds.toFixed(1)} s).
${options.web ? `\n  shop      ${origin}` : ''}
  API       ${origin}/graphql   (a query editor in the browser)
${
  options.seed
    ? `
  shoppers  ada@bookstream.test, grace@bookstream.test, linus@bookstream.test
  admin     admin@bookstream.test
  password  bookstream-demo
`
    : ''
}
  stop      Ctrl-C         look      npm run bookstream -- status
  begin     npm start -- --reset   (with empty data)
`;
