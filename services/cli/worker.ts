import { owns as books } from '../books/owns.ts';
import { owns as logs } from '../logs/owns.ts';
import { owns as notifications } from '../notifications/owns.ts';
import { owns as orders } from '../orders/owns.ts';
import { owns as payments } from '../payments/owns.ts';
import { allOf } from '../platform/owns.ts';
import { runService } from '../platform/run-service.ts';
import { owns as stock } from '../stock/owns.ts';

/** All topologies and projections in one process: what a laptop wants. Each stays the application it is elsewhere. */
export const main = (): Promise<void> =>
  runService('worker', allOf([books, orders, stock, payments, notifications, logs]));
