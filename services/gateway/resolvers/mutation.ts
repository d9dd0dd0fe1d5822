import { accountMutations } from './account-mutations.ts';
import { adminMutations } from './admin-mutations.ts';
import { orderMutations } from './order-mutations.ts';
import { ownMutations } from './own-mutations.ts';

export const Mutation = { ...accountMutations, ...ownMutations, ...orderMutations, ...adminMutations };
