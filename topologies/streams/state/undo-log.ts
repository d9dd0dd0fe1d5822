import type { DirtyRow } from './state-store.ts';

/** What can take back a write: `row` is what stood under `key` before it. */
export interface Restorable {
  restore(key: string, row: DirtyRow | undefined): void;
}

/** Takes back the writes of one record over all stores of a task, newest first. */
export class UndoLog {
  readonly #overlays: Restorable[] = [];
  readonly #keys: string[] = [];
  readonly #rows: (DirtyRow | undefined)[] = [];

  /** From here on `rollBack` takes back. */
  mark(): void {
    if (this.#keys.length === 0) return;
    this.#overlays.length = 0;
    this.#keys.length = 0;
    this.#rows.length = 0;
  }

  push(overlay: Restorable, key: string, row: DirtyRow | undefined): void {
    this.#overlays.push(overlay);
    this.#keys.push(key);
    this.#rows.push(row);
  }

  rollBack(): void {
    for (let i = this.#keys.length - 1; i >= 0; i--) this.#overlays[i]?.restore(this.#keys[i] ?? '', this.#rows[i]);
    this.mark();
  }
}
