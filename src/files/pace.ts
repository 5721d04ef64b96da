/**
 * Small files are read and written with synchronous calls: measured, a trip through Node's thread pool costs
 * several times the call itself. This keeps the connection served meanwhile.
 */
import { setImmediate } from 'node:timers/promises';

const LONGEST_TURN_MS = 10;

let turnBegan = performance.now();

/** Lets the event loop go round when synchronous work may have held it for 10 ms. Otherwise costs nothing. */
export function breathe(): Promise<void> | undefined {
  return performance.now() - turnBegan < LONGEST_TURN_MS ? undefined : goRound();
}

async function goRound(): Promise<void> {
  await setImmediate();
  turnBegan = performance.now();
}
