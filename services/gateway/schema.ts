import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSchema } from 'graphql-yoga';
import { enforceAccess } from './access.ts';
import { Book } from './resolvers/book.ts';
import { Mutation } from './resolvers/mutation.ts';
import { Order, OrderLine, OrderRejection, OrderStep } from './resolvers/order.ts';
import { Admin, LogLine, Query, ServiceInstance } from './resolvers/query.ts';
import { DateTime, Decimal, Long } from './resolvers/scalars.ts';
import { Subscription } from './resolvers/subscription.ts';
import { resolveByTypename } from './resolvers/user-errors.ts';
import { Notification, Viewer, Wallet, WalletEntry } from './resolvers/viewer.ts';

const typeDefs = readFileSync(join(import.meta.dirname, 'schema.graphql'), 'utf8');
const userErrors = [
  'UserError',
  'OrderPlaceError',
  'AuthError',
  'WalletTopUpError',
  'AdminStockRestockError',
  'AdminBookError',
];

/** The schema with its resolvers, and what `@auth` says in front of each of them. */
export const schema = enforceAccess(
  createSchema({
    typeDefs,
    resolvers: {
      ...{ Query, Mutation, Subscription, Admin },
      ...{ Book, Order, OrderLine, OrderRejection, OrderStep },
      ...{ Viewer, Wallet, WalletEntry, Notification, LogLine, ServiceInstance },
      ...{ Long, DateTime, Decimal },
      ...Object.fromEntries(userErrors.map((name) => [name, resolveByTypename])),
    },
  }),
);
