import type { DirtyRow } from './state-store.ts';

/** What can take back a write: `row` is what stood under `key` before it. */
export interface Restorable {
  restore(key: string, row: DirtyRow | undefined): void;
}

/** What a rare record with more writes than this has left behind is given up. */
const keptLength = 1_000;

/** Takes back the writes of one record over all stores of a task, newest first. */
export class UndoLog {
  // Not shortened as a rule: to let arrays grow anew for each record costs more than all the rest.
  readonly #overlays: Restorable[] = [];
  readonly #keys: string[] = [];
  readonly #rows: (DirtyRow | undefined)[] = [];
  #count = 0;

  /** From here on `rollBack` takes back. */
  mark(): void {
    if (this.#count > keptLength) {
      this.#overlays.length = 0;
      this.#keys.length = 0;
      this.#rows.length = 0;
    }
    this.#count = 0;
  }

  push(overlay: Restorable, key: string, row: DirtyRow | undefined): void {
    const at = this.#count++;
    this.#overlays[at] = overlay;
    this.#keys[at] = key;
    this.#rows[at] = row;
  }

  rollBack(): void {
    for (let at = this.#count - 1; at >= 0; at--) this.#overlays[at]?.restore(this.#keys[at] ?? '', this.#rows[at]);
    this.#count = 0;
  }
}
