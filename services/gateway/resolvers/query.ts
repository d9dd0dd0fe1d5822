import { type BookSort, bookById, bookByIsbn, booksPage } from '@bookstream/projections/catalogue/queries';
import type { LogLevel, LogRow } from '@bookstream/projections/logs/projection';
import { logsPage } from '@bookstream/projections/logs/queries';
import type { PageArguments } from '@bookstream/projections/page';
import type { Instance } from '../../discovery/discovery.ts';
import type { Person } from '../../users/accounts.ts';
import type { GatewayContext } from '../context.ts';
import { badInput } from '../errors.ts';
import { checkedPage, connection } from './connection.ts';
import { isId } from './inputs.ts';

interface BooksArguments extends PageArguments {
  readonly search?: string | null;
  readonly sort: BookSort;
}

interface LogsArguments {
  readonly first: number;
  readonly after?: string | null;
  readonly level?: string | null;
  readonly service?: string | null;
  readonly search?: string | null;
  readonly orderId?: string | null;
}

const longestSearch = 200;

const checkedSearch = (search: string | null | undefined): void => {
  if ((search?.length ?? 0) > longestSearch) throw badInput(`A search has at most ${longestSearch} characters.`);
};

export const Query = {
  books: (_root: unknown, args: BooksArguments, { services }: GatewayContext) => {
    checkedSearch(args.search);
    return connection(booksPage(services.postgres, { ...args, ...checkedPage(args) }), (row) => row);
  },
  book: (_root: unknown, { id, isbn }: { id?: string | null; isbn?: string | null }, { services }: GatewayContext) => {
    if (id) return isId(id) ? bookById(services.postgres, id) : null;
    if (isbn) return bookByIsbn(services.postgres, isbn);
    throw badInput('Name the book by its id or by its isbn.');
  },
  order: (_root: unknown, { id }: { id: string }, { loaders }: GatewayContext) =>
    isId(id) ? loaders.order.load(id) : null,
  viewer: async (_root: unknown, _args: unknown, context: GatewayContext): Promise<Person | null> => {
    const { caller, token, services } = context;
    return caller === null || token === null ? null : services.users.person(token, caller.userId);
  },
  admin: () => ({}),
};

const lower = (level: string): LogLevel => level.toLowerCase() as LogLevel; // the schema's enum has the same names

export const Admin = {
  services: (_admin: unknown, _args: unknown, { services }: GatewayContext) => services.discovery.listInstances(),
  logs: (_admin: unknown, args: LogsArguments, { services }: GatewayContext) => {
    checkedSearch(args.search);
    const filter = {
      service: args.service ?? null,
      search: args.search ?? null,
      orderId: args.orderId ?? null,
      level: args.level ? lower(args.level) : null,
    };
    return connection(logsPage(services.mongo, { ...checkedPage(args), ...filter }), (row) => row);
  },
  stock: async (_admin: unknown, { bookId }: { bookId: string }, { loaders }: GatewayContext) => {
    if (!isId(bookId) || (await loaders.book.load(bookId)) === null) return null;
    return (
      (await loaders.stock.load(bookId)) ?? {
        bookId,
        version: 0,
        onHand: 0,
        reserved: 0,
        committed: 0,
        safety: 0,
        available: 0,
      }
    );
  },
};

export const ServiceInstance = {
  name: (instance: Instance) => instance.service,
  version: (instance: Instance) => instance.details.version ?? '0.1.0',
  lastSeen: () => Date.now(), // who is listed has told of itself within the last seconds
};

export const LogLine = {
  id: (row: LogRow) => row.lineId,
  level: (row: LogRow) => row.level.toUpperCase(),
};
