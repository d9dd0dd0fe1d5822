import type { BookRow } from '@bookstream/projections/catalogue/projection';
import { booksByIds } from '@bookstream/projections/catalogue/queries';
import type { OrderRow } from '@bookstream/projections/orders/projection';
import { ordersByIds } from '@bookstream/projections/orders/queries';
import type { StockRow } from '@bookstream/projections/stock/projection';
import { stockOf } from '@bookstream/projections/stock/queries';
import type { KafkaPort } from '@bookstream/streams/kafka/index';
import DataLoader from 'dataloader';
import type { Db } from 'mongodb';
import type { Pool } from 'pg';
import type { Discovery } from '../discovery/discovery.ts';
import type { Logger } from '../platform/logger.ts';
import type { TraceContext } from '../platform/trace.ts';
import { type Caller, mayRead } from './access.ts';
import type { Commands } from './commands.ts';
import { forbidden } from './errors.ts';
import type { Hub } from './hub.ts';
import type { Operation, Operations } from './operations.ts';
import type { UsersClient } from './users-client.ts';

/** What all requests share. */
export interface Services {
  readonly postgres: Pool;
  readonly mongo: Db;
  readonly kafka: KafkaPort;
  readonly hub: Hub;
  readonly commands: Commands;
  readonly users: UsersClient;
  readonly discovery: Discovery;
  readonly operations: Operations;
  readonly logger: Logger;
}

/** What one request has. */
export interface GatewayContext {
  readonly services: Services;
  readonly caller: Caller | null;
  /** The access token as it came, for calls in the caller's name. */
  readonly token: string | null;
  /** Where the request came from; a proxy's own address when there is one before the gateway. */
  readonly address: string;
  /** The refresh cookie as it came. */
  readonly refreshToken: string | null;
  readonly setRefreshCookie: (token: string | null, expiresAtMs: number) => void;
  readonly operation: Operation;
  /** The operation's place in its trace. */
  readonly trace: TraceContext;
  readonly logger: Logger;
  readonly loaders: Loaders;
}

export interface Loaders {
  readonly book: DataLoader<string, BookRow | null>;
  readonly stock: DataLoader<string, StockRow | null>;
  /** Only what the caller may read. @throws FORBIDDEN for the order of somebody else */
  readonly order: DataLoader<string, OrderRow | null>;
}

/** One set a request: a list asks its database once, and nobody sees what another request was allowed to see. */
export function loadersOf({ postgres, mongo }: Pick<Services, 'postgres' | 'mongo'>, caller: Caller | null): Loaders {
  const inOrder = <R>(ids: readonly string[], rows: readonly R[], idOf: (row: R) => string): (R | null)[] => {
    const byId = new Map(rows.map((row) => [idOf(row), row]));
    return ids.map((id) => byId.get(id) ?? null);
  };
  return {
    book: new DataLoader(async (ids) => inOrder(ids, await booksByIds(postgres, ids), (row) => row.bookId)),
    stock: new DataLoader(async (ids) => inOrder(ids, await stockOf(mongo, ids), (row) => row.bookId)),
    order: new DataLoader<string, OrderRow | null>(async (ids) =>
      inOrder(ids, await ordersByIds(postgres, ids), (row) => row.orderId).map((row) =>
        row === null || mayRead(caller, row.userId) ? row : forbidden(),
      ),
    ),
  };
}
