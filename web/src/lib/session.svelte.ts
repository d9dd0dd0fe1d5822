import { ApiError, asApiError } from '#lib/api/errors.ts';
import { graphql, type ResultOf, type TadaDocumentNode } from '#lib/api/graphql.ts';
import { execute, serverClock } from '#lib/api/http.ts';
import { backOffMs } from '#lib/live/back-off.ts';

const Person = graphql(`fragment Person on Viewer { id email displayName role }`);
const Login = graphql(
  `mutation Login($input: LoginInput!) {
    login(input: $input) { accessToken expiresAt viewer { ...Person } userErrors { code message field } }
  }`,
  [Person],
);
const Register = graphql(
  `mutation Register($input: RegisterInput!) {
    register(input: $input) { accessToken expiresAt viewer { ...Person } userErrors { code message field } }
  }`,
  [Person],
);
const Refresh = graphql(
  `mutation Refresh { refresh { accessToken expiresAt viewer { ...Person } userErrors { code message field } } }`,
  [Person],
);
const Logout = graphql(`mutation Logout { logout { userErrors { code message } } }`);

type Viewer = ResultOf<typeof Person>;
type AuthPayload = ResultOf<typeof Login>['login'];
export type AuthRefusal = AuthPayload['userErrors'][number];

/** Says that a refresh cookie may be there, so that a first visit does not ask in vain. The token itself is kept in memory only. */
const hint = {
  name: 'bookstream.known',
  get: (): boolean => {
    try {
      return localStorage.getItem(hint.name) !== null;
    } catch {
      return true; // Unknown: ask.
    }
  },
  set: (known: boolean): void => {
    try {
      if (known) localStorage.setItem(hint.name, '1');
      else localStorage.removeItem(hint.name);
    } catch {
      // Storage forbidden: each load asks once, nothing else changes.
    }
  },
};

/** A token is exchanged when its last minute begins. */
const renewBeforeMs = 60_000;

let status = $state<'restoring' | 'anonymous' | 'known'>(hint.get() ? 'restoring' : 'anonymous');
let viewer = $state.raw<Viewer | null>(null);
let problem = $state.raw<ApiError | null>(null);
let token: { readonly value: string; readonly endsMs: number } | null = null;
let renewing: Promise<void> | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
const others = new BroadcastChannel('bookstream.session');

function enter(payload: AuthPayload): void {
  if (payload.accessToken === null || payload.viewer === null) return;
  const endsMs = payload.expiresAt === null ? serverClock.at(Date.now()) + 10 * 60_000 : Date.parse(payload.expiresAt);
  token = { value: payload.accessToken, endsMs };
  if (viewer?.id !== payload.viewer.id || viewer.displayName !== payload.viewer.displayName) viewer = payload.viewer;
  status = 'known';
  problem = null;
  hint.set(true);
  clearTimeout(timer);
  timer = setTimeout(
    () => void renew().catch(() => undefined),
    Math.max(1_000, endsMs - serverClock.at(Date.now()) - renewBeforeMs),
  );
}

function leave(): void {
  clearTimeout(timer);
  token = null;
  viewer = null;
  status = 'anonymous';
  problem = null;
  hint.set(false);
}

/**
 * Exchanges the refresh cookie for a token. One at a time over all tabs: a cookie that is used twice looks stolen and ends the login everywhere.
 * @throws ApiError when there was no answer; that there is no login any more is no error, `status` tells it
 */
function renew(): Promise<void> {
  renewing ??= navigator.locks
    .request('bookstream.refresh', async () => {
      const { refresh } = await execute(Refresh, {}, { token: null });
      if (refresh.userErrors.length > 0 || refresh.accessToken === null) leave();
      else enter(refresh);
    })
    .then(() => undefined)
    .finally(() => {
      renewing = null;
    });
  return renewing;
}

async function restore(): Promise<void> {
  for (let attempt = 0; status === 'restoring'; attempt++) {
    try {
      await renew();
    } catch (error) {
      problem = asApiError(error);
      await new Promise((resolve) => setTimeout(resolve, backOffMs(attempt)));
    }
  }
}

others.addEventListener('message', ({ data }) => {
  if (data === 'left') leave();
  else if (data === 'entered' && status === 'anonymous') {
    status = 'restoring';
    ready = restore();
  }
});

let ready: Promise<void> = restore();

/** Who uses this page. One for the whole page; lives as long as it. */
export const session = {
  get status() {
    return status;
  },
  /** The person, or null; while `status` is `restoring` it is not known yet. */
  get viewer() {
    return viewer;
  },
  /** Why the login could not be restored so far; it is tried on. */
  get problem() {
    return problem;
  },
  /** Resolves when it is known whether somebody is logged in. */
  get ready() {
    return ready;
  },
  /** An access token that is good for a while yet, or null without a login. @throws ApiError when a fresh one was needed and nobody answered */
  async token(): Promise<string | null> {
    await ready;
    if (token !== null && token.endsMs - serverClock.at(Date.now()) < 10_000) await renew();
    return token?.value ?? null;
  },
  /** Forgets the token (the server does not take it any more) and gets a fresh one. */
  async renew(): Promise<void> {
    await renew();
  },
  /** Marks the token as used up; the next `token()` gets a fresh one. */
  expire(): void {
    if (token !== null) token = { value: token.value, endsMs: 0 };
  },
  /** @returns why not; empty when the person is in */
  async login(input: { email: string; password: string }): Promise<readonly AuthRefusal[]> {
    const { login } = await execute(Login, { input }, { token: null });
    enter(login);
    if (status === 'known') others.postMessage('entered');
    return login.userErrors;
  },
  /** @returns why not; empty when the account is open and the person is in */
  async register(input: { email: string; password: string; displayName: string }): Promise<readonly AuthRefusal[]> {
    const { register } = await execute(Register, { input }, { token: null });
    enter(register);
    if (status === 'known') others.postMessage('entered');
    return register.userErrors;
  },
  /** Ends the login in all tabs. @throws ApiError when the server did not hear it: the person is still logged in */
  async logout(): Promise<void> {
    await execute(Logout, {}, { token: token?.value ?? null });
    leave();
    others.postMessage('left');
  },
};

/**
 * One query or mutation in the name of the person, if there is one. A token that the server does not take any more is exchanged once.
 * @throws ApiError
 */
export async function request<R, V>(document: TadaDocumentNode<R, V>, variables: V, signal?: AbortSignal): Promise<R> {
  const before = await session.token();
  try {
    return await execute(document, variables, { token: before, signal });
  } catch (error) {
    if (!(error instanceof ApiError) || error.kind !== 'unauthenticated' || before === null) throw error;
    await renew();
    if (token === null) throw error;
    return execute(document, variables, { token: token.value, signal });
  }
}

/**
 * A query that anybody may ask: it does not wait for a login that is still being restored.
 * @throws ApiError
 */
export const requestPublic: typeof request = (document, variables, signal) =>
  execute(document, variables, { token: null, signal });
