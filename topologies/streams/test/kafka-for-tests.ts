import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type AdminPort, connectKafka, type KafkaPort } from '../kafka/index.ts';
import { type KafkaBroker, startKafkaBroker } from './kafka-broker.ts';

/** What the tests of one file share; there as soon as the first of them runs. */
export interface KafkaForTests {
  readonly bootstrapServers: string;
  readonly kafka: KafkaPort & AdminPort;
  readonly stateDir: string;
}

/** A broker of this file's own, a connection to it and a folder for state; gone after the file's last test. */
export function kafkaForTests(clientId: string): KafkaForTests {
  let broker: KafkaBroker | undefined;
  let kafka: (KafkaPort & AdminPort) | undefined;
  let stateDir: string | undefined;
  beforeAll(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'streams-state-'));
    broker = await startKafkaBroker();
    kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId });
  }, 120_000);
  afterAll(async () => {
    await kafka?.close();
    await broker?.[Symbol.asyncDispose]();
    if (stateDir !== undefined) rmSync(stateDir, { recursive: true, force: true });
  });
  const there = <T>(what: T | undefined): T => {
    if (what === undefined) throw new Error('the broker of these tests is not there yet; ask for it within a test');
    return what;
  };
  return {
    get bootstrapServers() {
      return there(broker).bootstrapServers;
    },
    get kafka() {
      return there(kafka);
    },
    get stateDir() {
      return there(stateDir);
    },
  };
}
