import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { Command } from 'commander';
import { brokerProperties } from '../engines/kafka.ts';
import { type Config, readConfig, variables } from '../platform/config.ts';
import { addressesIn, type Compose, type Container, containersOf, root, textOf } from './compose-file.ts';

/** @returns what it finds wrong, for people */
type Rule = (compose: Compose) => readonly string[];

const every = (rule: (container: Container, all: readonly Container[]) => readonly string[]): Rule => {
  return (compose) =>
    containersOf(compose).flatMap((one, _, all) => rule(one, all).map((fault) => `${one.name}: ${fault}`));
};
/** The same for containers of our image. */
const everyOfOurs = (rule: Parameters<typeof every>[0]): Rule =>
  every((one, all) => (one.runs === 'engine' ? [] : rule(one, all)));

const notInBoth = (some: readonly string[], others: readonly string[]) => [
  ...new Set([...some.filter((one) => !others.includes(one)), ...others.filter((one) => !some.includes(one))]),
];

const validate = new Ajv2020({ strict: false, validateFormats: false, allErrors: true }).compile(
  JSON.parse(textOf('services/e2e/compose-spec.json')),
);
const schema: Rule = (compose) =>
  validate(compose) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);

const program = new Command();
for (const file of readdirSync(join(root, 'services/cli/commands'))) {
  if (file.endsWith('.test.ts')) continue;
  const command: { register(to: Command): void } = await import(`../cli/commands/${file.slice(0, -3)}.ts`);
  command.register(program);
}
const commands = everyOfOurs(({ name, command: [word, ...args] }) => {
  const known = program.commands.find((one) => one.name() === word);
  if (known === undefined) return [`bookstream has no command ${word}`];
  const fits = known.registeredArguments.every(({ argChoices }, at) => argChoices?.includes(args[at] ?? '') ?? true);
  return fits && args.length === known.registeredArguments.length && (args[0] ?? name) === name
    ? []
    : [`bookstream ${word} does not run as \`${args.join(' ')}\` here`];
});

const folders = readdirSync(join(root, 'services')).filter((name) =>
  existsSync(join(root, `services/${name}/main.ts`)),
);
const oneContainerAService: Rule = (compose) => {
  const running = containersOf(compose).filter(({ runs }) => runs === 'service');
  return notInBoth(
    folders,
    running.map(({ name }) => name),
  ).map((name) => `${name}: has only one of folder and container`);
};

