// @ts-check
/**
 * Loaded before the program (`--import`): one of its calls to the disk fails, the one with the number in `XFER_FAULT_AT`, with the error in `XFER_FAULT`. Only
 * calls count that are about something in the folder `XFER_FAULT_IN`. Which call it was is written to the file `XFER_FAULT_LOG`.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { promisify } from 'node:util';

const folder = process.env['XFER_FAULT_IN'] ?? '';
const errno = process.env['XFER_FAULT'] ?? 'EIO';
const log = process.env['XFER_FAULT_LOG'] ?? '';
let left = Number(process.env['XFER_FAULT_AT']);

/** Files and folders in there that are open. @type {Set<number>} */
const open = new Set();
const original = { ...fs };

/** @param {unknown} target */
function isInside(target) {
  if (typeof target === 'number') return open.has(target);
  if (typeof target !== 'string') return false;
  const [, handle] = /^\/proc\/(?:self|\d+)\/fd\/(\d+)/.exec(target) ?? [];
  return handle === undefined ? target.startsWith(folder) : open.has(Number(handle));
}

/** Throws where this is the call. @param {string} call @param {unknown[]} args */
function count(call, args) {
  if (!args.slice(0, 2).some(isInside) || --left !== 0) return;
  original.writeFileSync(log, call);
  throw Object.assign(new Error(`${errno}: ${call}`), { code: errno });
}

/** @param {string} call @param {unknown[]} args @param {unknown} result */
function note(call, args, result) {
  if (call === 'openSync' && isInside(args[0])) open.add(Number(result));
  if (call === 'closeSync') open.delete(Number(args[0]));
}

const WAITING = ['openSync', 'opendirSync', 'statSync', 'realpathSync', 'mkdirSync', 'writeSync', 'readSync', 'fchmodSync', 'chmodSync', 'futimesSync', 'utimesSync', 'fstatSync', 'lstatSync', 'statfsSync', 'linkSync', 'unlinkSync', 'renameSync', 'rmdirSync', 'readdirSync', 'readFileSync', 'accessSync']; // prettier-ignore
for (const call of WAITING) {
  const before = /** @type {(...args: unknown[]) => unknown} */ (/** @type {any} */ (original)[call]);
  /** @param {unknown[]} args */
  const faulty = (...args) => {
    count(call, args);
    const result = before(...args);
    note(call, args, result);
    return result;
  };
  Object.assign(fs, { [call]: faulty });
}
// A file that could not be closed is closed all the same.
const { closeSync } = original;
Object.assign(fs, {
  closeSync: (/** @type {number} */ fd) => {
    closeSync(fd);
    open.delete(fd);
  },
});

for (const call of ['write', 'read', 'fsync', 'ftruncate']) {
  const before = /** @type {(...args: unknown[]) => unknown} */ (/** @type {any} */ (original)[call]);
  const promised = /** @type {(...args: unknown[]) => Promise<unknown>} */ (promisify(before));
  /** @param {unknown[]} args the last one is called back */
  const faulty = (...args) => {
    try {
      count(call, args);
    } catch (error) {
      const done = /** @type {(error: unknown) => void} */ (args.at(-1));
      setImmediate(() => done(error));
      return;
    }
    before(...args);
  };
  Object.defineProperty(faulty, promisify.custom, {
    value: async (/** @type {unknown[]} */ ...args) => {
      count(call, args);
      return promised(...args);
    },
  });
  Object.assign(fs, { [call]: faulty });
}
syncBuiltinESMExports();
