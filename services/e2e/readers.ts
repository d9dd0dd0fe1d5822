import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { topicsOf } from '@bookstream/projections/projection';
import { StreamsBuilder } from '@bookstream/streams';
import { taskIdOf } from '@bookstream/streams/plan/application-plan';
import { allOf, type Owns } from '../platform/owns.ts';

/** One who reads a topic of the shop and answers for each of its records, under the names that its dead letters carry. */
export interface Reader {
  readonly kind: 'topology' | 'global table' | 'projection';
  readonly application: string;
  /** A pattern where the number depends on what was rebuilt before. */
  readonly task: (partition: number) => string | RegExp;
}

/** What all services own, by their `owns.ts`: one that is not run would be missed by its readers' dead letters. */
async function owned(): Promise<Owns> {
  const services = join(import.meta.dirname, '..');
  const files = readdirSync(services)
    .filter((name) => name !== 'platform')
    .map((name) => join(services, name, 'owns.ts'))
    .filter(existsSync);
  const modules = await Promise.all(
    files.map((file): Promise<{ readonly owns: Owns }> => import(pathToFileURL(file).href)),
  );
  return allOf(modules.map((module) => module.owns));
}

/** The readers of every topic that is somebody's input, as topologies and projections tell themselves, so that a new input is in it too. */
export async function readersByTopic(): Promise<ReadonlyMap<string, readonly Reader[]>> {
  const { topologies, projections } = await owned();
  const readers = new Map<string, Reader[]>();
  const add = (topic: string, reader: Reader) => readers.set(topic, [...(readers.get(topic) ?? []), reader]);
  for (const { applicationId, build } of topologies) {
    const builder = new StreamsBuilder();
    build(builder);
    const plan = builder.build().plan(applicationId);
    for (const { id, sources } of plan.subTopologies) {
      for (const { topic, internal } of sources) {
        if (internal) continue; // only the application itself writes there
        add(topic, { kind: 'topology', application: applicationId, task: (partition) => taskIdOf(id, partition) });
      }
    }
    for (const { topic } of plan.globalTables)
      add(topic, { kind: 'global table', application: applicationId, task: () => 'global' });
  }
  for (const projection of projections) {
    for (const { name } of topicsOf(projection))
      add(name, { kind: 'projection', application: `projection-${projection.name}`, task: () => /^build-\d+$/ });
  }
  return readers;
}
