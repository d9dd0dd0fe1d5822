import { initGraphQLTada } from 'gql.tada';
import type { introspection } from './graphql-env.d.ts';

/** Writes operations whose results are typed from the gateway's schema. Fragments are not masked: pages hand whole objects to their parts. */
export const graphql = initGraphQLTada<{
  introspection: introspection;
  disableMasking: true;
  scalars: { ID: string; DateTime: string; Decimal: string; Long: string };
}>();

export type { ResultOf, TadaDocumentNode } from 'gql.tada';
