import { userInfo } from 'node:os';
import { join } from 'node:path';
import { projectionOf, projections } from '@bookstream/projections/all';
import { RebuildCancelledError, UnknownProjectionError } from '@bookstream/projections/errors';
import type { Projection } from '@bookstream/projections/projection';
import {
  cancelRebuild,
  type RebuildOptions,
  type RebuildResult,
  rebuild,
  rollback,
} from '@bookstream/projections/rebuild';
import type { Sink } from '@bookstream/projections/sink';
import { MongoSink } from '@bookstream/projections/sinks/mongo';
import { PostgresSink } from '@bookstream/projections/sinks/postgres';
import { connectSchemas } from '@bookstream/schemas/serde';
import { connectKafka } from '@bookstream/streams/kafka/index';
import type { Command } from 'commander';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { demandUrl } from '../options.ts';
import { rebuildBar } from '../rebuild-bar.ts';
import { dataFolder, useRunning } from '../running.ts';
import { runSteps } from '../steps.ts';
import { table } from '../table.ts';

export const register = (program: Command): void => {
  const command = program
    .command('projection')
    .description('read models: list them, replay them, switch between their builds');
  registerList(command);
  registerRebuild(command);
  registerRollback(command);
  registerCancel(command);
};

function registerList(command: Command): void {
  command
    .command('list')
    .description('every read model with its builds: which one readers see, which are kept')
    .option('--json', 'one JSON document on standard output', false)
    .addHelpText(
      'after',
      '\nEnds with 5 when a live build was made by an older definition.\n\nExample:\n  npm run bookstream -- projection list',
    )
    .action(async (options: { json: boolean }) => {
      useRunning();
      const rows = await withSinks(async (sinkOf) => {
        const builds = await Promise.all(
          projections.map(async (projection) =>
            (await sinkOf(projection).builds(projection.name)).map((build) => ({ projection, build })),
          ),
        );
        return builds.flat().filter(({ build }) => build.state !== 'DROPPED');
      });
      const isOutdated = ({ projection, build }: (typeof rows)[number]) => projection.definition !== build.definition;
      if (options.json) {
        const told = rows.map((row) => ({ sink: row.projection.sink, ...row.build, outdated: isOutdated(row) }));
        console.log(JSON.stringify(told, null, 2));
      } else {
        const cells = rows.map((row) => {
          const { projection, build } = row;
          return [
            ...[
              projection.name,
              projection.sink,
              String(build.build),
              build.state,
              new Date(build.createdAt).toISOString(),
            ],
            isOutdated(row) ? 'changed since: rebuild it' : '',
          ];
        });
        console.log(table([['projection', 'kept in', 'build', 'state', 'made at', ''], ...cells]));
      }
      const isStale = rows.some((row) => row.build.state === 'LIVE' && isOutdated(row));
      process.exitCode = isStale ? exitCodes.partial : exitCodes.ok;
    });
}

function registerRebuild(command: Command): void {
  command
    .command('rebuild')
    .description('replay the topics into a new build beside the live one, verify it, and let readers see it')
    .argument('<name>', projections.map((projection) => projection.name).join(', '))
    .option('--no-switch', 'stop when the new build is complete and verified; the next rebuild goes on from there')
    .option('--json', 'the result as one JSON document on standard output', false)
    .addHelpText(
      'after',
      `
Readers see the live build until the new one is whole, verified and as far; the live one is kept for \`rollback\`.
Ctrl-C drops the new build. A rebuild that was killed is gone on with by the next one.
Tells how many rows differ from the former build: none, unless somebody wrote to the database or the projection was changed.

Examples:
  npm run bookstream -- projection rebuild orders
  npm run bookstream -- projection rebuild orders --no-switch --json`,
    )
    .action((name: string, options: { switch: boolean; json: boolean }) =>
      makeBuild(name, options.json, 'rebuild', (more) => rebuild({ ...more, switch: options.switch })),
    );
}

