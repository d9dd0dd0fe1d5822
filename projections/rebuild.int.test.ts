import { useLocalSchemas } from '@bookstream/schemas/serde';
import { dlqOf, topics } from '@bookstream/schemas/topics';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RebuildCancelledError, RebuildError } from './errors.ts';
import { orders } from './orders/projection.ts';
import { ordersPage } from './orders/queries.ts';
import type { Projection } from './projection.ts';
import { Projector } from './projector.ts';
import { cancelRebuild, type RebuildOptions, rebuild, rollback } from './rebuild.ts';
import type { Sink } from './sink.ts';
import { MongoSink } from './sinks/mongo.ts';
import { PostgresSink } from './sinks/postgres.ts';
import { stock } from './stock/projection.ts';
import { stockOf, stockPage } from './stock/queries.ts';
import { type Databases, databases, ownMongo, ownPostgres, until } from './test/engines.ts';
import { idOf, orderConfirmed, orderPlaced, orderView, restocked } from './test/events.ts';
import { InMemoryPort } from './test/in-memory-port.ts';

let engines: Databases;
let count = 0;

beforeAll(async () => {
  useLocalSchemas();
  engines = await databases();
});
afterAll(() => engines?.[Symbol.asyncDispose]());

const keys = Array.from({ length: 300 }, (_, index) => idOf('row', index));
const userId = idOf('user', 1);

/** The same questions to either engine. */
interface Shop extends AsyncDisposable {
  readonly projection: Projection;
  readonly port: InMemoryPort;
  readonly sink: PostgresSink | MongoSink;
  readonly projector: Projector;
  /** Puts `version` of the row `key` on the topics. */
  put(key: string, version: number): void;
  /** Version of each row that readers see. */
  versions(): Promise<ReadonlyMap<string, number>>;
  falsify(key: string): Promise<void>;
  falsified(key: string): Promise<boolean>;
  options(more?: Partial<RebuildOptions>): RebuildOptions;
}

async function shop(engine: 'postgres' | 'mongo'): Promise<Shop> {
  count += 1;
  const port = new InMemoryPort();
  for (const topic of Object.values(topics)) {
    port.broker.createTopic(topic.name, 2);
    port.broker.createTopic(dlqOf(topic).name, 2);
  }
  const isPostgres = engine === 'postgres';
  const projection = isPostgres ? orders : stock;
  const postgres = new PostgresSink(await ownPostgres(engines.postgresUrl, `rebuild_${count}`));
  const mongo = new MongoSink(ownMongo(engines.mongoUrl, `rebuild_${count}`));
  const sink = isPostgres ? postgres : mongo;
  const projector = await Projector.start({ projection, port, sink, instanceId: 'live' });
  const first = { first: 1_000 };
  const live = async () => mongo.db.collection<{ _id: string }>(`stock_b${await mongo.live(stock.name)}`);
  return {
    projection,
    port,
    sink,
    projector,
    put(key, version) {
      if (!isPostgres) {
        port.put(topics.stockEvents, key, restocked(key, version, 1, version));
        return;
      }
      port.put(
        topics.ordersEvents,
        key,
        version === 1 ? orderPlaced(key, userId) : orderConfirmed(key, userId, version),
      );
      port.put(topics.ordersView, key, orderView(key, userId, version));
    },
    async versions() {
      if (isPostgres) {
        const { items } = await ordersPage(postgres.pool, first);
        return new Map(items.map(({ node }) => [node.orderId, node.version]));
      }
      const { items } = await stockPage(mongo.db, first);
      return new Map(items.map(({ node }) => [node.bookId, node.version]));
    },
    async falsify(key) {
      if (isPostgres)
        await postgres.pool.query(`update orders_b1 set total_minor = 1, status = 'FORGED' where order_id = $1`, [key]);
      else await (await live()).updateOne({ _id: key }, { $set: { onHand: 9_999 } });
    },
    async falsified(key) {
      if (!isPostgres) return (await stockOf(mongo.db, [key]))[0]?.onHand === 9_999;
      const { rows } = await postgres.pool.query('select status from orders where order_id = $1', [key]);
      return rows[0]?.status === 'FORGED';
    },
    options: (more = {}) => ({ projection, port, sink, actor: 'test', ...more }),
    async [Symbol.asyncDispose]() {
      await projector.close();
      await Promise.all([postgres.close(), mongo.close()]);
    },
  };
}

const types = (world: Shop): readonly string[] => {
  const { name, valueSerde } = topics.projectionsEvents;
  return world.port
    .records(name)
    .flatMap(({ value }) => (value === null ? [] : [valueSerde.deserialize(name, value).type]));
};

