// @ts-check
/**
 * Loaded before the program (`--import`): at every `SIGUSR2` the clock of the day jumps by the next of the hours in `XFER_CLOCK_JUMPS`, as when somebody sets
 * it. What only goes forward (`performance.now`, `hrtime`, timers) goes on as before.
 */
const jumps = (process.env['XFER_CLOCK_JUMPS'] ?? '').split(',').map((hours) => Number(hours) * 3_600_000);
const { now } = Date;
let offsetMs = 0;
const jumpingNow = () => now() + offsetMs;

globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [jumpingNow()] : args, newTarget),
  apply: (target) => new target(jumpingNow()).toString(),
  get: (target, key) => (key === 'now' ? jumpingNow : Reflect.get(target, key)),
});

process.on('SIGUSR2', () => {
  offsetMs += jumps.shift() ?? 0;
  process.stderr.write(`clock: ${new Date().toISOString()}\n`);
});