function registerRollback(command: Command): void {
  command
    .command('rollback')
    .description('show readers the build before the live one again, brought up to date first')
    .argument('<name>')
    .option('--json', 'the result as one JSON document on standard output', false)
    .addHelpText('after', '\nExample:\n  npm run bookstream -- projection rollback orders')
    .action((name: string, options: { json: boolean }) => makeBuild(name, options.json, 'rollback', rollback));
}

function registerCancel(command: Command): void {
  command
    .command('cancel')
    .description('end the rebuild that is under way and drop its build; readers notice nothing')
    .argument('<name>')
    .addHelpText('after', '\nExample:\n  npm run bookstream -- projection cancel orders')
    .action(async (name: string) => {
      useRunning();
      const projection = known(name);
      const build = await withSinks((sinkOf) => cancelRebuild(sinkOf(projection), projection));
      console.error(build === null ? `no rebuild of ${name} is under way` : `build ${build} of ${name} is cancelled`);
    });
}

/** Runs what makes a build live, with its progress on standard error, and tells what came of it. */
async function makeBuild(
  name: string,
  asJson: boolean,
  verb: 'rebuild' | 'rollback',
  make: (options: RebuildOptions) => Promise<RebuildResult>,
): Promise<void> {
  useRunning();
  const projection = known(name);
  const registryUrl = demandUrl('REGISTRY_URL');
  const bootstrapServers = demandUrl('KAFKA_URL');
  const cancel = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => cancel.abort());
  await connectSchemas({ registryUrl, cacheDir: join(dataFolder(), 'schemas') });
  const port = await connectKafka({ bootstrapServers, clientId: `bookstream-cli-${verb}` });
  let result: RebuildResult | null = null;
  try {
    await withSinks((sinkOf) =>
      runSteps([
        {
          title: `${verb} ${name}`,
          run: async (tell) => {
            result = await make({
              projection,
              port,
              sink: sinkOf(projection),
              actor: `operator:${userInfo().username}`,
              signal: cancel.signal,
              onProgress: (progress) => tell(rebuildBar(progress)),
            });
            return resultLine(result);
          },
        },
      ]),
    );
  } catch (error) {
    if (error instanceof RebuildCancelledError) throw new CommandError(error.message, exitCodes.interrupted);
    throw error;
  } finally {
    await port.close();
  }
  if (asJson) console.log(JSON.stringify(result, (_, value) => (typeof value === 'bigint' ? String(value) : value), 2));
}

function resultLine({ build, former, switched, rows, differences, bad }: RebuildResult): string {
  const told = [
    switched
      ? `build ${build} is live, build ${former} is kept`
      : `build ${build} is complete, build ${former} stays live`,
    `${rows.toLocaleString('en')} rows verified`,
    ...differences.map(({ table, changed, onlyInFirst, onlyInSecond, keys }) => {
      const sum = changed + onlyInFirst + onlyInSecond;
      if (sum === 0) return `${table} as before`;
      return `${table}: ${changed} changed, ${onlyInSecond} added, ${onlyInFirst} gone (${keys.slice(0, 3).join(', ')}${sum > 3 ? ' …' : ''})`;
    }),
    ...(bad.length === 0 ? [] : [`${bad.length} records could not be read and were left out; see the .dlq topics`]),
  ];
  return told.join('; ');
}

async function withSinks<T>(work: (sinkOf: (projection: Projection) => Sink) => Promise<T>): Promise<T> {
  const sinks = { postgres: new PostgresSink(demandUrl('POSTGRES_URL')), mongo: new MongoSink(demandUrl('MONGO_URL')) };
  try {
    return await work((projection) => sinks[projection.sink]);
  } finally {
    await Promise.all([sinks.postgres.close(), sinks.mongo.close()]);
  }
}

function known(name: string): Projection {
  try {
    return projectionOf(name);
  } catch (error) {
    if (error instanceof UnknownProjectionError) throw new CommandError(error.message, exitCodes.usage);
    throw error;
  }
}
