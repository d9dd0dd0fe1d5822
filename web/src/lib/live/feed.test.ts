import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backOffMs } from '#lib/live/back-off.ts';
import { Feed, type FeedStatus, type Item, type Sink } from '#lib/live/feed.ts';

/** A server with a log of items, whose connection the test cuts, and whose waits the test ends. */
class Server {
  readonly asked: (string | null)[] = [];
  readonly log: Item[] = [];
  #sink: Sink<Item> | null = null;
  #after: () => string | null = () => null;
  #reconnects: (() => void)[] = [];
  wake: () => void = () => undefined;

  readonly source = {
    subscribe: (after: () => string | null, sink: Sink<Item>) => {
      this.#after = after;
      this.#sink = sink;
      this.#serve();
      return () => {
        this.#sink = null;
      };
    },
    onReconnect: (listener: () => void) => {
      this.#reconnects.push(listener);
      return () => {
        this.#reconnects = this.#reconnects.filter((other) => other !== listener);
      };
    },
  };
  readonly wait = (_ms: number, then: () => void) => {
    this.wake = then;
    return () => undefined;
  };
  connected = true;

  get sink(): Sink<Item> {
    if (this.#sink === null) throw new Error('nobody is subscribed');
    return this.#sink;
  }
  complete(): void {
    const { sink } = this;
    this.#sink = null;
    sink.complete();
  }
  fail(message: string, how: { fatal?: boolean; staleCursor?: boolean } = {}): void {
    const { sink } = this;
    this.#sink = null;
    sink.error({ cause: new Error(message), fatal: how.fatal ?? false, staleCursor: how.staleCursor ?? false });
  }
  write(): void {
    const item = { cursor: `c${this.log.length + 1}` };
    this.log.push(item);
    if (this.connected) this.#sink?.next(item);
  }
  cut(): void {
    this.connected = false;
  }
  /** The connection stands again; the same subscription asks anew, as graphql-ws does. */
  reconnect(): void {
    this.connected = true;
    this.#serve();
    for (const listener of this.#reconnects) listener();
  }
  #serve(): void {
    const after = this.#after();
    this.asked.push(after);
    const from = after === null ? this.log.length : this.log.findIndex((item) => item.cursor === after) + 1;
    for (const item of this.log.slice(from)) this.#sink?.next(item);
  }
}

function follow(server: Server, options: { after?: string; finished?: () => boolean } = {}) {
  const got: string[] = [];
  const statuses: FeedStatus[] = [];
  let holes = 0;
  const feed = new Feed<Item>({
    source: server.source,
    after: options.after ?? null,
    onItem: (item) => got.push(item.cursor),
    onHole: () => holes++,
    onStatus: (status) => statuses.push(status),
    wait: server.wait,
    ...(options.finished === undefined ? {} : { finished: options.finished }),
  });
  return { feed, got, statuses, holes: () => holes };
}

test('after a lost connection it goes on behind the last item: no hole, no double', () => {
  const server = new Server();
  const reader = follow(server);
  server.write();
  server.write();
  server.cut();
  server.write();
  server.reconnect();
  server.write();
  expect(reader.got).toEqual(['c1', 'c2', 'c3', 'c4']);
  expect(server.asked).toEqual([null, 'c2']);
  expect(reader.holes()).toBe(0);
});

test('it begins behind the cursor that the page has read', () => {
  const server = new Server();
  server.write();
  server.write();
  server.write();
  expect(follow(server, { after: 'c2' }).got).toEqual(['c3']);
});

test('an item that is sent twice is handed on once', () => {
  const server = new Server();
  const reader = follow(server);
  server.write();
  server.sink.next({ cursor: 'c1' });
  expect(reader.got).toEqual(['c1']);
});

test('a connection lost before the first item is told as a hole', () => {
  const server = new Server();
  const reader = follow(server);
  server.cut();
  server.write();
  server.reconnect();
  expect(reader.got).toEqual([]);
  expect(reader.holes()).toBe(1);
});

test('a server that ends before the first item is told as a hole, once it is asked again', () => {
  const server = new Server();
  const reader = follow(server);
  server.complete();
  server.write();
  server.wake();
  expect(reader.got).toEqual([]);
  expect(reader.holes()).toBe(1);
});

test('a server that ends or fails is asked again behind the last item; a final refusal is not', () => {
  const server = new Server();
  const reader = follow(server);
  server.write();
  server.complete();
  expect(reader.statuses.at(-1)?.kind).toBe('waiting');
  server.write();
  server.wake();
  expect(reader.got).toEqual(['c1', 'c2']);
  server.fail('restart');
  server.wake();
  expect(server.asked).toEqual([null, 'c1', 'c2']);
  server.fail('forbidden', { fatal: true });
  expect(reader.statuses.at(-1)?.kind).toBe('failed');
});

test('a cursor that the server has forgotten is a hole, and the feed begins anew', () => {
  const server = new Server();
  const reader = follow(server, { after: 'c0' });
  server.fail('too old', { fatal: true, staleCursor: true });
  expect(reader.holes()).toBe(1);
  server.wake();
  expect(server.asked.at(-1)).toBeNull();
});

test('the feed of a finished thing ends', () => {
  const server = new Server();
  const reader = follow(server, { finished: () => true });
  server.complete();
  expect(reader.statuses.at(-1)?.kind).toBe('ended');
});

test('after stop nothing is handed on', () => {
  const server = new Server();
  const reader = follow(server);
  const { sink } = server;
  reader.feed.stop();
  sink.next({ cursor: 'late' });
  sink.complete();
  expect(reader.got).toEqual([]);
});

test('whatever happens to the connection once an item has come, the reader sees the log', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('write', 'cut', 'reconnect', 'end'), { maxLength: 60 }), (steps) => {
      const server = new Server();
      const reader = follow(server);
      server.write();
      for (const step of steps) {
        if (step === 'write') server.write();
        if (step === 'cut') server.cut();
        if (step === 'reconnect' && !server.connected) server.reconnect();
        if (step === 'end' && server.connected) {
          server.complete();
          server.wake();
        }
      }
      if (!server.connected) server.reconnect();
      expect(reader.got).toEqual(server.log.map((item) => item.cursor));
      expect(reader.holes()).toBe(0);
    }),
  );
});

test('waits grow to fifteen seconds and never vanish', () => {
  expect(backOffMs(0, () => 1)).toBe(500);
  expect(backOffMs(3, () => 1)).toBe(4_000);
  expect(backOffMs(50, () => 1)).toBe(15_000);
  expect(backOffMs(50, () => 0)).toBe(200);
});
