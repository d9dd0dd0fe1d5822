/** A key within a window. Of a session `endMs` is the time of its last record, of any other window the first ms after it. */
export interface Windowed<K> {
  readonly key: K;
  readonly window: { readonly startMs: number; readonly endMs: number };
}
