// @ts-check
/** In a thread of its own: swaps a folder for a symbolic link and back, as fast as it can, until told to stop. */
import { renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const { folder, away, outside, stop } =
  /** @type {{ folder: string, away: string, outside: string, stop: Int32Array }} */ (workerData);
let swaps = 0;
let aside = 0;

/** A rename that succeeds: whatever the other side made in the gap is put aside first. */
function rename(/** @type {string} */ from, /** @type {string} */ to) {
  for (;;) {
    try {
      renameSync(from, to);
      return;
    } catch {
      renameSync(to, `${away}-${++aside}`);
    }
  }
}

/** Long enough for the other side to take a step or two. */
function pause() {
  const end = performance.now() + 0.1;
  while (performance.now() < end);
}

while (Atomics.load(stop, 0) === 0) {
  rename(folder, away);
  try {
    symlinkSync(outside, folder);
    pause();
    unlinkSync(folder);
  } catch {
    // The other side was quicker to make a folder here.
  }
  rename(away, folder);
  swaps++;
  pause();
}
parentPort?.postMessage(swaps);
