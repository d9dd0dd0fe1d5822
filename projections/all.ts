import { catalogue } from './catalogue/projection.ts';
import { UnknownProjectionError } from './errors.ts';
import { logs } from './logs/projection.ts';
import { notifications } from './notifications/projection.ts';
import { orders } from './orders/projection.ts';
import type { Projection } from './projection.ts';
import { stock } from './stock/projection.ts';
import { wallet } from './wallet/projection.ts';

/** Every projection of the shop; each has a folder of its name. */
export const projections: readonly Projection[] = [catalogue, orders, wallet, stock, notifications, logs];

/** @throws UnknownProjectionError */
export function projectionOf(name: string): Projection {
  const found = projections.find((projection) => projection.name === name);
  if (found === undefined)
    throw new UnknownProjectionError(
      name,
      projections.map((projection) => projection.name),
    );
  return found;
}
