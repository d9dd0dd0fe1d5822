import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BSON,
  type Collection,
  type Db,
  type Document,
  MongoBulkWriteError,
  MongoClient,
  MongoServerError,
} from 'mongodb';
import type { HeldRows, RowsByTable } from '../batch.ts';
import { BuildSwitchedError, FencedError, RebuildCancelledError, RebuildError } from '../errors.ts';
import type { Projection, Table } from '../projection.ts';
import type {
  Build,
  BuildState,
  CatchUp,
  Checkpoint,
  Claim,
  Loaded,
  LoadedChunk,
  LoadedEnd,
  Sink,
  Work,
} from '../sink.ts';
import { buildCollection, fromDocument, indexesOf, liveCollection, posName, toDocument } from './mongo-live.ts';

interface BuildDocument extends Document {
  /** `<projection>/<build>` */
  _id: string;
  projection: string;
  build: number;
  state: BuildState;
  definition: string;
  createdAt: number;
}

interface CheckpointDocument extends Document {
  /** `<projection>/<build>/<topic>-<partition>` */
  _id: string;
  projection: string;
  build: number;
  topic: string;
  partition: number;
  nextOffset: number;
  epoch: number;
  /** JSON of `Loaded`: table names may hold what a field's name may not. */
  loaded?: string | null;
}

const pageRows = 2_000;
/** A switch that takes longer has died; claims go on then, and it fails. */
const switchMs = 20_000;
/** A rebuild that died holds its lock for so long. */
const lockMs = 20_000;
const duplicateKey = 11_000;
const documentTooLarge = 10_334;

/**
 * Builds are collections `<name>_b<build>`; readers look up the live one. There are no transactions: each row carries the offset that it
 * stands at and is only replaced by who read it there, so that rows written without their checkpoint are left alone the next time.
 */
export class MongoSink implements Sink {
  readonly client: MongoClient;
  readonly db: Db;

  constructor(url: string) {
    this.client = new MongoClient(url, { maxPoolSize: 8, serverSelectionTimeoutMS: 5_000 });
    this.db = this.client.db();
  }

