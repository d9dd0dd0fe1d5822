/** Why a call gave no result. A refusal that a person can act on is no error: it comes in the payload's `userErrors`. */
export type ApiErrorKind =
  | 'unreachable' // no answer at all: the request may or may not have arrived
  | 'timeout' // no answer in time: the same
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'limited' // too many or too costly requests: nothing was done
  | 'refused' // the request itself is not allowed: nothing was done
  | 'fault'; // a bug or an outage behind the gateway

const kinds: Readonly<Record<string, ApiErrorKind>> = {
  UNAUTHENTICATED: 'unauthenticated',
  FORBIDDEN: 'forbidden',
  NOT_FOUND: 'not-found',
  ORDER_NOT_FOUND: 'not-found',
  BOOK_NOT_FOUND: 'not-found',
  RATE_LIMITED: 'limited',
  TOO_MANY_REQUESTS: 'limited',
  COST_LIMIT: 'limited',
  BAD_USER_INPUT: 'refused',
  GRAPHQL_VALIDATION_FAILED: 'refused',
  GRAPHQL_PARSE_FAILED: 'refused',
};

/** The kind of an error by the `extensions.code` of the API; an unknown code is a fault. */
export const kindOf = (code: string): ApiErrorKind => kinds[code] ?? 'fault';

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly kind: ApiErrorKind;
  /** `extensions.code`, or what this client calls it. */
  readonly code: string;
  /** Names this call in the logs, if the gateway gave it a name. */
  readonly correlationId: string | null;

  constructor(
    kind: ApiErrorKind,
    code: string,
    message: string,
    options: { correlationId?: string | null; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.code = code;
    this.correlationId = options.correlationId ?? null;
  }

  /** Did the shop say that it did not do what was asked? Else it may have been done, though no answer came. */
  get certain(): boolean {
    return this.kind !== 'unreachable' && this.kind !== 'timeout' && this.kind !== 'fault';
  }
}

export const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError
    ? error
    : new ApiError('fault', 'PAGE_FAULT', error instanceof Error ? error.message : String(error), { cause: error });

/** What a person reads about an error. */
export interface Explanation {
  readonly title: string;
  readonly body: string;
}

/** Causes and cures by kind; `title` and what was not done come from the place that asked. */
const causes: Readonly<Record<ApiErrorKind, string>> = {
  unreachable: 'The shop did not answer. Check the connection, then try again.',
  timeout: 'The shop took too long to answer. Wait a moment, then try again.',
  unauthenticated: 'Your login has ended. Log in, then try again.',
  forbidden: 'Your account may not do this. Log in with an account that may.',
  'not-found': 'There is nothing under this address, or it is not yours. Go back and choose again.',
  limited: 'Too much was asked in a short time. Wait a minute, then try again.',
  refused: 'The shop did not understand this page. Reload it; a newer one may be there.',
  fault: 'Something behind the shop failed. Try again; if it fails again, tell us the number below.',
};

/**
 * @param failed what did not happen, as a sentence: `The catalogue could not be loaded.`
 * @param unsure said instead of "nothing was done" when the request may have been carried out: `The order may or may not have been placed.`
 */
export function explain(error: ApiError, failed: string, unsure = ''): Explanation {
  const doubt = error.certain || unsure === '' ? '' : `${unsure} `;
  return { title: failed, body: `${doubt}${causes[error.kind]}` };
}
