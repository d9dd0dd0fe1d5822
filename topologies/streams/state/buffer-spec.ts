import type { StoreSpec } from './state-store.ts';

/** Of a store in which records wait, or what has become of records: on disk and logged, each row for as long as its owner wants it. */
export const bufferSpec = (name: string, changelogConfig: StoreSpec['changelogConfig'] = {}): StoreSpec => ({
  name,
  kind: 'buffer',
  persistent: true,
  logged: true,
  retentionMs: null,
  changelogConfig,
});
