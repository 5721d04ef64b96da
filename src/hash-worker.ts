/** What runs in the thread of `HashThread`: leaves come, their digests go, in the same order. */
import { parentPort } from 'node:worker_threads';
import { leafDigest } from './crypto/digest.js';

parentPort?.on('message', (bytes: Uint8Array) => {
  const digest = leafDigest(bytes);
  // Memory that was handed over goes back; of shared memory both sides have a view.
  const isShared = bytes.buffer instanceof SharedArrayBuffer;
  parentPort?.postMessage({ digest, bytes }, isShared ? [] : [bytes.buffer]);
});
