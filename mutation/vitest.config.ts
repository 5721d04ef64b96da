import { defineConfig } from 'vitest/config';
// Sets the seed.
import '../vitest.config.js';

// `mutation/run.js` says which; without projects, as Stryker runs all that there are.
export default defineConfig({
  test: {
    include: (process.env['XFER_MUTANTS_TESTS'] ?? '').split(','),
    setupFiles: ['test/support/setup.ts'],
    testTimeout: 10_000,
  },
});
