import { BrokerConnectionError, BrokerSilentError } from './errors.ts';

/** A protocol request's place in the table of APIs. Flexible versions (KIP-482) carry tag sections. */
export interface Api {
  readonly name: string;
  readonly key: number;
  readonly version: number;
  readonly flexible: boolean;
}

/** What a link stands on. */
export interface Connection {
  readonly connected: boolean;
  /** The SASL session is about to end (KIP-368): the broker closes a connection that asks something after its end. */
  readonly loginDue: boolean;
  /** @throws AuthenticationError, BrokerConnectionError */
  login(): Promise<void>;
  /** Writes at once; one of the two functions is called once. */
  request(
    api: Api,
    body: readonly Uint8Array[],
    resolve: (payload: Buffer) => void,
    reject: (error: Error) => void,
  ): void;
  /** Requests without an answer are rejected before it returns. */
  destroy(): void;
}

interface InFlight {
  endsAt: number;
  timer: NodeJS.Timeout | undefined;
  readonly expire: () => void;
}

const arm = (request: InFlight): void => {
  clearTimeout(request.timer);
  request.timer = setTimeout(request.expire, request.endsAt - performance.now());
};

/** Three round trips; a broker that takes longer hangs. */
const loginWithinMs = 10_000;

/** One connection to one broker. The broker answers in the order of the requests, so what must not race goes on one link. */
export class Link {
  readonly #connection: Connection;
  readonly #inFlight = new Set<InFlight>();
  #throttledUntil = 0;
  #waiting = 0;
  #opening: Promise<void> | null = null;
  #wake = (): void => {};

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get alive(): boolean {
    return this.#connection.connected;
  }

  /**
   * Sends without a copy of `body`, whose bytes must stay as they are until the answer: at once, or behind what waits already for the end of a
   * throttling or for a renewed login.
   * @param timeoutMs for the answer, from the sending on
   * @returns the answer behind its correlation id and header
   * @throws BrokerConnectionError – the request may or may not have been carried out; BrokerSilentError if its time is over
   * @throws AuthenticationError – the login could not be renewed; nothing was sent
   */
  async send(api: Api, body: readonly Uint8Array[], timeoutMs: number): Promise<Buffer> {
    if (this.#waiting > 0 || !this.#open) await this.#wait();
    if (!this.alive) throw new BrokerConnectionError(`${api.name} was not sent: the connection is closed`);
    return new Promise((resolve, reject) => this.#send(api, body, timeoutMs, resolve, reject));
  }

  /**
   * The broker has asked for a pause: what is not sent yet waits for its end, and what is on its way has so much more time, since the broker
   * answers nothing on this connection until then (KIP-219).
   */
  throttle(ms: number): void {
    if (ms <= 0) return;
    this.#throttledUntil = Math.max(this.#throttledUntil, performance.now() + ms);
    for (const request of this.#inFlight) {
      request.endsAt += ms;
      arm(request);
    }
  }

  /** Requests without an answer fail at once. */
  destroy(): void {
    this.#connection.destroy();
    this.#wake(); // It finds the link closed.
  }

  get #open(): boolean {
    return this.#throttledUntil <= performance.now() && !this.#connection.loginDue;
  }

  /** Those who wait go on in the order in which they came. */
  async #wait(): Promise<void> {
    this.#waiting += 1;
    try {
      do {
        this.#opening ??= this.#becomeOpen();
        await this.#opening;
      } while (this.alive && !this.#open);
    } finally {
      this.#waiting -= 1;
    }
  }

  async #becomeOpen(): Promise<void> {
    try {
      for (let ms = this.#left(); ms > 0 && this.alive; ms = this.#left()) await this.#pause(Math.ceil(ms));
      if (this.alive && this.#connection.loginDue) await this.#login();
    } finally {
      this.#opening = null;
    }
  }

  #left(): number {
    return this.#throttledUntil - performance.now();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #login(): Promise<void> {
    const timer = setTimeout(() => this.destroy(), loginWithinMs);
    try {
      await this.#connection.login();
    } catch (error) {
      this.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #send(
    api: Api,
    body: readonly Uint8Array[],
    timeoutMs: number,
    resolve: (payload: Buffer) => void,
    reject: (error: Error) => void,
  ): void {
    const fail = (cause: Error): void =>
      reject(new BrokerConnectionError(`${api.name}: ${cause.message}; its outcome is unknown`, { cause }));
    const request: InFlight = {
      endsAt: performance.now() + timeoutMs,
      timer: undefined,
      expire: () => {
        reject(new BrokerSilentError(`${api.name}: no answer within ${timeoutMs} ms; its outcome is unknown`));
        this.destroy();
      },
    };
    const answered = (): void => {
      clearTimeout(request.timer);
      this.#inFlight.delete(request);
    };
    this.#inFlight.add(request);
    arm(request);
    this.#connection.request(
      api,
      body,
      (payload) => {
        answered();
        resolve(payload);
      },
      (error) => {
        answered();
        fail(error);
      },
    );
  }
}
