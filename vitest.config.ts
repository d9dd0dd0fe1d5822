import { defineConfig } from 'vitest/config';

const all = '{schemas,topologies,services,projections,web}/**';
const skip = ['**/node_modules/**', '**/dist/**', '**/build/**', '**/.bookstream/**'];

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: [`${all}/*.test.ts`], exclude: [...skip, '**/*.int.test.ts'] } },
      {
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
