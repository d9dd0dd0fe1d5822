import { logs } from '@bookstream/projections/logs/projection';
import type { Owns } from '../platform/owns.ts';

/** What every process wrote. */
export const owns: Owns = { topologies: [], projections: [logs] };
