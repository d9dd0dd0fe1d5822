import { createServer } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { BrokerConnectionError } from './errors.ts';
import { connectKafka } from './index.ts';
import { type Api, type Connection, Link } from './link.ts';

const api = (name: string): Api => ({ name, key: 3, version: 9, flexible: true });

/** A connection whose answers and logins are given by hand. */
class Scripted implements Connection {
  connected = true;
  loginDue = false;
  readonly sent: string[] = [];
  readonly answers = new Map<string, (payload: Buffer) => void>();
  onLogin: () => Promise<void> = async () => {
    this.loginDue = false;
  };
  readonly #rejects = new Set<(error: Error) => void>();

  async login() {
    this.sent.push('login');
    await this.onLogin();
  }

  request({ name }: Api, _body: unknown, resolve: (payload: Buffer) => void, reject: (error: Error) => void) {
    this.sent.push(name);
    this.#rejects.add(reject);
    this.answers.set(name, (payload) => {
      this.#rejects.delete(reject);
      resolve(payload);
    });
  }

  destroy() {
    this.connected = false;
    for (const reject of this.#rejects) reject(new Error('destroyed'));
    this.#rejects.clear();
  }
}

const setUp = () => {
  const connection = new Scripted();
  const link = new Link(connection);
  const outcomes: string[] = [];
  const send = (name: string, timeoutMs = 10_000) =>
    void link.send(api(name), [], timeoutMs).then(
      () => outcomes.push(`${name} answered`),
      (error: Error) => outcomes.push(`${name}: ${error.message}`),
    );
  const answer = async (name: string) => {
    connection.answers.get(name)?.(Buffer.alloc(0));
    await vi.advanceTimersByTimeAsync(0);
  };
  return { connection, link, send, answer, outcomes };
};

describe('a link', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });

  test('sends at once', () => {
    const { connection, send } = setUp();
    send('a');
    expect(connection.sent).toEqual(['a']);
  });

  test('that is throttled sends nothing until the time is over, and then in the order of the calls', async () => {
    const { connection, link, send, answer } = setUp();
    send('a');
    await answer('a');
    link.throttle(500);
    send('b');
    await vi.advanceTimersByTimeAsync(300);
    send('c');
    link.throttle(400); // of an answer that was on its way
    await vi.advanceTimersByTimeAsync(399);
    expect(connection.sent).toEqual(['a']);
    await vi.advanceTimersByTimeAsync(2);
    expect(connection.sent).toEqual(['a', 'b', 'c']);
  });

  test('counts the time of an answer from the sending on, and a throttling on top of it', async () => {
    const { connection, link, send, outcomes } = setUp();
    send('on its way', 1_000);
    await vi.advanceTimersByTimeAsync(500);
    link.throttle(20_000);
    send('later', 1_000);
    await vi.advanceTimersByTimeAsync(20_100);
    expect(connection.sent).toEqual(['on its way', 'later']);
    expect(outcomes).toEqual([]);
    await vi.advanceTimersByTimeAsync(500);
    expect(outcomes[0]).toMatch(/on its way: no answer within 1000 ms; its outcome is unknown/);
    expect(connection.connected).toBe(false);
    expect(outcomes[1]).toMatch(/later: destroyed/);
  });

  test('logs in again before the session ends, once for all who wait', async () => {
    const { connection, send } = setUp();
    const login = Promise.withResolvers<void>();
    connection.onLogin = async () => {
      await login.promise;
      connection.loginDue = false;
    };
    connection.loginDue = true;
    send('a');
    await vi.advanceTimersByTimeAsync(0);
    send('b');
    expect(connection.sent).toEqual(['login']); // the broker takes nothing else until the login is done
    login.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(connection.sent).toEqual(['login', 'a', 'b']);
  });

  test('that waits out a throttling longer than its session logs in before it sends', async () => {
    const { connection, link, send } = setUp();
    link.throttle(5_000);
    send('a');
    await vi.advanceTimersByTimeAsync(1_000);
    connection.loginDue = true;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(connection.sent).toEqual(['login', 'a']);
  });

  test('whose login is refused, or hangs, is closed and tells everybody who waited', async () => {
    const refused = setUp();
    refused.connection.loginDue = true;
    refused.connection.onLogin = () => Promise.reject(new Error('wrong secret'));
    refused.send('a');
    refused.send('b');
    await vi.advanceTimersByTimeAsync(0);
    expect(refused.outcomes).toEqual(['a: wrong secret', 'b: wrong secret']);
    expect(refused.connection.connected).toBe(false);

    const hung = setUp();
    hung.connection.loginDue = true;
    hung.connection.onLogin = () =>
      new Promise((_resolve, reject) => {
        const { destroy } = hung.connection;
        hung.connection.destroy = () => {
          destroy.call(hung.connection);
          reject(new BrokerConnectionError('destroyed'));
        };
      });
    hung.send('a');
    await vi.advanceTimersByTimeAsync(10_001);
    expect(hung.outcomes).toEqual(['a: destroyed']);
  });

  test('that is destroyed while requests wait tells them at once', async () => {
    const { link, send, outcomes } = setUp();
    link.throttle(60_000);
    send('a');
    link.destroy();
    await vi.advanceTimersByTimeAsync(0);
    expect(outcomes).toEqual(['a: a was not sent: the connection is closed']);
  });
});

test('a broker that takes the connection and says nothing is given up, and named', async () => {
  vi.useRealTimers();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  try {
    const connecting = connectKafka({ bootstrapServers: `127.0.0.1:${port}`, clientId: 'x', connectionTimeoutMs: 100 });
    await expect(connecting).rejects.toThrow(/127\.0\.0\.1:\d+ could be reached.*said nothing for 300 ms/);
  } finally {
    server.close();
  }
}, 5_000);
