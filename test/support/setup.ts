import fc from 'fast-check';

/** `npm run soak` sets this to run every property many more times. */
const soak = process.env['XFER_SOAK'] === '1';

fc.configureGlobal({ seed: Number(process.env['XFER_TEST_SEED']), numRuns: soak ? 10_000 : 100 });
