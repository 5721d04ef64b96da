// @ts-check
/**
 * Loaded before the program (`--import`), and so in each of its threads: the machine has four processors. With
 * `XFER_TEST_THREADS`, a folder, every thread leaves a file there.
 */
import { writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { isMainThread, threadId } from 'node:worker_threads';

const folder = process.env['XFER_TEST_THREADS'];
if (!isMainThread && folder !== undefined) writeFileSync(`${folder}/${process.pid}-${threadId}`, '');

os.availableParallelism = () => 4;
syncBuiltinESMExports();
