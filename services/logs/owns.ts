import type { Owns } from '../platform/owns.ts';

/** What every process wrote, and how fast. */
export const owns: Owns = { topologies: ['log-rates'], projections: ['logs'] };