  get #builds(): Collection<BuildDocument> {
    return this.db.collection<BuildDocument>('projection_builds');
  }

  get #checkpoints(): Collection<CheckpointDocument> {
    return this.db.collection<CheckpointDocument>('projection_checkpoints');
  }

  async prepare(projection: Projection): Promise<Build> {
    const live = await this.live(projection.name);
    if (live === null) {
      const first = await this.#add(projection, 1, 'LIVE');
      await this.index(projection, first.build);
      await liveCollection(this.db).updateOne(
        { _id: projection.name },
        { $setOnInsert: { build: first.build, switchingUntil: null } },
        { upsert: true },
      );
    }
    const number = live ?? (await this.live(projection.name));
    const build = (await this.builds(projection.name)).find((known) => known.build === number);
    if (build === undefined)
      throw new RebuildError(
        `${projection.name}: the live build ${number} is not known; drop the database and replay.`,
      );
    return build;
  }

  async builds(projection?: string): Promise<readonly Build[]> {
    const found = await this.#builds
      .find(projection === undefined ? {} : { projection })
      .sort({ projection: 1, build: 1 })
      .toArray();
    return found.map(({ projection, build, state, definition, createdAt }) => ({
      projection,
      build,
      state,
      definition,
      createdAt,
    }));
  }

  async live(projection: string): Promise<number | null> {
    return (await liveCollection(this.db).findOne({ _id: projection }))?.build ?? null;
  }

  async checkpoints(projection: string, build: number): Promise<readonly Checkpoint[]> {
    const found = await this.#checkpoints.find({ projection, build }).sort({ _id: 1 }).toArray();
    return found.map(({ topic, partition, nextOffset }) => ({ topic, partition, nextOffset }));
  }

  async claim(projection: string, build: number, topic: string, partition: number, whileLive: boolean): Promise<Claim> {
    const _id = checkpointId(projection, build, topic, partition);
    await this.#checkpoints
      .updateOne(
        { _id },
        { $setOnInsert: { projection, build, topic, partition, nextOffset: 0, epoch: 0 } },
        { upsert: true },
      )
      .catch(unlessDuplicate);
    const claimed = await this.#checkpoints.findOneAndUpdate(
      { _id },
      { $inc: { epoch: 1 } },
      { returnDocument: 'after' },
    );
    // A switch that began meanwhile has fenced before this claim or waits for nobody: so claim again behind it.
    if (whileLive && (await this.#untilNoSwitch(projection)))
      return this.claim(projection, build, topic, partition, whileLive);
    if (claimed === null) throw new BuildSwitchedError(projection, build, (await this.live(projection)) ?? 0);
    return { projection, build, topic, partition, nextOffset: claimed.nextOffset, epoch: claimed.epoch, whileLive };
  }

  /** @returns whether there was one to wait for */
  async #untilNoSwitch(projection: string): Promise<boolean> {
    for (let waited = false; ; waited = true) {
      const live = await liveCollection(this.db).findOne({ _id: projection });
      const until = live?.switchingUntil ?? null;
      if (until === null) return waited;
      if (until < Date.now()) {
        await liveCollection(this.db).updateOne(
          { _id: projection, switchingUntil: until },
          { $set: { switchingUntil: null } },
        );
        return true;
      }
      await sleep(50);
    }
  }

  async apply(claim: Claim, work: Work): Promise<void> {
    const { projection, build, topic, partition } = claim;
    const _id = checkpointId(projection, build, topic, partition);
    const [checkpoint, live] = await Promise.all([this.#checkpoints.findOne({ _id }), this.live(projection)]);
    if (claim.whileLive && live !== null && live !== build) throw new BuildSwitchedError(projection, build, live);
    const fenced = (epoch: number | null) => new FencedError(projection, `${topic}-${partition}`, claim.epoch, epoch);
    if (checkpoint?.epoch !== claim.epoch) throw fenced(checkpoint?.epoch ?? null);
    if (checkpoint.nextOffset === work.next) return; // committed before, its answer was lost
    if (checkpoint.nextOffset !== work.from) throw fenced(checkpoint.epoch);

    const held = new Map<Table, HeldRows>();
    for (const [table, keys] of work.keys)
      held.set(table, await this.#read(table, build, keys, posName(topic, partition)));
    const changed = await work.fold(held);
    for (const [table, rows] of changed) {
      const written = await this.#write(table, build, rows, held, posName(topic, partition));
      if (!written) throw fenced(null);
    }
    const { matchedCount } = await this.#checkpoints.updateOne(
      { _id, epoch: claim.epoch, nextOffset: work.from },
      { $set: { nextOffset: work.next } },
    );
    if (matchedCount !== 1) throw fenced((await this.#checkpoints.findOne({ _id }))?.epoch ?? null);
  }

  /** Values that BSON does not know, or a document over 16 MB. */
  isRefusal(error: unknown): boolean {
    return error instanceof BSON.BSONError || (error instanceof MongoServerError && error.code === documentTooLarge);
  }

  async #read(table: Table, build: number, keys: readonly string[], pos: string): Promise<HeldRows> {
    const found = await buildCollection(this.db, table, build)
      .find({ _id: { $in: [...keys] } })
      .toArray();
    return new Map(
      found.map((document) => [document._id, { row: fromDocument(table, document), pos: document.pos[pos] ?? -1 }]),
    );
  }

  /** @returns false when a row is not where it was read: somebody else writes this partition */
  async #write(table: Table, build: number, rows: HeldRows, held: RowsByTable, pos: string): Promise<boolean> {
    const operations = [...rows].map(([key, row]) => {
      const document = toDocument(table, key, row, pos);
      const before = held.get(table)?.get(key);
      return before === undefined
        ? { insertOne: { document } }
        : { replaceOne: { filter: { _id: key, [`pos.${pos}`]: before.pos }, replacement: document } };
    });
    try {
      const result = await buildCollection(this.db, table, build).bulkWrite(operations, { ordered: false });
      return result.insertedCount + result.matchedCount === operations.length;
    } catch (error) {
      if (error instanceof MongoBulkWriteError && error.code === duplicateKey) return false;
      throw error;
    }
  }

  async begin(projection: Projection): Promise<Build> {
    const builds = await this.builds(projection.name);
    const resumable = builds.find(
      ({ state, definition }) => state === 'BUILDING' && definition === projection.definition,
    );
    for (const build of builds) {
      const isOver = build.state === 'BUILDING' || build.state === 'DROPPED'; // the latter may have been condemned only
      if (isOver && build !== resumable) await this.drop(projection, build.build);
    }
    const next = Math.max(0, ...builds.map((build) => build.build)) + 1;
    return resumable ?? this.#add(projection, next, 'BUILDING');
  }

  async #add(projection: Projection, build: number, state: BuildState): Promise<Build> {
    const added = {
      projection: projection.name,
      build,
      state,
      definition: projection.definition,
      createdAt: Date.now(),
    };
    await this.#builds.insertOne({ _id: `${projection.name}/${build}`, ...added }).catch(unlessDuplicate);
    return added;
  }

  async lockRebuild(projection: string): Promise<AsyncDisposable> {
    const token = randomUUID();
    const locks = this.db.collection<{ _id: string; token: string; until: number }>('projection_rebuilds');
    const lease = () => ({ token, until: Date.now() + lockMs });
    const taken = await locks
      .updateOne({ _id: projection, until: { $lt: Date.now() } }, { $set: lease() }, { upsert: true })
      .catch(unlessDuplicate);
    if (taken === undefined) {
      throw new RebuildError(
        `a rebuild of ${projection} is running already; nothing was begun. Wait for it, or cancel it.`,
      );
    }
    const beat = setInterval(() => {
      locks.updateOne({ _id: projection, token }, { $set: lease() }).catch(() => undefined); // the next one may get through
    }, lockMs / 4);
    return {
      async [Symbol.asyncDispose]() {
        clearInterval(beat);
        await locks.deleteOne({ _id: projection, token });
      },
    };
  }

  async load(
    projection: Projection,
    build: number,
    chunks: AsyncIterable<LoadedChunk>,
    end: () => LoadedEnd,
  ): Promise<void> {
    const cleared = new Set<Table>();
    for await (const { table, topic, partition, rows } of chunks) {
      const pos = posName(topic, partition);
      const collection = buildCollection(this.db, table, build);
      if (!cleared.has(table)) await collection.deleteMany({ [`pos.${pos}`]: { $exists: true } });
      cleared.add(table);
      const documents = rows.map(({ row, pos: offset }) => {
        const key = String((row as Record<string, unknown>)[table.key]); // rows are plain objects
        return toDocument(table, key, { row, pos: offset }, pos);
      });
      for (let at = 0; at < documents.length; at += 1_000) {
        await collection.insertMany(documents.slice(at, at + 1_000), { ordered: false });
      }
    }
    const { checkpoint, loaded } = end();
    const { topic, partition } = checkpoint;
    await this.#checkpoints.updateOne(
      { _id: checkpointId(projection.name, build, topic, partition) },
      { $set: { projection: projection.name, build, ...checkpoint, epoch: 0, loaded: JSON.stringify(loaded) } },
      { upsert: true },
    );
  }

  async loaded(projection: string, build: number): ReturnType<Sink['loaded']> {
    const found = await this.#checkpoints.find({ projection, build, loaded: { $type: 'string' } }).toArray();
    return found.map(({ topic, partition, nextOffset, loaded }) => ({
      topic,
      partition,
      nextOffset,
      loaded: JSON.parse(loaded ?? '{}') as Loaded, // written above
    }));
  }

  async verified(projection: string, build: number): Promise<void> {
    await this.#checkpoints.updateMany({ projection, build }, { $set: { loaded: null } });
  }

  async index(projection: Projection, build: number): Promise<void> {
    for (const table of projection.tables) {
      for (const { name, key } of indexesOf(table))
        await buildCollection(this.db, table, build).createIndex(key, { name });
    }
  }

  async *rows(table: Table, build: number): AsyncIterable<readonly object[]> {
    const collection = buildCollection(this.db, table, build);
    for (let after: string | null = null; ; ) {
      const page = await collection
        .find(after === null ? {} : { _id: { $gt: after } })
        .sort({ _id: 1 })
        .limit(pageRows)
        .toArray();
      const rows = page.flatMap((document) => fromDocument(table, document) ?? []);
      if (rows.length > 0) yield rows;
      const last = page.at(-1);
      if (last === undefined || page.length < pageRows) return;
      after = last._id;
    }
  }

  async switchTo(projection: Projection, build: number, catchUp: CatchUp): Promise<void> {
    const { name } = projection;
    const live = liveCollection(this.db);
    const former = await this.live(name);
    if (former === null) throw new RebuildError(`${name} has no live build; nothing was switched.`);
    if (former === build) return;
    const until = Date.now() + switchMs;
    const begun = await live.updateOne(
      { _id: name, build: former, $or: [{ switchingUntil: null }, { switchingUntil: { $lt: Date.now() } }] },
      { $set: { switchingUntil: until } },
    );
    if (begun.matchedCount !== 1)
      throw new RebuildError(`another switch of ${name} is under way; nothing was switched. Try again.`);
    try {
      // Whoever follows the live build is fenced; what a batch under way may still write was in the topics before this line.
      await this.#checkpoints.updateMany({ projection: name, build: former }, { $inc: { epoch: 1 } });
      await catchUp('end');
      const wanted = (await this.builds(name)).find((known) => known.build === build);
      if (wanted?.state === 'DROPPED') throw new RebuildCancelledError(name, build);
      const switched = await live.updateOne(
        { _id: name, build: former, switchingUntil: until },
        { $set: { build, switchingUntil: null } },
      );
      if (switched.matchedCount !== 1) {
        throw new RebuildError(
          `catching up took longer than ${switchMs} ms, so ${name} was not switched. Try again when less is written.`,
        );
      }
    } finally {
      await live.updateOne({ _id: name, switchingUntil: until }, { $set: { switchingUntil: null } });
    }
    await this.#builds.updateOne({ _id: `${name}/${former}` }, { $set: { state: 'KEPT' } });
    await this.#builds.updateOne({ _id: `${name}/${build}` }, { $set: { state: 'LIVE' } });
    for (const old of await this.builds(name)) {
      if (old.state === 'KEPT' && old.build !== former) await this.drop(projection, old.build);
    }
  }

  async condemn(projection: string, build: number): Promise<void> {
    await this.#builds.updateOne({ _id: `${projection}/${build}` }, { $set: { state: 'DROPPED' } });
  }

  async drop(projection: Projection, build: number): Promise<void> {
    const { name } = projection;
    if ((await this.live(name)) === build)
      throw new RebuildError(`build ${build} of ${name} is what readers see; it was not dropped.`);
    for (const table of projection.tables) await buildCollection(this.db, table, build).drop().catch(unlessAbsent);
    await this.#checkpoints.deleteMany({ projection: name, build });
    await this.#builds.updateOne({ _id: `${name}/${build}` }, { $set: { state: 'DROPPED' } });
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}

const checkpointId = (projection: string, build: number, topic: string, partition: number): string =>
  `${projection}/${build}/${topic}-${partition}`;

/** Servers before 7 say so when a collection that is not there is dropped. */
function unlessAbsent(error: unknown): void {
  if (!(error instanceof MongoServerError && /ns not found/.test(error.message))) throw error;
}

/** Two begin at once: the other's document is as good. */
function unlessDuplicate(error: unknown): void {
  if (!(error instanceof MongoServerError && error.code === duplicateKey)) throw error;
}
