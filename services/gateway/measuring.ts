import type { ExecutionResult } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { GatewayContext, Services } from './context.ts';
import { askedOf } from './operations.ts';
import { schema } from './schema.ts';

type Asking = Pick<GatewayContext, 'operation'>;

/** Measures operations over HTTP and server-sent events. The first of the plugins, for one that ends an operation is the last that is asked. */
export const measuring = ({ operations }: Pick<Services, 'operations'>): Plugin<GatewayContext> => ({
  onExecute: ({ args }) => name(args),
  onSubscribe: ({ args }) => name(args),
  onExecutionResult({ result, setResult, context }) {
    const { operation } = context as Partial<Asking>; // there is none before the context was made
    if (result === undefined || Array.isArray(result)) return; // there are no batches
    if (isAsyncIterable(result)) {
      if (operation) setResult(operation.feeds(result as AsyncIterable<ExecutionResult>));
    } else if (operation) operation.answered(result.errors);
    else operations.refused(result.errors);
  },
});

function name(args: Parameters<NonNullable<Plugin['onExecute']>>[0]['args']): void {
  const { operation } = args.contextValue as unknown as Asking; // what the gateway's `context` made
  operation.is(askedOf(schema, args.document, args.operationName));
}
