import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

type Call = 'linkSync' | 'openSync' | 'writeSync' | 'fchmodSync' | 'futimesSync';

/**
 * Runs `work` while the system refuses calls of that name with `errno`. Only in this process, for every module
 * that imports it from `node:fs`.
 */
export async function withFailing<T>(call: Call, errno: string, work: () => Promise<T>): Promise<T> {
  const original: unknown = fs[call];
  const failing = (): never => {
    throw Object.assign(new Error(`${errno}: ${call}`), { code: errno });
  };
  Object.assign(fs, { [call]: failing });
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    Object.assign(fs, { [call]: original });
    syncBuiltinESMExports();
  }
}
