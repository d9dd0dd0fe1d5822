import type { Person, Session } from '../../users/accounts.ts';
import type { GatewayContext } from '../context.ts';
import { unauthenticated } from '../errors.ts';
import { RateLimit } from '../limits.ts';
import type { Answer } from '../users-client.ts';
import { fromRefusal } from './user-errors.ts';

type Input<T> = { readonly input: T };

/** Attempts for one account from one place: guessing is slow, and nobody can lock somebody else out from elsewhere. */
const logins = new RateLimit({ atOnce: 10, perMinute: 6 });

/** A login's answer; the refresh token goes into a cookie that the page's script cannot read. */
function authPayload(answer: Answer<Session>, context: GatewayContext) {
  if (!answer.ok)
    return { accessToken: null, expiresAt: null, viewer: null, userErrors: answer.refusals.map(fromRefusal) };
  const { person, accessToken, expiresAtMs, refreshToken, refreshExpiresAtMs } = answer.value;
  context.setRefreshCookie(refreshToken, refreshExpiresAtMs);
  return { accessToken, expiresAt: expiresAtMs, viewer: person, userErrors: [] };
}

const personPayload = (answer: Answer<Person>) =>
  answer.ok ? { viewer: answer.value, userErrors: [] } : { viewer: null, userErrors: answer.refusals.map(fromRefusal) };

const tokenOf = ({ token }: GatewayContext): string => {
  if (token === null) throw unauthenticated();
  return token;
};

/** What the users service answers for. */
export const accountMutations = {
  register: async (
    _root: unknown,
    { input }: Input<{ email: string; password: string; displayName: string }>,
    context: GatewayContext,
  ) => authPayload(await context.services.users.register(input, context.trace), context),

  login: async (_root: unknown, { input }: Input<{ email: string; password: string }>, context: GatewayContext) => {
    logins.take(`${context.address} ${input.email.slice(0, 300).normalize('NFC').toLowerCase()}`);
    return authPayload(await context.services.users.login(input, context.trace), context);
  },

  refresh: async (_root: unknown, _args: unknown, context: GatewayContext) => {
    const { refreshToken, services, trace } = context;
    const nobody = { code: 'INVALID_CREDENTIALS', message: 'Nobody is logged in here. Log in.', field: null } as const;
    const answer: Answer<Session> =
      refreshToken === null ? { ok: false, refusals: [nobody] } : await services.users.refresh(refreshToken, trace);
    if (!answer.ok && refreshToken !== null) context.setRefreshCookie(null, 0);
    return authPayload(answer, context);
  },

  logout: async (_root: unknown, _args: unknown, context: GatewayContext) => {
    if (context.refreshToken !== null) await context.services.users.logout(context.refreshToken, context.trace);
    context.setRefreshCookie(null, 0);
    return { userErrors: [] };
  },

  profileChange: async (_root: unknown, { input }: Input<{ displayName: string }>, context: GatewayContext) =>
    personPayload(await context.services.users.changeProfile(tokenOf(context), input.displayName, context.trace)),

  passwordChange: async (
    _root: unknown,
    { input }: Input<{ currentPassword: string; newPassword: string }>,
    context: GatewayContext,
  ) => personPayload(await context.services.users.changePassword(tokenOf(context), input, context.trace)),
};
