import { print } from 'graphql';
import { ApiError, kindOf } from '#lib/api/errors.ts';
import type { TadaDocumentNode } from '#lib/api/graphql.ts';
import { ServerClock } from '#lib/api/server-clock.ts';

/** The server's clock, as its answers show it. */
export const serverClock = new ServerClock();

const timeoutMs = 15_000;

interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: string; readonly correlationId?: string };
  }[];
}

const isAnswer = (value: unknown): value is Answer =>
  typeof value === 'object' && value !== null && ('data' in value || 'errors' in value);

/**
 * One query or mutation over HTTP, on the page's own origin.
 * @param token access token, or null to ask without a login
 * @throws ApiError for everything but data; an abort by `signal` passes as it is
 */
export async function execute<R, V>(
  document: TadaDocumentNode<R, V>,
  variables: V,
  options: { readonly token: string | null; readonly signal?: AbortSignal | undefined },
): Promise<R> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
  const sentMs = Date.now();
  let response: Response;
  let body: unknown;
  try {
    response = await fetch('/graphql', {
      method: 'POST',
      signal,
      credentials: 'same-origin',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json',
        ...(options.token === null ? {} : { authorization: `Bearer ${options.token}` }),
      },
      body: JSON.stringify({ query: print(document), variables }),
    });
    serverClock.note(response.headers.get('date'), sentMs, Date.now());
    body = await response.json().catch((cause: unknown) => {
      if (signal.aborted) throw cause;
      return null; // No JSON: a proxy or a half-started server answered; told below by its status.
    });
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    if (timeout.aborted) throw new ApiError('timeout', 'TIMEOUT', `No answer in ${timeoutMs / 1000} s.`, { cause });
    throw new ApiError('unreachable', 'UNREACHABLE', 'The shop could not be reached.', { cause });
  }
  const correlationId = response.headers.get('x-correlation-id') ?? response.headers.get('x-request-id');
  if (!isAnswer(body)) {
    const kind = response.status === 429 ? 'limited' : response.status === 401 ? 'unauthenticated' : 'fault';
    throw new ApiError(
      kind,
      `HTTP_${response.status}`,
      `The shop answered with status ${response.status} and no data.`,
      { correlationId },
    );
  }
  const [error] = body.errors ?? [];
  if (error !== undefined) {
    const code = error.extensions?.code ?? `HTTP_${response.status}`;
    throw new ApiError(kindOf(code), code, error.message, {
      correlationId: error.extensions?.correlationId ?? correlationId,
    });
  }
  // The document was checked against the schema that the server answers by (gql.tada check), so data has the document's type.
  return body.data as R;
}
