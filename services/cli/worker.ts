import { owns as books } from '../books/owns.ts';
import { owns as logs } from '../logs/owns.ts';
import { owns as notifications } from '../notifications/owns.ts';
import { owns as orders } from '../orders/owns.ts';
import { owns as payments } from '../payments/owns.ts';
import { allOf, type Owns } from '../platform/owns.ts';
import { runService } from '../platform/run-service.ts';
import { owns as stock } from '../stock/owns.ts';
import { type WorkingService, workingServices } from './scale.ts';

const owned: Readonly<Record<WorkingService, Owns>> = { books, orders, stock, payments, notifications, logs };

/**
 * All topologies and projections in one process: what a laptop wants. Each stays the application it is elsewhere.
 * @param without services that run in processes of their own
 */
export const main = (without: readonly WorkingService[] = []): Promise<void> =>
  runService('worker', allOf(workingServices.filter((name) => !without.includes(name)).map((name) => owned[name])));
