import { orders } from '@bookstream/projections/orders/projection';
import * as orderProcess from '@bookstream/topologies/order-process/topology';
import * as orderView from '@bookstream/topologies/order-view/topology';
import type { Owns } from '../platform/owns.ts';

/** Orders from placing to delivery, and what people see of them. */
export const owns: Owns = { topologies: [orderProcess, orderView], projections: [orders] };
