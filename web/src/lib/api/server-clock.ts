/**
 * Estimates the server's clock from the `Date` header of its answers (whole seconds, so good to about a second). "Live" and "late" are judged by
 * it, since the clock of a person's machine may be minutes off.
 */
export class ServerClock {
  #offsetMs = 0;
  #bestRoundTripMs = Number.POSITIVE_INFINITY;

  /** Takes an answer into account; the one that travelled shortest says most. */
  note(dateHeader: string | null, sentMs: number, receivedMs: number): void {
    const server = dateHeader === null ? Number.NaN : Date.parse(dateHeader);
    const roundTripMs = receivedMs - sentMs;
    if (Number.isNaN(server) || roundTripMs < 0 || roundTripMs > this.#bestRoundTripMs) return;
    this.#bestRoundTripMs = roundTripMs;
    // The header is cut to seconds: on average the answer was written half a second later.
    this.#offsetMs = server + 500 - (sentMs + receivedMs) / 2;
  }

  /** The server's time in epoch milliseconds when this machine's clock shows `localMs`. */
  at(localMs: number): number {
    return localMs + this.#offsetMs;
  }
}
