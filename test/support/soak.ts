/** `npm run soak`: everything that is tried at random is tried far more often, and may take as long as it takes. */
export const isSoak = process.env['XFER_SOAK'] === '1';

/** How long a test may take that needs some `ms` milliseconds at most in a run of all tests. */
export function atMost(ms: number): number {
  return isSoak ? 3_600_000 : ms;
}
