import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.js';

// The seed of every property test: a failure shows it, and the same seed repeats the run.
process.env['XFER_TEST_SEED'] ??= '20261120';

// Every property runs a hundred times as often then.
const soak = process.env['XFER_SOAK'] === '1';
const atLeast = (timeoutMs: number): number => (soak ? Math.max(timeoutMs, 600_000) : timeoutMs);

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          testTimeout: atLeast(20_000),
        },
      },
      {
        test: {
          name: 'net',
          include: ['test/net/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          testTimeout: atLeast(30_000),
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          testTimeout: atLeast(60_000),
          hookTimeout: atLeast(60_000),
        },
      },
    ],
  },
});
