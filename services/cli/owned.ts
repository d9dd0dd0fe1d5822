import { owns as books } from '../books/owns.ts';
import { owns as logs } from '../logs/owns.ts';
import { owns as notifications } from '../notifications/owns.ts';
import { owns as orders } from '../orders/owns.ts';
import { owns as payments } from '../payments/owns.ts';
import type { Owns } from '../platform/owns.ts';
import { owns as stock } from '../stock/owns.ts';
import type { WorkingService } from './scale.ts';

/** What each service answers for. */
export const owned: Readonly<Record<WorkingService, Owns>> = { books, orders, stock, payments, notifications, logs };
