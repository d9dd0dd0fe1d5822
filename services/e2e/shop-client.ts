import { randomUUID } from 'node:crypto';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

/** What the API answers, as it stands on the wire; each test names the shape of the data it asked for. */
export interface Answer<T> {
  readonly data: T | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

export interface Amount {
  readonly minor: string | number;
  readonly currency: string;
}

export interface PlacedOrder {
  readonly id: string;
  readonly status: string;
  readonly payment: string;
  readonly rejection: { readonly reason: string; readonly message: string } | null;
}

export interface OrderPlaced {
  readonly order: PlacedOrder | null;
  readonly pending: boolean;
  readonly replayed: boolean;
  readonly userErrors: readonly { readonly __typename: string; readonly code: string; readonly message: string }[];
}

export interface BookForSale {
  readonly id: string;
  readonly title: string;
  readonly price: Amount;
  readonly availability: { readonly available: number } | null;
}

const orderPlaceDocument = `mutation ($input: OrderPlaceInput!) {
  orderPlace(input: $input) {
    order { id status payment rejection { reason message } }
    pending replayed
    userErrors { __typename code message }
  }
}`;

/** A person, or nobody yet, at the API: sends what a page would send, over HTTP and WebSocket. */
export class ShopClient implements Disposable {
  readonly origin: string;
  #token: string | null;
  #socket: Client | null = null;

  constructor(origin: string, token: string | null = null) {
    this.origin = origin;
    this.#token = token;
  }

  /** @throws Error with the refusals when the shop does not let this person in */
  static async login(origin: string, email: string, password: string): Promise<ShopClient> {
    const nobody = new ShopClient(origin);
    const { login } = await nobody.ask<{
      login: { accessToken: string | null; userErrors: readonly { message: string }[] };
    }>('mutation ($input: LoginInput!) { login(input: $input) { accessToken userErrors { message } } }', {
      input: { email, password },
    });
    if (login.accessToken === null) throw new Error(`${email}: ${login.userErrors.map((e) => e.message).join(' ')}`);
    return new ShopClient(origin, login.accessToken);
  }

  /** A fresh shopper with `minor` cents in the wallet. */
  static async shopper(origin: string, minor: number): Promise<ShopClient> {
    const email = `shopper-${randomUUID()}@bookstream.test`;
    const { register } = await new ShopClient(origin).ask<{
      register: { accessToken: string | null; userErrors: readonly { message: string }[] };
    }>('mutation ($input: RegisterInput!) { register(input: $input) { accessToken userErrors { message } } }', {
      input: { email, password: 'correct horse battery', displayName: 'A. Shopper' },
    });
    if (register.accessToken === null) throw new Error(register.userErrors.map((e) => e.message).join(' '));
    const shopper = new ShopClient(origin, register.accessToken);
    if (minor > 0) await shopper.topUp(minor);
    return shopper;
  }

  get token(): string | null {
    return this.#token;
  }

  /** The whole answer, refusals included. */
  async send<T>(query: string, variables: Record<string, unknown> = {}): Promise<Answer<T>> {
    const response = await fetch(`${this.origin}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }),
      },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as Answer<T>; // every answer of a GraphQL server over JSON has this form
  }

  /** The data. @throws Error when the answer carries a top-level error */
  async ask<T>(query: string, variables: Record<string, unknown> = {}): Promise<T> {
    const answer = await this.send<T>(query, variables);
    if (answer.errors !== undefined || answer.data === null) {
      throw new Error(`${query.slice(0, 80)}… was refused: ${JSON.stringify(answer.errors)}`);
    }
    return answer.data;
  }

  async topUp(minor: number, idempotencyKey: string = randomUUID()): Promise<void> {
    const { walletTopUp } = await this.ask<{
      walletTopUp: { pending: boolean; userErrors: readonly { message: string }[] };
    }>('mutation ($input: WalletTopUpInput!) { walletTopUp(input: $input) { pending userErrors { message } } }', {
      input: { idempotencyKey, amount: { minor, currency: 'EUR' } },
    });
    if (walletTopUp.userErrors.length > 0) throw new Error(JSON.stringify(walletTopUp.userErrors));
  }

  async books(search: string | null, first = 20): Promise<readonly BookForSale[]> {
    const { books } = await this.ask<{ books: { edges: readonly { node: BookForSale }[] } }>(
      `query ($search: String, $first: Int) {
        books(first: $first, search: $search) {
          edges { node { id title price { minor currency } availability { available } } }
        }
      }`,
      { search, first },
    );
    return books.edges.map((edge) => edge.node);
  }

  /** Places an order over one book at the price shown and waits for its end. */
  async buy(book: BookForSale, quantity: number, idempotencyKey: string = randomUUID()): Promise<OrderPlaced> {
    const { orderPlace } = await this.ask<{ orderPlace: OrderPlaced }>(orderPlaceDocument, {
      input: { idempotencyKey, lines: [lineOf(book, quantity)] },
    });
    return orderPlace;
  }

  /** The answer to an order as it stands, top-level refusals included. */
  async tryToBuy(lines: readonly unknown[], idempotencyKey: string = randomUUID()) {
    return this.send<{ orderPlace: OrderPlaced }>(orderPlaceDocument, { input: { idempotencyKey, lines } });
  }

  async wallet(): Promise<{ readonly balance: number; readonly held: number }> {
    const { viewer } = await this.ask<{ viewer: { wallet: { balance: Amount; held: Amount } } }>(
      '{ viewer { wallet { balance { minor } held { minor } } } }',
    );
    return { balance: Number(viewer.wallet.balance.minor), held: Number(viewer.wallet.held.minor) };
  }

  /** A live feed; ends with the loop that reads it. */
  subscribe<T>(query: string, variables: Record<string, unknown> = {}): AsyncIterableIterator<Answer<T>> {
    this.#socket ??= createClient({
      url: `${this.origin.replace(/^http/, 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: this.#token === null ? {} : { authorization: `Bearer ${this.#token}` },
    });
    return this.#socket.iterate({ query, variables }) as AsyncIterableIterator<Answer<T>>; // the shape is the test's
  }

  [Symbol.dispose](): void {
    void this.#socket?.dispose();
  }
}

export const lineOf = (book: BookForSale, quantity: number) => ({
  bookId: book.id,
  quantity,
  expectedUnitPrice: { minor: Number(book.price.minor), currency: book.price.currency },
});

/** Waits until `condition` gives something, asking every 50 ms. @throws Error naming what did not happen within `deadlineMs` */
export async function eventually<T>(
  what: string,
  condition: () => Promise<T | null | undefined | false>,
  deadlineMs = 20_000,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const found = await condition();
    if (found !== null && found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`did not happen within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
