import { defaultFieldResolver, type GraphQLSchema, isObjectType } from 'graphql';
import type { AccessClaims } from '../users/tokens.ts';
import type { GatewayContext } from './context.ts';
import { forbidden, unauthenticated } from './errors.ts';

export type Caller = AccessClaims;
type Access = 'PUBLIC' | 'SHOPPER' | 'ADMIN';

/** @throws UNAUTHENTICATED without a login or with one that has ended since, FORBIDDEN without the role */
export function demand(access: Access, caller: Caller | null): void {
  if (access === 'PUBLIC') return;
  if (caller === null || caller.expiresAtMs <= Date.now()) throw unauthenticated();
  if (access === 'ADMIN' && caller.role !== 'ADMIN') throw forbidden();
}

/** The caller, where a field is only for those who are logged in. */
export function callerOf(context: GatewayContext): Caller {
  if (context.caller === null) throw unauthenticated();
  return context.caller;
}

/** Who an object belongs to decides, wherever it was loaded; an admin sees everything. */
export const mayRead = (caller: Caller | null, userId: string): boolean =>
  caller !== null && (caller.userId === userId || caller.role === 'ADMIN');

/** Puts what `@auth` says in front of every resolver. The fields of `Admin` are refused with it, so no field can be forgotten. */
export function enforceAccess(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      const access = accessOf(field.astNode) ?? (type.name === 'Admin' ? 'ADMIN' : null);
      if (access === null) {
        if (type.name === 'Mutation' || type.name === 'Subscription')
          throw new Error(`${type.name}.${field.name} has no @auth`);
        continue;
      }
      const { resolve = defaultFieldResolver, subscribe } = field;
      field.resolve = (source, args, context: GatewayContext, info) => {
        demand(access, context.caller);
        return resolve(source, args, context, info);
      };
      if (subscribe) {
        field.subscribe = (source, args, context: GatewayContext, info) => {
          demand(access, context.caller);
          return subscribe(source, args, context, info);
        };
      }
    }
  }
  return schema;
}

function accessOf(
  node:
    | {
        readonly directives?:
          | readonly {
              readonly name: { readonly value: string };
              readonly arguments?: readonly { readonly value: { readonly kind: string } }[] | undefined;
            }[]
          | undefined;
      }
    | null
    | undefined,
): Access | null {
  const directive = node?.directives?.find((one) => one.name.value === 'auth');
  const value = directive?.arguments?.[0]?.value;
  return value !== undefined && 'value' in value ? (value.value as Access) : null; // the schema allows the enum's names only
}
