import { type ApiError, asApiError } from '#lib/api/errors.ts';
import type { TadaDocumentNode } from '#lib/api/graphql.ts';
import { request } from '#lib/session.svelte.ts';

/** A skeleton that shows at once flashes when the answer is quick. */
const showLoadingAfterMs = 150;

/**
 * Asks `document` now and whenever the variables that `ask` returns change; null asks nothing. Call it while a component is set up. The last answer
 * stays until a newer one is there; an answer that came too late for its question is dropped.
 * @param send how to ask: in the person's name, or `requestPublic`
 */
export function query<R, V>(document: TadaDocumentNode<R, V>, ask: () => V | null, send: typeof request = request) {
  let data = $state.raw<R | null>(null);
  let error = $state.raw<ApiError | null>(null);
  let slow = $state(false);
  let busy = $state(true);
  let round = $state(0);

  $effect(() => {
    const variables = ask();
    const asked = round;
    if (variables === null) return;
    const abort = new AbortController();
    const late = () => abort.signal.aborted || asked !== round;
    const timer = setTimeout(() => {
      slow = true;
    }, showLoadingAfterMs);
    busy = true;
    send(document, variables, abort.signal)
      .then((answer) => {
        if (late()) return;
        data = answer;
        error = null;
      })
      .catch((cause: unknown) => {
        if (!late()) error = asApiError(cause);
      })
      .finally(() => {
        clearTimeout(timer);
        if (late()) return;
        busy = false;
        slow = false;
      });
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  });

  return {
    get data() {
      return data;
    },
    /** Why the last question has no answer; `data` may still hold an older one. */
    get error() {
      return error;
    },
    /** A question is under way. */
    get busy() {
      return busy;
    },
    /** It has been for long enough to show it. */
    get slow() {
      return slow;
    },
    /** Asks the same again. */
    reload(): void {
      round++;
    },
    /** Puts in what is known better, for example a mutation's answer. */
    set(next: R): void {
      data = next;
      error = null;
    },
  };
}
