import { stock as stockProjection } from '@bookstream/projections/stock/projection';
import * as stock from '@bookstream/topologies/stock/topology';
import type { Owns } from '../platform/owns.ts';

/** Copies on the shelf: received, reserved, committed, shipped, and who waits for them. */
export const owns: Owns = { topologies: [stock], projections: [stockProjection] };
