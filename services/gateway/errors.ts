import { GraphQLError } from 'graphql';

/** Top-level errors: missing rights, limits and malformed input. What a person can act on goes into `userErrors`. */
export const refusal = (
  code: string,
  message: string,
  extensions: Readonly<Record<string, unknown>> = {},
): GraphQLError => new GraphQLError(message, { extensions: { code, ...extensions } });

export const unauthenticated = (): GraphQLError =>
  refusal(
    'UNAUTHENTICATED',
    'This needs a login, and there was no valid token; nothing was done. Log in and send it again.',
  );

export const forbidden = (): GraphQLError => refusal('FORBIDDEN', 'This is not yours to see or do; nothing was done.');

export const badInput = (message: string): GraphQLError => refusal('BAD_USER_INPUT', message);
