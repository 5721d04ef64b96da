import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.js';
import { atMost } from './test/support/soak.js';

// The seed of every property test: a failure shows it, and the same seed repeats the run.
process.env['XFER_TEST_SEED'] ??= '20261120';

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          testTimeout: atMost(20_000),
        },
      },
      {
        test: {
          name: 'net',
          include: ['test/net/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          testTimeout: atMost(30_000),
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          testTimeout: atMost(60_000),
          hookTimeout: atMost(60_000),
        },
      },
    ],
  },
});
