import { setTimeout as pause } from 'node:timers/promises';

interface UserError {
  readonly code: string;
  readonly message: string;
}

/** What every change answers. */
interface Payload {
  readonly pending: boolean;
  readonly userErrors: readonly UserError[];
}

const giveUpAfterMs = 60_000;
const pauseMs = 250;

/** One person at the shop's API, as a page would speak for them. */
export class FrontDoor {
  readonly #origin: string;
  readonly #token: string | null;

  private constructor(origin: string, token: string | null) {
    this.#origin = origin;
    this.#token = token;
  }

  /** @throws Error when the gateway cannot be reached or does not let this person in */
  static async login(origin: string, email: string, password: string): Promise<FrontDoor> {
    const { login } = await new FrontDoor(origin, null).ask<{
      login: { accessToken: string | null; userErrors: readonly UserError[] };
    }>('mutation ($input: LoginInput!) { login(input: $input) { accessToken userErrors { code message } } }', {
      input: { email, password },
    });
    if (login.accessToken === null) {
      const why = login.userErrors.map((error) => error.message).join(' ');
      throw new Error(
        `${email} could not log in, the rest of the seed was not done: ${why} Cure: if the demo password was changed, begin with empty data.`,
      );
    }
    return new FrontDoor(origin, login.accessToken);
  }

  /** The data of an answer. @throws Error when there is no answer, or one without data */
  async ask<T>(query: string, variables: Readonly<Record<string, unknown>> = {}): Promise<T> {
    const response = await fetch(`${this.#origin}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.#token !== null && { authorization: `Bearer ${this.#token}` }),
      },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(giveUpAfterMs),
    }).catch((cause: unknown) => {
      const message = `The shop at ${this.#origin} does not answer, the rest of the seed was not done. Cure: npm start, then seed again.`;
      throw new Error(message, { cause });
    });
    const text = await response.text();
    const answer = parsed<T>(text);
    if (answer?.data && !answer.errors) return answer.data;
    const why = answer?.errors?.map((error) => error.message).join(' ') ?? text.slice(0, 200);
    throw new Error(
      `The shop at ${this.#origin} refused with ${response.status}, the rest of the seed was not done: ${why} Cure: see its log, then seed again; what is done stays done.`,
    );
  }

  /**
   * Sends a change and sends it again, its idempotency key unchanged, until the shop shows it: a platform that has just come up may take some
   * seconds for the first one.
   * @param accept codes of refusals that mean it is done already
   * @param again codes of refusals that pass with time
   * @throws Error when it is refused, or not shown after a minute
   */
  async change<N extends string, P extends Payload>(
    name: N,
    query: string,
    input: Readonly<Record<string, unknown>>,
    { accept = [], again = [] }: { readonly accept?: readonly string[]; readonly again?: readonly string[] } = {},
  ): Promise<P> {
    const deadline = performance.now() + giveUpAfterMs;
    for (;;) {
      const { [name]: payload } = await this.ask<Record<N, P>>(query, { input });
      const refused = payload.userErrors.find(({ code }) => !accept.includes(code));
      if (!refused && !payload.pending) return payload;
      if (refused && !again.includes(refused.code)) {
        throw new Error(`${name} was refused, the rest of the seed was not done: ${refused.message} (${refused.code})`);
      }
      if (performance.now() > deadline) {
        throw new Error(
          `${name} was sent, but the shop does not show it after ${giveUpAfterMs / 1000} s; the rest of the seed was not done. Cure: npm run bookstream -- status, then seed again.`,
        );
      }
      await pause(pauseMs);
    }
  }
}

interface Answer<T> {
  readonly data?: T | null;
  readonly errors?: readonly { readonly message: string }[];
}

/** @returns null for what is no JSON, as a proxy's error page */
function parsed<T>(text: string): Answer<T> | null {
  try {
    return JSON.parse(text) as Answer<T>; // every answer of a GraphQL server has this form
  } catch {
    return null;
  }
}
