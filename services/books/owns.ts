import { catalogue as catalogueProjection } from '@bookstream/projections/catalogue/projection';
import * as catalogue from '@bookstream/topologies/catalogue/topology';
import type { Owns } from '../platform/owns.ts';

/** The catalogue: what a book is, what it costs, whether it is sold. */
export const owns: Owns = { topologies: [catalogue], projections: [catalogueProjection] };
