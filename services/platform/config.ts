import { hostname } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError } from './errors.ts';

const root = join(import.meta.dirname, '..', '..');
const port = z.coerce.number().int().min(0).max(65_535);
const urlWith = (...schemes: readonly string[]) =>
  z.string().refine((value) => schemes.some((scheme) => value.startsWith(`${scheme}://`) && URL.canParse(value)));

/** Each variable once: its form, what stands for it when it is not set, and an example for the message that misses it. */
export const variables = {
  KAFKA_URL: { form: z.string().regex(/^[^\s,/]+:\d+(,[^\s,/]+:\d+)*$/), example: '127.0.0.1:9092,127.0.0.1:9093' },
  REGISTRY_URL: { form: urlWith('http', 'https'), example: 'http://127.0.0.1:8081/apis/ccompat/v7' },
  POSTGRES_URL: {
    form: urlWith('postgres', 'postgresql'),
    example: 'postgres://bookstream:secret@127.0.0.1:5432/bookstream',
  },
  USERS_POSTGRES_URL: {
    form: urlWith('postgres', 'postgresql'),
    example: 'postgres://bookstream:secret@127.0.0.1:5432/bookstream_users',
  },
  MONGO_URL: { form: urlWith('mongodb', 'mongodb+srv'), example: 'mongodb://127.0.0.1:27017/bookstream' },
  REDIS_URL: { form: urlWith('redis', 'rediss'), example: 'redis://127.0.0.1:6379' },
  HOST: { form: z.string().min(1).default('127.0.0.1'), example: '0.0.0.0' },
  PORT: { form: port.default(4000), example: '4000' },
  HEALTH_PORT: { form: port.default(0), example: '4100' },
  BOOKSTREAM_DATA: { form: z.string().min(1).default('.bookstream'), example: '.bookstream' },
  BOOKSTREAM_INSTANCE: {
    form: z
      .string()
      .regex(/^[\w.-]{1,60}$/)
      .optional(),
    example: 'stock-2',
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: { form: urlWith('http', 'https').optional(), example: 'http://127.0.0.1:4318' },
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: {
    form: urlWith('http', 'https').optional(),
    example: 'http://127.0.0.1:4318/v1/traces',
  },
  OTEL_TRACES_SAMPLER_ARG: { form: z.coerce.number().min(0).max(1).default(1), example: '0.1' },
  LOG_LEVEL: { form: z.enum(['debug', 'info', 'warn', 'error']).default('info'), example: 'info' },
} as const;

type Variable = keyof typeof variables;

export interface Config {
  /** Bootstrap list, `host:port,…` */
  readonly kafkaUrl: string;
  /** Base of the registry's Confluent API. */
  readonly registryUrl: string;
  readonly postgresUrl: string;
  readonly usersPostgresUrl: string;
  readonly mongoUrl: string;
  readonly redisUrl: string;
  /** Address that servers listen on; 0.0.0.0 in a container. */
  readonly host: string;
  /** The gateway's. */
  readonly port: number;
  /** 0: any free one, which discovery then tells. */
  readonly healthPort: number;
  /** Absolute. */
  readonly dataDir: string;
  /** Who this process is among others of its service, and over restarts: BOOKSTREAM_INSTANCE, else the container's name. */
  readonly instance: string;
  /** Where a collector takes traces as OTLP over HTTP; null: none are made. */
  readonly tracesUrl: string | null;
  /** How many of the traces that begin here are sampled, 0 to 1. */
  readonly tracesRatio: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

/**
 * Reads the environment.
 * @throws ConfigError naming every variable that is missing or malformed, its value and an example
 */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const faults: string[] = [];
  const read = <V extends Variable>(name: V): z.output<(typeof variables)[V]['form']> => {
    const { form, example } = variables[name];
    const given = env[name];
    const result = form.safeParse(given === '' ? undefined : given);
    if (result.success) return result.data as z.output<(typeof variables)[V]['form']>; // the form of this very variable
    faults.push(
      given === undefined || given === ''
        ? `${name} is not set. Cure: \`npm start\` sets it; or set it yourself, for example ${name}=${example}`
        : `${name} is ${JSON.stringify(hidden(given))}, which cannot be used. Cure: give it the form ${name}=${example}`,
    );
    return undefined as never; // thrown below
  };
  const dataDir = read('BOOKSTREAM_DATA');
  const collector = read('OTEL_EXPORTER_OTLP_ENDPOINT');
  const tracesUrl = read('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  const config: Config = {
    kafkaUrl: read('KAFKA_URL'),
    registryUrl: read('REGISTRY_URL'),
    postgresUrl: read('POSTGRES_URL'),
    usersPostgresUrl: read('USERS_POSTGRES_URL'),
    mongoUrl: read('MONGO_URL'),
    redisUrl: read('REDIS_URL'),
    host: read('HOST'),
    port: read('PORT'),
    healthPort: read('HEALTH_PORT'),
    dataDir: isAbsolute(dataDir) ? dataDir : resolve(root, dataDir),
    instance: read('BOOKSTREAM_INSTANCE') ?? hostname(),
    // The specification of OTLP exporters: one for traces is used as it is, one for all signals is their root.
    tracesUrl: tracesUrl ?? (collector === undefined ? null : `${collector.replace(/\/$/, '')}/v1/traces`),
    tracesRatio: read('OTEL_TRACES_SAMPLER_ARG'),
    logLevel: read('LOG_LEVEL'),
  };
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

/** A value as it may be shown: without the password that stands in it. */
const hidden = (value: string): string => value.replace(/(:\/\/[^:/@\s]*:)[^@\s]*@/, '$1…@');

/** Where others reach a server of this process: in a container its name, else the loopback address. */
export const reachableHost = (host: string): string => (host === '0.0.0.0' || host === '::' ? hostname() : host);
