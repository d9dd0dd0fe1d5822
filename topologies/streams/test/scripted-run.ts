import type { MembershipOptions, ProducedRecord } from '../kafka/port.ts';
import type { Topology } from '../plan/topology.ts';
import { ApplicationRunner, type RunnerOptions } from '../runtime/application-runner.ts';
import { Serdes } from '../serde.ts';
import { MemoryStorage } from '../state/memory-storage.ts';
import type { TaskStorage } from '../state/state-store.ts';
import { ScriptedPort } from './scripted-port.ts';
import { input, output, summing } from './summing.ts';

/** One application over a scripted port; the disk outlives a run, as LMDB's files do. */
export function setUp(topology: Topology = summing(), partitions = 1, options: Partial<RunnerOptions> = {}) {
  const port = new ScriptedPort();
  for (const { name } of [input, output]) port.broker.createTopic(name, partitions);
  const disk = new Map<string, TaskStorage>();
  const logged: string[] = [];
  const opened: string[] = [];
  const storage = (_application: string, task: string): TaskStorage => {
    opened.push(task);
    const there = disk.get(task) ?? new MemoryStorage();
    disk.set(task, there);
    return there;
  };
  const runner = new ApplicationRunner({
    applicationId: 'app',
    topology,
    kafka: port,
    state: { storage, taskIds: () => [], removeTask: () => {} },
    instanceId: 'one',
    processId: 'one',
    guarantee: 'exactly_once',
    maxTaskIdleMs: 0,
    onMalformed: 'dead-letter',
    onFailure: 'fail',
    onProductionError: 'fail',
    log: (_level, event, message) => logged.push(`${event}: ${message}`),
    capacity: 1,
    numStandbyReplicas: 0,
    acceptableRecoveryLag: 10_000,
    maxWarmupReplicas: 2,
    probingRebalanceIntervalMs: 600_000,
    stateCleanupDelayMs: 600_000,
    ...options,
  });
  return { port, runner, logged, opened };
}

/** A record of the input. */
export const number = (key: string, value: number, offsetMs = 0): ProducedRecord => ({
  topic: input.name,
  partition: 0,
  timestamp: 1_000 + offsetMs,
  key: input.keySerde.serialize(input.name, key),
  value: input.valueSerde.serialize(input.name, value),
  headers: [],
});

/** What the output holds. */
export const sums = (port: ScriptedPort): number[] =>
  port.broker.records(output.name).map(({ value }) => Serdes.integer.deserialize('', value ?? new Uint8Array()));

export const only = (port: ScriptedPort): MembershipOptions => {
  const [member] = port.members;
  if (member === undefined) throw new Error('nobody has joined');
  return member;
};
