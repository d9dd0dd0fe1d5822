import type { Owns } from '../platform/owns.ts';

/** Orders from placing to delivery, what people see of them, and what was sold. */
export const owns: Owns = { topologies: ['order-process', 'order-view', 'sales'], projections: ['orders', 'sales'] };
