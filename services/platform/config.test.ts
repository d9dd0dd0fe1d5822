import { isAbsolute } from 'node:path';
import { expect, test } from 'vitest';
import { reachableHost, readConfig } from './config.ts';

const complete = {
  KAFKA_URL: 'kafka-1:9092,kafka-2:9092',
  REGISTRY_URL: 'http://registry:8080/apis/ccompat/v7',
  POSTGRES_URL: 'postgres://bookstream:secret@postgres:5432/bookstream',
  USERS_POSTGRES_URL: 'postgres://bookstream:secret@postgres:5432/bookstream_users',
  MONGO_URL: 'mongodb://mongo:27017/bookstream?replicaSet=rs0',
  REDIS_URL: 'redis://redis:6379',
};

test('the URLs of the engines are enough; all else has a default', () => {
  const config = readConfig(complete);
  expect(config).toMatchObject({
    kafkaUrl: 'kafka-1:9092,kafka-2:9092',
    port: 4000,
    host: '127.0.0.1',
    logLevel: 'info',
  });
  expect(isAbsolute(config.dataDir)).toBe(true);
});

test('an empty variable counts as not set', () => {
  expect(readConfig({ ...complete, PORT: '', HEALTH_PORT: '4100' })).toMatchObject({ port: 4000, healthPort: 4100 });
});

test('every fault is told at once, with the value, without the password, with the cure', () => {
  const faulty = { ...complete, REDIS_URL: undefined, PORT: '70000', POSTGRES_URL: 'mysql://me:secret@db/x' };
  const message = (() => {
    try {
      readConfig(faulty);
      return '';
    } catch (error) {
      return String(error);
    }
  })();
  expect(message).toContain('REDIS_URL is not set. Cure: `npm start` sets it');
  expect(message).toContain('PORT is "70000", which cannot be used. Cure: give it the form PORT=4000');
  expect(message).toContain('POSTGRES_URL is "mysql://me:…@db/x"');
  expect(message).not.toContain('secret@db');
});

test('traces go nowhere, to the place named for them, or below the place named for all signals', () => {
  const of = (env: NodeJS.ProcessEnv) => {
    const { tracesUrl, tracesRatio } = readConfig({ ...complete, ...env });
    return [tracesUrl, tracesRatio];
  };
  expect(of({})).toEqual([null, 1]);
  expect(of({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel:4318/' })).toEqual(['http://otel:4318/v1/traces', 1]);
  const traces = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel:4318', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://t/x' };
  expect(of({ ...traces, OTEL_TRACES_SAMPLER_ARG: '0.25' })).toEqual(['https://t/x', 0.25]);
  expect(() => of({ OTEL_TRACES_SAMPLER_ARG: '25' })).toThrow('OTEL_TRACES_SAMPLER_ARG is "25", which cannot be used');
  expect(() => of({ OTEL_EXPORTER_OTLP_ENDPOINT: 'otel:4318' })).toThrow('OTEL_EXPORTER_OTLP_ENDPOINT=http://127');
});

test('a server on every address is reached by the name of its machine', () => {
  expect(reachableHost('127.0.0.1')).toBe('127.0.0.1');
  expect(reachableHost('0.0.0.0')).not.toBe('0.0.0.0');
});
