import type { JSONWebKeySet } from 'jose';
import type { Discovery } from '../discovery/discovery.ts';
import { formatTrace, type TraceContext, traceHeader } from '../platform/trace.ts';
import type { Person, Refusal, Session } from '../users/accounts.ts';
import type { AccessClaims } from '../users/tokens.ts';
import { refusal } from './errors.ts';
import { TokenKeys } from './token-keys.ts';

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

const answerWithinMs = 8_000;

/** The users service, found through discovery, over its internal HTTP. */
export class UsersClient {
  readonly #discovery: Discovery;
  readonly #keys = new TokenKeys(async () => {
    const response = await this.#fetch('/internal/jwks.json', { method: 'GET' });
    if (!response.ok) throw new Error(`users answered ${response.status} to the question for its keys`);
    return (await response.json()) as JSONWebKeySet; // our own service's form
  });

  constructor(discovery: Discovery) {
    this.#discovery = discovery;
  }

  register(
    input: { email: string; password: string; displayName: string },
    trace: TraceContext,
  ): Promise<Answer<Session>> {
    return this.#post('/internal/register', input, { trace });
  }
  login(input: { email: string; password: string }, trace: TraceContext): Promise<Answer<Session>> {
    return this.#post('/internal/login', input, { trace });
  }
  refresh(refreshToken: string, trace: TraceContext): Promise<Answer<Session>> {
    return this.#post('/internal/refresh', { refreshToken }, { trace });
  }
  logout(refreshToken: string, trace: TraceContext): Promise<Answer<unknown>> {
    return this.#post('/internal/logout', { refreshToken }, { trace });
  }
  changeProfile(token: string, displayName: string, trace: TraceContext): Promise<Answer<Person>> {
    return this.#post('/internal/profile', { displayName }, { trace, token });
  }
  changePassword(
    token: string,
    input: { currentPassword: string; newPassword: string },
    trace: TraceContext,
  ): Promise<Answer<Person>> {
    return this.#post('/internal/password', input, { trace, token });
  }

  async person(token: string, userId: string): Promise<Person | null> {
    const answer = await this.#post<readonly (Person | null)[]>('/internal/people', { userIds: [userId] }, { token });
    return answer.ok ? (answer.value[0] ?? null) : null;
  }

  /** Null for a token that is no good. @throws UNAVAILABLE when no keys were ever had and none can be had now */
  verify(token: string): Promise<AccessClaims | null> {
    return this.#keys.verify(token);
  }

  async #post<T>(
    path: string,
    body: unknown,
    { trace, token }: { readonly trace?: TraceContext; readonly token?: string },
  ): Promise<Answer<T>> {
    const response = await this.#fetch(path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: {
        'content-type': 'application/json',
        ...(trace && { 'x-correlation-id': trace.traceId, [traceHeader]: formatTrace(trace) }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    });
    const answer = (await response.json()) as { refusals?: readonly Refusal[]; code?: string; message?: string }; // our own service's form
    if (response.ok) return { ok: true, value: answer as T };
    if (response.status === 422) return { ok: false, refusals: answer.refusals ?? [] };
    if (response.status === 429)
      throw refusal('RATE_LIMITED', answer.message ?? 'Too many logins at once; try again in some seconds.');
    if (response.status === 401)
      throw refusal('UNAUTHENTICATED', answer.message ?? 'The login has ended; log in again.');
    throw new Error(`users answered ${response.status} to ${path}: ${answer.code ?? ''} ${answer.message ?? ''}`);
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const found = await this.#discovery.findService('users').catch(() => null);
    if (!found?.url)
      throw refusal('UNAVAILABLE', 'The users service is away; nothing was done. Try again in a moment.');
    try {
      return await fetch(`${found.url}${path}`, { ...init, signal: AbortSignal.timeout(answerWithinMs) });
    } catch (cause) {
      throw Object.assign(
        refusal('UNAVAILABLE', 'The users service does not answer; nothing was done. Try again in a moment.'),
        { cause },
      );
    }
  }
}
