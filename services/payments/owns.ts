import { wallet as walletProjection } from '@bookstream/projections/wallet/projection';
import * as wallet from '@bookstream/topologies/wallet/topology';
import type { Owns } from '../platform/owns.ts';

/** Wallets: balance, holds, captures, refunds. */
export const owns: Owns = { topologies: [wallet], projections: [walletProjection] };
