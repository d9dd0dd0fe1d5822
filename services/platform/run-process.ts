import { join } from 'node:path';
import { connectSchemas } from '@bookstream/schemas/serde';
import type { Registry } from 'prom-client';
import { Discovery } from '../discovery/discovery.ts';
import { type Config, reachableHost, readConfig } from './config.ts';
import { ConfigError } from './errors.ts';
import { Health } from './health.ts';
import { LogTopic } from './log-topic.ts';
import { createLogger, type Logger } from './logger.ts';
import { processMetrics } from './metrics.ts';
import { Shutdown } from './shutdown.ts';
import { startTracing, type Tracing } from './tracing.ts';

/** What a service finds ready when its own work begins. */
export interface ServiceContext {
  readonly service: string;
  readonly config: Config;
  readonly logger: Logger;
  readonly health: Health;
  /** What `/metrics` answers: the process itself, and what a service registers here. */
  readonly metrics: Registry;
  /** Null: nobody wants traces. */
  readonly tracing: Tracing | null;
  readonly discovery: Discovery;
  /** Steps run in the reverse order of being added, before what is listed here is closed. */
  readonly shutdown: Shutdown;
}

/** What others should know of it. */
export interface Announcement {
  /** Where its own API answers; null when it only works on topics. */
  readonly url: string | null;
  readonly details?: Readonly<Record<string, string>>;
}

/** 3: something it needs is missing (configuration, an engine); see `bookstream --help`. */
const preconditionFailed = 3;

/**
 * The life of a service process: configuration, logs, health, schemas, `start`, discovery, and back again on SIGTERM. Resolves when it is
 * up; the process then lives until a signal. A configuration or a start that fails ends the process with one message.
 */
export async function runProcess(
  service: string,
  start: (context: ServiceContext) => Promise<Announcement>,
): Promise<void> {
  const config = configOrExit();
  const logTopic = LogTopic.toKafka(config.kafkaUrl, `${service}-${config.instance}`);
  const logger = createLogger({ service, instance: config.instance, level: config.logLevel, sink: logTopic.offer });
  const shutdown = new Shutdown();
  const metrics = processMetrics();
  const health = new Health(metrics);
  const discovery = new Discovery({ redisUrl: config.redisUrl });
  let tracing: Tracing | null = null;
  shutdown.add('log topic', () => logTopic.close());
  shutdown.add('traces', () => tracing?.close());
  shutdown.add('discovery', () => discovery.close());
  shutdown.add('health', () => health.close());
  shutdown.onSignals(logger);

  try {
    health.expect('start');
    tracing = await startTracing(service, config, logger);
    const healthPort = await health.listen(config.host, config.healthPort);
    await connectSchemas({ registryUrl: config.registryUrl, cacheDir: join(config.dataDir, 'schemas') });
    const { url, details } = await start({ service, config, logger, health, metrics, tracing, discovery, shutdown });
    const healthUrl = `http://${reachableHost(config.host)}:${healthPort}/readyz`;
    const { instance } = config;
    const registration = await discovery.register({ service, instance, url, healthUrl, ...(details && { details }) });
    shutdown.add('registration', () => registration.close());
    shutdown.add('draining', () => health.drain());
    health.ready('start');
    logger.info('started', `${service} is up`, { url, healthUrl });
  } catch (error) {
    const fault = error instanceof Error ? error : new Error(String(error));
    logger.error('start-failed', `${service} did not start: ${fault.message}`, { error: fault });
    await shutdown.run(logger);
    process.exit(preconditionFailed);
  }
}

function configOrExit(): Config {
  try {
    return readConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(preconditionFailed);
  }
}
