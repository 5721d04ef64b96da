import { readFile } from 'node:fs/promises';
import type { XferProcess } from './xfer-process.js';

/** The most memory a process had, in bytes, as far as it was seen while it ran. */
export function watchPeak(side: XferProcess): () => number {
  let peak = 0;
  const timer = setInterval(() => {
    void readFile(`/proc/${side.pid}/status`, 'utf8').then(
      (status) => (peak = Math.max(peak, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024)),
      () => clearInterval(timer),
    );
  }, 50);
  void side.ended.finally(() => clearInterval(timer));
  return () => peak;
}