/** Asks readers' questions all the time. @returns what was wrong: an error, a row less, a version less */
function watch(world: Shop) {
  const faults: string[] = [];
  let asked = 0;
  let stop = false;
  const seen = new Map<string, number>();
  const loop = (async () => {
    while (!stop) {
      try {
        const now = await world.versions();
        asked += 1;
        for (const [key, version] of seen) {
          const found = now.get(key);
          if (found === undefined) faults.push(`${key} is gone`);
          else if (found < version) faults.push(`${key} went from version ${version} to ${found}`);
        }
        for (const [key, version] of now) seen.set(key, version);
      } catch (error) {
        faults.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  return {
    async result() {
      stop = true;
      await loop;
      return { faults, asked };
    },
  };
}

describe.each(['postgres', 'mongo'] as const)('%s', (engine) => {
  test('a falsified row is mended, nothing else differs, and readers meanwhile see no error and nothing less', async () => {
    await using world = await shop(engine);
    for (const key of keys) world.put(key, 1);
    await until(
      'rows',
      () => world.versions(),
      (rows) => rows.size === keys.length,
    );
    const [forged = ''] = keys;
    await world.falsify(forged);
    expect(await world.falsified(forged)).toBe(true);

    const readers = watch(world);
    const result = await rebuild(world.options());
    const { faults, asked } = await readers.result();

    expect(faults).toEqual([]);
    expect(asked).toBeGreaterThan(3);
    expect(result).toMatchObject({ build: 2, former: 1, switched: true, bad: [] });
    expect(result.rows).toBe(engine === 'postgres' ? 2 * keys.length : keys.length);
    const none = { onlyInFirst: 0, onlyInSecond: 0, changed: 0, keys: [] };
    expect(result.differences).toEqual(
      engine === 'postgres'
        ? [
            { table: 'orders', ...none, changed: 1, keys: [forged] },
            { table: 'order_steps', ...none },
          ]
        : [{ table: 'stock', ...none, changed: 1, keys: [forged] }],
    );
    expect(await world.falsified(forged)).toBe(false);
    expect((await world.sink.builds()).map(({ build, state }) => [build, state])).toEqual([
      [1, 'KEPT'],
      [2, 'LIVE'],
    ]);
    expect(types(world)).toEqual(['RebuildStarted', 'RebuildProgressed', 'RebuildSwitched']);
  });

  test('while events flow, nothing is lost over the switch and the live projector goes on with the new build', async () => {
    await using world = await shop(engine);
    for (const key of keys) world.put(key, 1);
    let version = 1;
    let stop = false;
    const traffic = (async () => {
      while (!stop) {
        version += 1;
        for (const key of keys.slice(0, 40)) world.put(key, version);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    await until(
      'rows',
      () => world.versions(),
      (rows) => rows.size === keys.length,
    );
    const readers = watch(world);
    const result = await rebuild(world.options());
    await new Promise((resolve) => setTimeout(resolve, 300)); // some traffic behind the switch
    stop = true;
    await traffic;
    await until(
      'the last version',
      () => world.versions(),
      (rows) => rows.get(keys[0] ?? '') === version,
    );
    expect((await readers.result()).faults).toEqual([]);
    expect(result.switched).toBe(true);
    expect(world.projector.status.map(({ build }) => build)).toEqual(world.projector.status.map(() => 2));
    expect(world.port.records(`${world.projection.tables[0]?.topic.name}.dlq`)).toEqual([]);

    // What the live projector has made of the new build is what one more rebuild makes of all events.
    const again = await rebuild(world.options());
    expect(
      again.differences.map(({ onlyInFirst, onlyInSecond, changed }) => onlyInFirst + onlyInSecond + changed),
    ).toEqual(again.differences.map(() => 0));
    expect((await world.sink.builds()).map(({ build, state }) => [build, state])).toEqual([
      [1, 'DROPPED'],
      [2, 'KEPT'],
      [3, 'LIVE'],
    ]);
  });

  test('it can be rolled back: the former build is brought up to date first', async () => {
    await using world = await shop(engine);
    for (const key of keys) world.put(key, 1);
    await until(
      'rows',
      () => world.versions(),
      (rows) => rows.size === keys.length,
    );
    await rebuild(world.options());
    for (const key of keys) world.put(key, 2);
    await until(
      'version 2',
      () => world.versions(),
      (rows) => [...rows.values()].every((version) => version === 2),
    );
    const readers = watch(world);
    expect(await rollback(world.options())).toMatchObject({ build: 1, former: 2, switched: true });
    for (const key of keys) world.put(key, 3);
    await until(
      'version 3',
      () => world.versions(),
      (rows) => [...rows.values()].every((version) => version === 3),
    );
    expect((await readers.result()).faults).toEqual([]);
  });

  test('cancelled, by a signal or from elsewhere, it leaves nothing and says so', async () => {
    await using world = await shop(engine);
    for (const key of keys) world.put(key, 1);
    await until(
      'rows',
      () => world.versions(),
      (rows) => rows.size === keys.length,
    );
    const abort = new AbortController();
    const onProgress = ({ phase }: { phase: string }) => {
      if (phase === 'VERIFY') abort.abort();
    };
    await expect(rebuild(world.options({ signal: abort.signal, onProgress }))).rejects.toThrow(RebuildCancelledError);
    expect(types(world).at(-1)).toBe('RebuildCancelled');

    let cancelled: Promise<number | null> = Promise.resolve(null);
    const elsewhere = ({ phase }: { phase: string }) => {
      if (phase === 'CATCH_UP') cancelled = cancelRebuild(world.sink, world.projection);
    };
    await expect(rebuild(world.options({ onProgress: elsewhere }))).rejects.toThrow(RebuildCancelledError);
    expect(await cancelled).toBe(3);
    expect((await world.sink.builds()).map(({ build, state }) => [build, state])).toEqual([
      [1, 'LIVE'],
      [2, 'DROPPED'],
      [3, 'DROPPED'],
    ]);
    expect((await world.versions()).size).toBe(keys.length);
    expect(await rebuild(world.options())).toMatchObject({ build: 4, switched: true });
  });

  test('two at once: the second is refused', async () => {
    await using world = await shop(engine);
    world.put('a', 1);
    const { sink } = world;
    const load: Sink['load'] = sink.load.bind(sink);
    const loading = Promise.withResolvers<void>();
    const refused = Promise.withResolvers<void>();
    sink.load = async (...args: Parameters<Sink['load']>) => {
      loading.resolve();
      await refused.promise;
      await load(...args);
    };
    const first = rebuild(world.options());
    await loading.promise;
    await expect(rebuild(world.options())).rejects.toThrow(RebuildError);
    refused.resolve();
    expect(await first).toMatchObject({ switched: true });
  });

  test('an attempt that died between two partitions is gone on with, and what it loaded is verified too', async () => {
    await using world = await shop(engine);
    for (const key of keys) world.put(key, 1);
    const { sink } = world;
    const load: Sink['load'] = sink.load.bind(sink);
    let loads = 0;
    sink.load = async (...args: Parameters<Sink['load']>) => {
      loads += 1;
      if (loads === 2) throw new Error('the process was killed here');
      await load(...args);
    };
    await expect(rebuild(world.options())).rejects.toThrow('killed here');
    expect(types(world)).toContain('RebuildFailed');
    expect(await rebuild(world.options())).toMatchObject({ build: 2, switched: true, differences: expect.any(Array) });
    expect(loads).toBe(1 + 1 + (engine === 'postgres' ? 3 : 1)); // four partitions in Postgres, two in Mongo; the first only once
  });

  test('what was loaded is read back: a row lost on the way ends the rebuild, and readers see what they saw', async () => {
    await using world = await shop(engine);
    for (const key of keys) world.put(key, 1);
    await until(
      'rows',
      () => world.versions(),
      (rows) => rows.size === keys.length,
    );
    const index = world.sink.index.bind(world.sink);
    world.sink.index = async (projection, build) => {
      await index(projection, build);
      if (engine === 'postgres')
        await (world.sink as PostgresSink).pool.query(`delete from orders_b${build} where order_id = $1`, [keys[7]]);
      else
        await (world.sink as MongoSink).db
          .collection<{ _id: string }>(`stock_b${build}`)
          .deleteOne({ _id: keys[7] ?? '' });
    };
    await expect(rebuild(world.options())).rejects.toThrow(/was folded to 300 rows .* and holds 299/);
    expect((await world.sink.builds()).map(({ build, state }) => [build, state])).toEqual([
      [1, 'LIVE'],
      [2, 'DROPPED'],
    ]);
    expect((await world.versions()).size).toBe(keys.length);
  });
});

test('a changed definition: the live projector waits for the rebuild, whose new columns readers then see', async () => {
  await using world = await shop('postgres');
  world.put('a', 1);
  await until(
    'row',
    () => world.versions(),
    (rows) => rows.size === 1,
  );
  await world.projector.close();
  const [first, ...rest] = orders.tables;
  if (first === undefined) throw new Error('orders has tables');
  const wider = {
    ...first,
    columns: { ...first.columns, copies: 'integer' as const },
    fold: (row: object | null, event: unknown, at: Parameters<typeof first.fold>[2]) => ({
      ...first.fold(row, event, at),
      copies: 2,
    }),
  };
  const changed: Projection = { ...orders, definition: 'changed', tables: [wider, ...rest], versions: wider };
  const projector = await Projector.start({
    projection: changed,
    port: world.port,
    sink: world.sink,
    instanceId: 'new',
  });
  world.put('b', 1);
  await until(
    'waiting',
    () => projector.status,
    (all) => all.every(({ error }) => error?.message.includes('bookstream projection rebuild orders') === true),
  );
  await rebuild(world.options({ projection: changed }));
  world.put('c', 1);
  await until(
    'rows',
    () => world.versions(),
    (rows) => rows.size === 3,
  );
  const { rows } = await (world.sink as PostgresSink).pool.query(
    'select order_id, copies from orders order by order_id',
  );
  expect(rows).toEqual(['a', 'b', 'c'].map((order_id) => ({ order_id, copies: 2 })));
  await projector.close();
});
