import { expect, test } from 'vitest';
import { faultsOf } from './compose-faults.ts';
import { readCompose, textOf } from './compose-file.ts';

const file = textOf('docker-compose.yml');

test('docker-compose.yml says what the code stands by', () => {
  expect(faultsOf(readCompose(file))).toEqual([]);
});

test.each([
  ['a key of no meaning', 'cap_drop', 'cap_drops', '/services/users must NOT have unevaluated properties'],
  ['an unknown command', '["setup"]', '["set-up"]', 'setup: bookstream has no command set-up'],
  ['an unknown service', '["service", "stock"]', '["service", "stocks"]', 'stock: bookstream service does not run'],
  ["another's service", '["service", "stock"]', '["service", "books"]', 'stock: bookstream service does not run'],
  ['a service left out', '\n  logs:\n', '\n  log:\n', 'logs: has only one of folder and container'],
  ['a misspelt variable', 'HEALTH_PORT:', 'HEALTH_PROT:', 'users: no code reads HEALTH_PROT'],
  ['a missing variable', 'REDIS_URL: redis://redis:6379', '', 'REDIS_URL is not set'],
  ['a URL of another form', 'http://registry', 'tcp://registry', 'REGISTRY_URL is "tcp://registry'],
  ['a server for itself', 'HOST: 0.0.0.0', 'HOST: 127.0.0.1', 'users: HOST keeps other containers out'],
  ['an unknown host', '@postgres:5432', '@pg:5432', 'stock: nothing listens at pg:5432'],
  ['a port of nobody', 'redis://redis:6379', 'redis://redis:6380', 'stock: nothing listens at redis:6380'],
  ['a published port of nobody', ':-4000}:4000', ':-4000}:4001', 'gateway: publishes 4001, not its PORT'],
  ['an unknown health path', '/readyz', '/ready', 'users: no readiness at /ready'],
  ['life taken for readiness', '/readyz', '/livez', 'users: no readiness at /livez'],
  ['health at another port', '127.0.0.1:4100', '127.0.0.1:4000', 'users: no health at port 4000'],
  ['a registry half read', '/health/ready', '/health/live', 'registry: no readiness at /health/live'],
  ['a wait for nobody', 'users: { condition', 'user: { condition', 'gateway: user never meets service_healthy'],
  ['a wait without end', 'service_completed_successfully', 'service_healthy', 'stock: setup never meets'],
  ['an engine not waited for', 'redis: { condition: service_healthy }', '', 'users: does not wait for redis'],
  ['a volume not declared', '\n  stock-state:\n', '\n', 'stock-state: is only declared or only used'],
  [
    'a volume elsewhere',
    'stock-state:/var/lib/bookstream',
    'stock-state:/data',
    'stock: no volume at /var/lib/bookstream',
  ],
  ['a volume of two', 'stock-state:/var', 'orders-state:/var', 'orders-state: is used twice'],
  ['a broker without its volume', 'KAFKA_LOG_DIRS: /var/lib/kafka/data', '', 'kafka-1: no volume at undefined'],
  ['an instance that changes', 'hostname: stock', '', 'stock: its hostname changes'],
  ['an unknown voter', '3@kafka-3:9093', '3@kafka-4:9093', 'kafka-1: KAFKA_CONTROLLER_QUORUM_VOTERS is not 1@kafka-1'],
  ['two nodes of one id', 'NODE_ID: 2', 'NODE_ID: 3', 'kafka-1: KAFKA_CONTROLLER_QUORUM_VOTERS is not 1@kafka-1'],
  [
    'an address of another',
    'PLAINTEXT://kafka-2:',
    'PLAINTEXT://kafka-1:',
    'kafka-2: KAFKA_ADVERTISED_LISTENERS is not',
  ],
  [
    'transactions kept once',
    'LOG_REPLICATION_FACTOR: 3',
    'LOG_REPLICATION_FACTOR: 1',
    'STATE_LOG_REPLICATION_FACTOR is not 3',
  ],
  [
    'a broker left out',
    'kafka-2:9092,kafka-3:9092\n  REG',
    'kafka-2:9092\n  REG',
    'users: KAFKA_URL is not kafka-1:9092,',
  ],
  ['a set nobody initiates', '"--replSet", "rs0"', '"--replSet", "rs1"', 'mongo: nothing initiates rs1'],
  ['an unknown account', 'POSTGRES_USER: bookstream', 'POSTGRES_USER: shop', 'users: Postgres knows no postgres://'],
  ['a Postgres half made', '-h 127.0.0.1 ', '', 'postgres: tells its health over the socket'],
  ['an image of no file', 'dockerfile: services/Dockerfile', 'dockerfile: Dockerfile', 'there is no Dockerfile'],
  ['an image from elsewhere', 'pull_policy: never', 'pull_policy: missing', 'users: pulls its image'],
])('%s is found', (_, right, wrong, fault) => {
  expect(file).toContain(right);
  expect(faultsOf(readCompose(file.replace(right, wrong)))).toContainEqual(expect.stringContaining(fault));
});
