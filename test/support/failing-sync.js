// @ts-check
/** Loaded before the program (`--import`): the disk takes everything, and says that it could not keep it when it is asked. */
import childProcess from 'node:child_process';
import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const error = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
/** @param {unknown[]} args the last one is called back */
const failing = (...args) => {
  const done = /** @type {(error: Error) => void} */ (args.at(-1));
  setImmediate(done, error);
};

const spawn = () => {
  const command = new EventEmitter();
  setImmediate(() => command.emit('close', 1));
  return command;
};

Object.assign(fs, { fsync: failing });
Object.assign(childProcess, { spawn });
syncBuiltinESMExports();
