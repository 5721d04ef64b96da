// @ts-check
/** In a thread of its own: swaps a folder for a symbolic link and back, as fast as it can, until told to stop. */
import { renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const { folder, away, outside, stop } =
  /** @type {{ folder: string, away: string, outside: string, stop: Int32Array }} */ (workerData);
let swaps = 0;
while (Atomics.load(stop, 0) === 0) {
  renameSync(folder, away);
  try {
    symlinkSync(outside, folder);
    unlinkSync(folder);
    renameSync(away, folder);
    swaps++;
  } catch {
    // A folder was made in the gap: put it aside and start over.
    renameSync(folder, `${away}-${swaps++}-${Date.now()}`);
    renameSync(away, folder);
  }
}
parentPort?.postMessage(swaps);
