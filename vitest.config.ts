import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const all = '{schemas,topologies,services,projections,web}/**';
const skip = ['**/node_modules/**', '**/dist/**', '**/build/**', '**/.bookstream/**'];
// Vite would take graphql's development build for our files while graphql-yoga gets Node's own choice, and the two do not know each other's types.
const graphql = fileURLToPath(new URL('node_modules/graphql/index.mjs', import.meta.url));
const oneGraphql = { alias: [{ find: /^graphql$/, replacement: graphql }] };

export default defineConfig({
  test: {
    projects: [
      {
        resolve: oneGraphql,
        test: { name: 'unit', include: [`${all}/*.test.ts`], exclude: [...skip, '**/*.int.test.ts'] },
      },
      {
        resolve: oneGraphql,
        test: {
          name: 'int',
          include: [`${all}/*.int.test.ts`],
          exclude: skip,
          pool: 'forks',
          maxWorkers: 1,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
