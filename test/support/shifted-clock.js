// @ts-check
/** Loaded into the program before it starts: its date is `XFER_TEST_HOURS` ahead of that of this machine. */
const now = Date.now.bind(Date);
const aheadMs = Number(process.env['XFER_TEST_HOURS'] ?? 0) * 3_600_000;

Date.now = () => now() + aheadMs;
