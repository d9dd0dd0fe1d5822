import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineUrls } from '../engines/engine.ts';
import type { EngineError } from '../engines/errors.ts';
import { ManagedProcess } from '../engines/process.ts';
import { type Engines, startEngines } from '../engines/start.ts';
import { forgetRunning, tellRunning } from './running.ts';
import { type ChildPlan, type Scale, workersOf } from './scale.ts';
import type { Shop } from './seed-through.ts';
import { createTopics, migrateAll, registerAll } from './setup.ts';
import type { Step } from './steps.ts';
import { Supervised } from './supervisor.ts';
import { buildPage, pageIsStale } from './web-build.ts';

export interface PlatformOptions {
  readonly dataDir: string;
  /** The gateway's. */
  readonly port: number;
  /** Any free ports for the engines, nothing durable; the folder is removed at the end. */
  readonly ephemeral?: boolean;
  readonly web: boolean;
  /** Services with instances of their own; absent: all share one worker. */
  readonly scale?: Scale;
  /** Fills an empty shop; absent: it stays empty. */
  readonly seed?: (shop: Shop, tell: (line: string) => void) => Promise<string>;
  readonly say: (line: string) => void;
  /** A service died again and again; the platform is not whole any more. */
  readonly onGivenUp: (error: EngineError) => void;
}

/** The whole shop on one machine: engines, then users, worker and gateway as processes of their own. Ends in the reverse order. */
export class Platform implements AsyncDisposable {
  readonly #options: PlatformOptions;
  readonly #children = new Map<string, Supervised>();
  #engines: Engines | null = null;
  #page: Promise<void> = Promise.resolve();
  #pageWasStale = false;
  #closing: Promise<void> | null = null;

  constructor(options: PlatformOptions) {
    this.#options = options;
  }

  get origin(): string {
    return `http://localhost:${this.#options.port}`;
  }

  /** Known once the first step is done. */
  get urls(): EngineUrls {
    if (this.#engines === null) throw new Error('the engines are not up yet');
    return this.#engines.urls as EngineUrls; // all engines were asked for
  }

  /** A service process of this platform: `users`, `worker`, `gateway`, or an instance such as `stock-2`. */
  child(name: string): Supervised {
    const child = this.#children.get(name);
    if (child === undefined) throw new Error(`${name} has not been started`);
    return child;
  }

  /** What brings it up, to be run in this order. */
  steps(): readonly Step[] {
    const { web, seed, scale = new Map() } = this.#options;
    const working = [{ name: 'users', args: ['service', 'users'] }, ...workersOf(scale)];
    const gateway = { name: 'gateway', args: ['service', 'gateway'] };
    return [
      { title: 'engines', run: (tell) => this.#startEngines(tell) },
      { title: 'topics', run: () => createTopics(this.urls.KAFKA_URL) },
      { title: 'schemas', run: (tell) => registerAll(this.urls.REGISTRY_URL, tell) },
      { title: 'databases', run: () => migrateAll(this.urls) },
      { title: 'users and topologies', run: (tell) => this.#startChildren(working, tell) },
      ...(web ? [{ title: 'page', run: () => this.#pageBuilt() }] : []),
      { title: 'gateway', run: (tell) => this.#startChildren([gateway], tell) },
      ...(seed ? [{ title: 'seed', run: (tell: (line: string) => void) => this.#seedOnce(seed, tell) }] : []),
    ];
  }

  async #startEngines(tell: (line: string) => void): Promise<string> {
    const { dataDir, ephemeral = false, web } = this.#options;
    await mkdir(dataDir, { recursive: true });
    this.#pageWasStale = web && pageIsStale();
    if (this.#pageWasStale) {
      this.#page = buildPage(dataDir); // beside the engines: it waits for none of them
      this.#page.catch(() => undefined); // told by its own step
    }
    const up: string[] = [];
    this.#engines = await startEngines({
      dataDir,
      ephemeral,
      onReady: (engine, ms, external) => {
        up.push(external ? `${engine} (yours)` : `${engine} ${(ms / 1000).toFixed(1)} s`);
        tell(up.join(', '));
      },
    });
    tellRunning(dataDir, {
      pid: process.pid,
      startedAt: Date.now(),
      urls: this.#engines.urls,
      gatewayUrl: this.origin,
      engines: this.#engines.running.flatMap(({ processes }) => processes.map(({ name, pid }) => ({ name, pid }))),
    });
    return up.join(', ');
  }

  async #startChildren(children: readonly ChildPlan[], tell: (line: string) => void): Promise<undefined> {
    const { dataDir, port, say, onGivenUp } = this.#options;
    const env = { ...process.env, ...this.urls, BOOKSTREAM_DATA: dataDir, PORT: String(port) };
    await Promise.all(
      children.map(async ({ name, args }) => {
        const logFile = join(dataDir, 'logs', `${name}.log`);
        const child = new Supervised({ name, args, env, logFile }, say, onGivenUp);
        this.#children.set(name, child);
        await child.start();
        tell(`${name} is ready`);
      }),
    );
    return undefined;
  }

  async #pageBuilt(): Promise<string> {
    await this.#page;
    return this.#pageWasStale ? 'built' : 'up to date';
  }

  async #seedOnce(seed: NonNullable<PlatformOptions['seed']>, tell: (line: string) => void): Promise<string> {
    const { dataDir } = this.#options;
    const mark = join(dataDir, 'seeded');
    if (existsSync(mark)) return 'done before';
    const result = await seed({ origin: this.origin, urls: this.urls, dataDir }, tell);
    await writeFile(mark, `${new Date().toISOString()}\n`);
    return result;
  }

  /** Ends everything, the last started first. Safe to call while starting, and again. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      const working = [...this.#children.keys()].filter((name) => name !== 'gateway' && name !== 'users');
      for (const names of [['gateway'], working, ['users']])
        await Promise.all(names.map((name) => this.#children.get(name)?.stop()));
      await this.#engines?.[Symbol.asyncDispose]();
      await ManagedProcess.stopAll(); // engines that were just starting, a page half built
      forgetRunning(this.#options.dataDir);
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Removes all data of a platform that does not run; what was downloaded stays. */
export async function removeData(dataDir: string): Promise<readonly string[]> {
  if (!existsSync(dataDir)) return [];
  const names = (await readdir(dataDir)).filter((name) => name !== 'tools');
  for (const name of names) await rm(join(dataDir, name), { recursive: true, force: true });
  return names;
}