function configOf(env: Readonly<Record<string, string>>): Config | string {
  try {
    return readConfig(env);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
const environment = everyOfOurs(({ env }) => {
  const config = configOf(env);
  return [
    ...Object.keys(env).flatMap((key) => (key in variables ? [] : [`no code reads ${key}`])),
    ...(typeof config === 'string' ? [config] : config.host === '0.0.0.0' ? [] : ['HOST keeps other containers out']),
  ];
});

const imagePorts: Readonly<Record<string, string>> = { postgres: ':5432', mongo: ':27017', redis: ':6379' };
const listensOn = ({ repository, env: { KAFKA_LISTENERS, QUARKUS_HTTP_PORT } }: Container) =>
  [...(KAFKA_LISTENERS ?? imagePorts[repository] ?? `:${QUARKUS_HTTP_PORT}`).matchAll(/:(\d+)/g)].map(
    ([, port]) => port,
  );
const addresses = every((container, all) =>
  addressesIn(container).flatMap(({ host, port }) =>
    all.some((one) => one.name === host && listensOn(one).includes(port)) ? [] : [`nothing listens at ${host}:${port}`],
  ),
);

const published = every(({ name, ports = [], env }) => {
  const inside = ports.map((port) => port.split(':').at(-1)).join() || 'nothing';
  return inside === (name === 'gateway' ? env.PORT : 'nothing') ? [] : [`publishes ${inside}, not its PORT`];
});

const health = every(({ name, runs, probe, env }) => {
  if (runs !== 'service' && name !== 'registry') return [];
  const source = textOf(runs === 'service' ? 'services/platform/health.ts' : 'services/engines/registry.ts');
  const [, port, path = ''] = /http:\/\/127\.0\.0\.1:(\d+)(\/[\w/]+)/.exec(probe) ?? [];
  return [
    ...(port === (env.HEALTH_PORT ?? env.QUARKUS_HTTP_PORT) ? [] : [`no health at port ${port}`]),
    ...(path.includes('ready') && new RegExp(`${path}['\`]`).test(source) ? [] : [`no readiness at ${path}`]),
  ];
});

const order = every((container, all) => {
  const after = ({ depends_on = {} }: Container) => Object.entries(depends_on);
  const named = (name: string) => all.filter((one) => one.name === name);
  const waitsFor = (one: Container): string[] =>
    after(one).flatMap(([name]) => [name, ...named(name).flatMap((other) => waitsFor(other))]);
  const meets = (one: Container, condition: string) =>
    condition === 'service_healthy'
      ? one.probe !== ''
      : condition === 'service_completed_successfully' && one.runs === 'task' && one.restart === 'no';
  const isBroker = container.env.KAFKA_NODE_ID !== undefined; // each needs the others to become healthy
  return [
    ...after(container)
      .filter(([name, { condition }]) => !named(name).some((one) => meets(one, condition)))
      .map(([name, { condition }]) => `${name} never meets ${condition}`),
    ...addressesIn(container)
      .filter(({ host }) => !isBroker && !waitsFor(container).includes(host))
      .map(({ host }) => `does not wait for ${host}`),
  ];
});

const imageFolders: Readonly<Record<string, string>> = { postgres: '/var/lib/postgresql', mongo: '/data/db' }; // Postgres: since 18
const [, dataFolder] = /BOOKSTREAM_DATA=(\S+)/.exec(textOf('services/Dockerfile')) ?? [];
const hostsTopologies = (name: string): boolean =>
  existsSync(join(root, `services/${name}/owns.ts`)) && /topologies: \[\w/.test(textOf(`services/${name}/owns.ts`));
const state = every(({ name, runs, repository, env, volumes = [], hostname }) => {
  const isBroker = repository === 'apache/kafka';
  const folder = runs !== 'engine' ? dataFolder : isBroker ? env.KAFKA_LOG_DIRS : imageFolders[repository];
  const keeps = isBroker || (runs === 'engine' ? folder !== undefined : hostsTopologies(name));
  return [
    ...(!keeps || volumes.some((volume) => volume.split(':')[1] === folder) ? [] : [`no volume at ${folder}`]),
    ...(hostname === name || !(isBroker || runs === 'service')
      ? []
      : ['its hostname changes, and with it its instance']),
  ];
});
const volumes: Rule = (compose) => {
  const used = containersOf(compose).flatMap(({ volumes = [] }) => volumes.map((volume) => volume.split(':')[0] ?? ''));
  return [
    ...notInBoth(used, Object.keys(compose.volumes)).map((volume) => `${volume}: is only declared or only used`),
    ...used.filter((volume, at) => used.indexOf(volume) !== at).map((volume) => `${volume}: is used twice`),
  ];
};

/** Addresses, folders and share groups (which nobody uses) aside, a broker is told what a local one of as many is told. */
const kafka = every(({ name, repository, runs, env }, all) => {
  const brokers = all.filter((one) => one.repository === 'apache/kafka');
  const bootstrap = brokers.map((one) => `${one.name}:9092`).join();
  if (runs !== 'engine') return env.KAFKA_URL === bootstrap ? [] : [`KAFKA_URL is not ${bootstrap}`];
  if (repository !== 'apache/kafka') return [];
  const voters = brokers.map((one) => `${one.env.KAFKA_NODE_ID}@${one.name}:9093`).join();
  const node = { id: Number(env.KAFKA_NODE_ID), port: 9092, controllerPort: 9093, folder: '' };
  return brokerProperties({ ...node, voters, brokers: brokers.length })
    .replaceAll(/^(listeners|log\.dirs|share\.).*\n/gm, '')
    .replace('127.0.0.1', name)
    .trim()
    .split('\n')
    .flatMap((setting) => {
      const [key = '', value] = setting.split('=');
      const variable = `KAFKA_${key.toUpperCase().replaceAll('.', '_')}`;
      return env[variable] === value ? [] : [`${variable} is not ${value}`];
    });
});

const databases = every(({ name, runs, env, probe }, all) => {
  const mongo = all.find((one) => one.name === 'mongo');
  const replicaSet = mongo?.command[mongo.command.indexOf('--replSet') + 1];
  const { POSTGRES_USER, POSTGRES_PASSWORD } = all.find((one) => one.name === 'postgres')?.env ?? {};
  if (name === 'mongo')
    return probe.includes(`rs.initiate({ _id: '${replicaSet}'`) ? [] : [`nothing initiates ${replicaSet}`];
  // While the image lays out its data, a server that others cannot reach answers on the socket.
  if (name === 'postgres') return probe.includes('-h 127.0.0.1') ? [] : ['tells its health over the socket'];
  if (runs === 'engine') return [];
  return [
    ...(env.MONGO_URL?.endsWith(`?replicaSet=${replicaSet}`) ? [] : [`MONGO_URL does not name ${replicaSet}`]),
    ...[env.POSTGRES_URL, env.USERS_POSTGRES_URL]
      .filter((url) => !url?.startsWith(`postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@`))
      .map((url) => `Postgres knows no ${url}`),
  ];
});

const image: Rule = (compose) => {
  const building = containersOf(compose).flatMap(({ build }) => build ?? []);
  return [
    ...(building.length === 1 ? [] : [`the image is built ${building.length} times`]),
    ...building
      .filter(({ context, dockerfile }) => !existsSync(join(root, context, dockerfile)))
      .map(({ dockerfile }) => `there is no ${dockerfile}`),
  ];
};
const pulls = everyOfOurs(({ pull_policy }) => (pull_policy === 'never' ? [] : ['pulls its image']));

const rules = [
  ...[schema, commands, oneContainerAService, environment, addresses, published, health, order],
  ...[state, volumes, kafka, databases, image, pulls],
];

/** What in the file the code would not stand by; empty when they agree. */
export const faultsOf = (compose: Compose): readonly string[] => rules.flatMap((rule) => rule(compose));
