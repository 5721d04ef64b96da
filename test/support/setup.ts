import fc from 'fast-check';
import { expect } from 'vitest';
import { isSoak } from './soak.js';

fc.configureGlobal({ seed: Number(process.env['XFER_TEST_SEED']), numRuns: isSoak ? 10_000 : 100 });

// Byte by byte a megabyte takes seconds, of which a whole run had hundreds.
expect.addEqualityTesters([
  (one: unknown, other: unknown) =>
    one instanceof Uint8Array && other instanceof Uint8Array && one.constructor === other.constructor
      ? Buffer.compare(one, other) === 0
      : undefined,
]);
