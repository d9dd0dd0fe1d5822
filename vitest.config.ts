import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const all = '{schemas,topologies,services,projections,web}/**';
const skip = ['**/node_modules/**', '**/dist/**', '**/build/**', '**/.bookstream/**'];
// expect.poll's own second is nothing to a machine that is busy with other tests.
const patient = { expect: { poll: { timeout: 20_000 } } } as const;
const realEngines = {
  pool: 'forks',
  testTimeout: 60_000,
  hookTimeout: 120_000,
  ...patient,
} as const;
// Vite would take graphql's development build for our files while graphql-yoga gets Node's own choice, and the two do not know each other's types.
const graphql = fileURLToPath(new URL('node_modules/graphql/index.mjs', import.meta.url));
const oneGraphql = { alias: [{ find: /^graphql$/, replacement: graphql }] };

export default defineConfig({
  test: {
    // One group after the other: two cores cannot run the platform beside the engines of other tests and still keep deadlines.
    projects: [
      {
        resolve: oneGraphql,
        test: {
          name: 'unit',
          include: [`${all}/*.test.ts`],
          exclude: [...skip, '**/*.int.test.ts'],
          globalSetup: 'web/sync.setup.mjs',
          ...patient,
          testTimeout: 30_000, // properties compute for seconds, and a busy machine is slower still
          sequence: { groupOrder: 0 },
        },
      },
      {
        resolve: oneGraphql,
        test: {
          name: 'int',
          include: [`${all}/*.int.test.ts`],
          exclude: [...skip, 'services/e2e/**'],
          ...realEngines,
          maxWorkers: 2, // they wait for engines and deadlines more than they compute
          sequence: { groupOrder: 1 },
        },
      },
      {
        // The whole platform, started once for all of these.
        resolve: oneGraphql,
        test: {
          name: 'e2e',
          include: ['services/e2e/*.int.test.ts'],
          exclude: skip,
          globalSetup: 'services/e2e/platform.setup.ts',
          ...realEngines,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
