import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { topics } from '@bookstream/schemas/topics';
import {
  type ApplicationPlan,
  ApplicationRunsError,
  planReset,
  type ResetPlan,
  resetApplication,
} from '@bookstream/streams';
import { type AdminPort, connectKafka, type KafkaPort } from '@bookstream/streams/kafka/index';
import { StateFolderInUseError } from '@bookstream/streams/state/state-folder';
import { startEngines } from '../../engines/start.ts';
import { applicationOf, applications } from '../applications.ts';
import { confirm } from '../confirm.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { dataFolder, findRunning, useRunning } from '../running.ts';
import { type Consequences, consequencesOf } from './consequences.ts';

export interface ResetOptions {
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly withOrphans: boolean;
  readonly decideAgain: boolean;
  readonly json: boolean;
}

/** Longer than a session: so long the place of a member that has ended is kept. While the platform runs here, it has not ended. */
const leavesWithinMs = 15_000;

/** Makes one application of the shop begin anew. @throws CommandError when it is refused; then nothing was deleted */
export async function resetOne(id: string, options: ResetOptions): Promise<void> {
  const plan = applicationOf(id);
  await using kafka = await kafkaAtHand();
  const { port } = kafka;
  const engine = {
    stateDir: join(dataFolder(), 'state'),
    withOrphans: options.withOrphans,
    otherApplications: [...applications.keys()],
  };
  const reset = await planReset(port, plan, engine);
  const consequences = consequencesOf(reset.inputs, reset.outputs, (topic) =>
    Object.values(topics).find(({ name }) => name === topic),
  );
  console.error(textOf(reset, consequences));
  if (options.dryRun) {
    if (options.json) console.log(JSON.stringify({ ...reset, ...consequences, done: false }, null, 2));
    for (const reason of refusalsOf(reset, consequences, options)) console.error(`\nIt would be refused: ${reason}.`);
    console.error('\nNothing was deleted.');
    return;
  }
  if (consequences.harm.length > 0 && !options.decideAgain) throw refusal(id, consequences);
  await untilLeft(port, plan, findRunning() === null ? leavesWithinMs : 0);
  if (!options.yes) await confirm('\nReset it?', id, 'Nothing was deleted');
  const done = await resetApplication(port, plan, engine).catch((error: unknown) => {
    const isRefusal = error instanceof ApplicationRunsError || error instanceof StateFolderInUseError;
    throw isRefusal ? new CommandError(error.message, exitCodes.precondition) : error;
  });
  if (options.json) console.log(JSON.stringify({ ...done, ...consequences, done: true }, null, 2));
  console.error(`\n${id} begins anew with its next start`);
}

/** That of the environment or of the platform that runs; else the local one, which is started for this alone. */
async function kafkaAtHand(): Promise<AsyncDisposable & { readonly port: KafkaPort & AdminPort }> {
  const dataDir = dataFolder();
  useRunning();
  const stack = new AsyncDisposableStack();
  try {
    if (!process.env.KAFKA_URL) {
      if (!existsSync(join(dataDir, 'kafka-1')))
        throw new CommandError(
          `KAFKA_URL is not set and there is no Kafka in ${dataDir}; nothing was done. Cure: set KAFKA_URL or BOOKSTREAM_DATA.`,
          exitCodes.precondition,
        );
      console.error('starting the local Kafka alone …');
    }
    const brokers = [3, 1].find((count) => existsSync(join(dataDir, `kafka-${count}`)));
    const { urls } = stack.use(await startEngines({ dataDir, only: ['kafka'], ...(brokers && { brokers }) }));
    const port = await connectKafka({
      bootstrapServers: String(urls.KAFKA_URL), // it was asked for
      clientId: 'bookstream-cli-reset',
    });
    stack.defer(() => port.close());
    return { port, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function untilLeft(kafka: AdminPort, { applicationId }: ApplicationPlan, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  let isTold = false;
  for (;;) {
    const { members } = await kafka.describeGroup(applicationId);
    if (members.length === 0) return;
    const names = namesOf(members);
    if (performance.now() > deadline)
      throw new CommandError(
        `${applicationId} runs: ${names}; nothing was deleted. Cure: end what runs it, on this machine with \`npm run bookstream -- down\` ` +
          '(this command then starts Kafka by itself), in containers with `docker compose stop SERVICE`.',
        exitCodes.precondition,
      );
    if (!isTold) console.error(`\n${names}: waiting up to ${withinMs / 1_000} s for their sessions to end …`);
    isTold = true;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Why it cannot be done now. */
function refusalsOf(
  { applicationId, members }: ResetPlan,
  { harm }: Consequences,
  { decideAgain }: ResetOptions,
): readonly string[] {
  return [
    ...(harm.length > 0 && !decideAgain ? ['it does harm (see above), and --decide-again is not given'] : []),
    ...(members.length > 0
      ? [`${applicationId} has members (${namesOf(members)}), or they ended less than a session (10 s) ago`]
      : []),
  ];
}

const namesOf = (members: ResetPlan['members']): string =>
  members.map(({ groupInstanceId, memberId }) => groupInstanceId ?? memberId).join(', ');

function refusal(id: string, { decides }: Consequences): CommandError {
  const why = decides
    ? `${id} decides: it makes events of commands. Run over them again, with empty state, it decides otherwise than it did, and says it a second time`
    : `${id} cannot be run over its inputs again without harm`;
  return new CommandError(`${why}; nothing was deleted.`, exitCodes.usage, [
    'Local state that was lost or damaged needs no reset: remove the folders above while nothing runs, and it is restored from the changelogs.',
    'A key that waits behind a dead letter needs none either: npm run bookstream -- dlq redrive',
    'To do it all the same, on a shop whose data is of no worth: --decide-again',
  ]);
}

/** What is deleted, and what happens then, for people. */
function textOf(reset: ResetPlan, { harm, told }: Consequences): string {
  const list = (title: string, lines: readonly string[]): string =>
    `${title}${lines.length === 0 ? ' nothing' : lines.map((line) => `\n  ${line}`).join('')}`;
  const { applicationId, topics: internal, offsets, folders } = reset;
  return [
    list(
      `A reset of ${applicationId} deletes these topics:`,
      internal.map(({ name, role, isOrphan }) => `${name} (${isOrphan ? 'orphan, ' : ''}${role})`),
    ),
    list(
      'the committed offsets of its group:',
      offsets.map(({ topic, partition, offset }) => `${topic}-${partition}: ${offset}`),
    ),
    list('and local state:', folders),
    list('With its next start:', [...harm, ...told]),
    'State on other machines and in containers is not seen from here: remove state/INSTANCE/tasks/' +
      `${applicationId} in their data folders before they start, or it is wrong.`,
  ].join('\n');
}
