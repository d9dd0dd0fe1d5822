/** What an intent remembers while it has no answer. */
interface Pending {
  readonly key: string;
  readonly input: string;
}

/** The part of Web Storage that is used; `sessionStorage` lets a key outlive a reload, which a crash of the page may be. */
export interface IntentStore {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

/**
 * Keeps the idempotency key of one thing a person wants to do ("buy this book", "top up"), so that trying again after a failure asks for the same
 * thing and not for a second one.
 *
 * - `keyFor(input)`: the key to send with `input`. The same input without an answer so far gives the same key, also after a reload; another input is
 *   another intent and gets a new key (the API refuses a used key with another input).
 * - `answered()`: there is a final answer, accepted or refused: the next attempt is a new intent.
 * - `unsure`: a key was sent and no answer came back.
 */
export class Intent {
  readonly #name: string;
  readonly #store: IntentStore | null;
  readonly #makeKey: () => string;
  #pending: Pending | null;

  constructor(name: string, store: IntentStore | null, makeKey: () => string = () => crypto.randomUUID()) {
    this.#name = `bookstream.intent.${name}`;
    this.#store = store;
    this.#makeKey = makeKey;
    this.#pending = this.#load();
  }

  get unsure(): boolean {
    return this.#pending !== null;
  }

  keyFor(input: unknown): string {
    const canonical = JSON.stringify(input);
    if (this.#pending?.input === canonical) return this.#pending.key;
    this.#pending = { key: this.#makeKey(), input: canonical };
    this.#keep();
    return this.#pending.key;
  }

  answered(): void {
    this.#pending = null;
    this.#keep();
  }

  #load(): Pending | null {
    try {
      const kept: unknown = JSON.parse(this.#store?.getItem(this.#name) ?? 'null');
      if (typeof kept !== 'object' || kept === null || !('key' in kept) || !('input' in kept)) return null;
      return typeof kept.key === 'string' && typeof kept.input === 'string'
        ? { key: kept.key, input: kept.input }
        : null;
    } catch {
      return null; // Something else wrote there, or storage is forbidden: begin anew.
    }
  }

  #keep(): void {
    try {
      if (this.#pending === null) this.#store?.removeItem(this.#name);
      else this.#store?.setItem(this.#name, JSON.stringify(this.#pending));
    } catch {
      // Storage full or forbidden: the key still lives as long as the page, only a reload would forget it.
    }
  }
}
