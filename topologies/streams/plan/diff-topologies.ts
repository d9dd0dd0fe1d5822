import { Topology } from './topology.ts';
import { describeTopology, type SubTopologyDescription, type TopologyDescription } from './topology-description.ts';

export interface TopologyChange {
  readonly of: 'store' | 'changelog' | 'repartition-topic' | 'global-store';
  readonly name: string;
  /**
   * - `orphaned`: nothing of the new topology uses it; what is kept or under way there is lost to it
   * - `created`: it begins empty
   * - `moved`: it belongs to another sub-topology, so to other tasks
   * - `repartitioned`: what fixes its partition count, or where a key lies, is not what it was
   * - `changed`: it is kept, in another form
   */
  readonly change: 'orphaned' | 'created' | 'moved' | 'repartitioned' | 'changed';
  readonly before: string | null;
  readonly after: string | null;
  /** What it means and what to do, in a sentence. */
  readonly message: string;
}

export interface TopologyDiff {
  readonly changes: readonly TopologyChange[];
  /** The new topology can take over all that the old one has kept: nothing is orphaned, moved, repartitioned or changed. */
  readonly keepsState: boolean;
}

type Durable = ReadonlyMap<string, Readonly<Record<string, string>>>;

/**
 * What a deployment of `after` in place of `before` does to what is kept: stores, changelogs, topics between sub-topologies. Nodes without
 * such have no name that matters, and are not compared.
 * @param before the topology that runs, or its description (`describe('json')`, parsed) from the release before
 */
export function diffTopologies(
  before: Topology | TopologyDescription,
  after: Topology | TopologyDescription,
): TopologyDiff {
  const [was, is] = [descriptionOf(before), descriptionOf(after)];
  const changes = [
    ...compare('store', storesOf(was), storesOf(is)),
    ...compare('changelog', changelogsOf(was), changelogsOf(is)),
    ...compare('repartition-topic', internalTopicsOf(was), internalTopicsOf(is)),
    ...compare('global-store', globalsOf(was), globalsOf(is)),
  ];
  return { changes, keepsState: changes.every(({ change }) => change === 'created') };
}

const descriptionOf = (one: Topology | TopologyDescription) => (one instanceof Topology ? describeTopology(one) : one);

function compare(of: TopologyChange['of'], was: Durable, is: Durable): readonly TopologyChange[] {
  const told = (name: string, change: TopologyChange['change'], before: string | null, after: string | null) => ({
    of,
    name,
    change,
    before,
    after,
    message: `${of} ${name}: ${meaning[of][change]}${before !== null && after !== null ? ` (${before} → ${after})` : ''}`,
  });
  const gone = [...was.keys()].filter((name) => !is.has(name)).map((name) => told(name, 'orphaned', name, null));
  const added = [...is.keys()].filter((name) => !was.has(name)).map((name) => told(name, 'created', null, name));
  const changed = [...was].flatMap(([name, before]) =>
    Object.entries(is.get(name) ?? {}).flatMap(([property, after]) => {
      const then = before[property] ?? '';
      return then === after ? [] : [told(name, changeOf(property), then, after)];
    }),
  );
  return [...gone, ...added, ...changed];
}

const changeOf = (property: string): TopologyChange['change'] =>
  property === 'sub-topology' ? 'moved' : property === 'partitioning' ? 'repartitioned' : 'changed';

const storesOf = ({ subTopologies }: TopologyDescription): Durable =>
  new Map(
    subTopologies.flatMap((sub) =>
      sub.stores.map((store) => [
        store.name,
        {
          'sub-topology': `sub-topology ${sub.id}`,
          partitioning: `as ${inputsOf(sub).join(', ')}`,
          form: `${store.kind}, ${store.persistent ? 'on disk' : 'in memory'}, ${store.retentionMs === null ? 'kept for ever' : `kept for ${store.retentionMs} ms`}`,
        },
      ]),
    ),
  );

const changelogsOf = ({ subTopologies }: TopologyDescription): Durable =>
  new Map(
    subTopologies.flatMap((sub) =>
      sub.stores.flatMap(({ changelog }) =>
        changelog === null ? [] : [[changelog, { partitioning: `as ${inputsOf(sub).join(', ')}` }] as const],
      ),
    ),
  );

/** Topics of others decide how a sub-topology is partitioned; its internal ones follow them. */
function inputsOf(sub: SubTopologyDescription): readonly string[] {
  return sub.nodes.flatMap((node) => (node.kind === 'source' ? [node.topic] : [])).sort();
}

function internalTopicsOf({ subTopologies }: TopologyDescription): Durable {
  const writersOf = (topic: string) =>
    subTopologies.filter((sub) => sub.nodes.some((node) => node.kind === 'sink' && node.topic === topic));
  return new Map(
    subTopologies.flatMap((sub) =>
      sub.nodes.flatMap((node) => {
        if (node.kind !== 'source' || !node.internal) return [];
        const beside = sub.coPartitioned.flatMap(({ topics }) => (topics.includes(node.topic) ? topics : []));
        const others = [...new Set(beside)].filter((topic) => topic !== node.topic).sort();
        const fed = [...new Set(writersOf(node.topic).flatMap(inputsOf))].sort();
        const partitioning =
          node.partitions !== null
            ? `${node.partitions} partitions`
            : others.length > 0
              ? `as ${others.join(', ')}`
              : `as ${fed.join(', ')}`;
        return [[node.topic, { partitioning }] as const];
      }),
    ),
  );
}

const globalsOf = ({ globalStores }: TopologyDescription): Durable =>
  new Map(globalStores.map(({ store, topic }) => [store, { topic: `from ${topic}` }]));

const meaning: Readonly<Record<TopologyChange['of'], Readonly<Record<TopologyChange['change'], string>>>> = {
  store: {
    orphaned: 'nothing uses it any more; its rows are lost to the new topology. Keep its name, if it only moved',
    created: 'begins empty',
    moved: 'belongs to other tasks; they read it anew from its changelog, if it has one, and begin empty, if not',
    repartitioned:
      'its keys may lie in other partitions than its rows do; reset the application, if the new inputs are partitioned otherwise',
    changed: 'is kept in another form; reset it or give the new form another name',
  },
  changelog: {
    orphaned: 'nobody reads or writes it; delete it when no way back is wanted',
    created: 'is made at the start',
    moved: '',
    repartitioned: 'is refused at the start if its partition count is not that of the new inputs; then delete it',
    changed: '',
  },
  'repartition-topic': {
    orphaned: 'what is under way there is never processed; stop the inputs and let it run dry before',
    created: 'is made at the start',
    moved: '',
    repartitioned: 'is refused at the start if its partition count is another; let it run dry and delete it before',
    changed: '',
  },
  'global-store': {
    orphaned: 'nothing reads it any more; its files can go',
    created: 'is read whole before the first task starts',
    moved: '',
    repartitioned: '',
    changed: 'is filled from another topic; give it another name, or the rows of both are mixed on disk',
  },
};
