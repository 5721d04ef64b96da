// @ts-check
/** Runs programs in turn, so that what else the machine does meets all of them, and compares what arrived. */
import { createHash, hash as hashOf } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { stopAll } from './measured.js';

/** How long a sender has been waiting when the clock starts with the receiver. */
const SETTLED_MS = 1_000;
/** What a transfer may take: one that takes longer hangs, and is ended. */
const PATIENCE_MS = 120_000;
const PATIENCE_MS_PER_BYTE = 1e-3;
/** Files up to this size are read in one go. */
const SMALL_BYTES = 2 ** 20;

/**
 * @typedef {object} Round
 * @property {number} elapsedS
 * @property {Measured} sender
 * @property {Measured} [receiver]
 */

/** @typedef {Omit<import('./measured.js').Usage, 'endedMs'>} Measured */

/**
 * @typedef {object} Rounds
 * @property {string} name of the tool
 * @property {string} [skipped] why it did not run
 * @property {Round[]} rounds
 */

/**
 * @typedef {object} RoundsOptions
 * @property {readonly import('./tools/tool.js').Tool[]} tools
 * @property {string} source alone in its folder
 * @property {number} bytes of it, about
 * @property {string} out a folder that does not exist
 * @property {number} runs
 * @property {'sender' | 'receiver'} clock with whose start it starts; with the receiver's it stops at the receiver's end
 */

/**
 * @param {RoundsOptions} options
 * @returns {Promise<Rounds[]>}
 */
export async function inTurn({ tools, source, bytes, out, runs, clock }) {
  const expected = await contentOf(path.dirname(source));
  /** @type {{ tool: import('./tools/tool.js').Tool, result: Rounds }[]} */
  const all = tools.map((tool) => ({
    tool,
    result: { name: tool.name, ...(tool.missing ? { skipped: tool.missing } : {}), rounds: [] },
  }));
  const able = all.filter(({ tool }) => tool.missing === undefined);
  try {
    for (const { tool } of able) await tool.start?.();
    for (let run = 0; run < runs; run++) {
      for (const { tool, result } of able) {
        await mkdir(out);
        // What hangs fails, and the next run begins with nothing of it.
        const limit = setTimeout(stopAll, PATIENCE_MS + bytes * PATIENCE_MS_PER_BYTE);
        result.rounds.push(await timed(tool, { source, out, clock }).finally(() => clearTimeout(limit)));
        const found = differences(expected, await contentOf(out));
        if (found.length > 0)
          throw new Error(`${tool.name}: what arrived differs\n${found.slice(0, 20).join('\n')}`);
        await rm(out, { recursive: true });
      }
    }
  } finally {
    await rm(out, { recursive: true, force: true });
  }
  return all.map(({ result }) => result);
}

/**
 * @param {import('./tools/tool.js').Tool} tool
 * @param {Pick<RoundsOptions, 'source' | 'out' | 'clock'>} options
 * @returns {Promise<Round>}
 */
async function timed(tool, { source, out, clock }) {
  let startMs = performance.now();
  const receive = await tool.send(source, out);
  if (clock === 'receiver') {
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    startMs = performance.now();
  }
  const { sender, receiver } = await receive();
  const last = Math.max(sender.endedMs, receiver?.endedMs ?? 0);
  const endMs = clock === 'receiver' ? (receiver?.endedMs ?? last) : last;
  return {
    elapsedS: (endMs - startMs) / 1000,
    sender: measured(sender),
    ...(receiver === undefined ? {} : { receiver: measured(receiver) }),
  };
}

/** @param {import('./measured.js').Usage} usage @returns {Measured} */
function measured({ endedMs: _, ...rest }) {
  return rest;
}

/**
 * The digest of every file below a folder: names and content only, as not every tool keeps modes and times.
 *
 * @param {string} folder
 * @returns {Promise<Map<string, string>>}
 */
export async function contentOf(folder) {
  /** @type {Map<string, string>} */
  const content = new Map();
  const folders = [''];
  for (let below = folders.pop(); below !== undefined; below = folders.pop()) {
    for (const entry of await readdir(path.join(folder, below), { withFileTypes: true })) {
      const name = path.join(below, entry.name);
      if (entry.isDirectory()) folders.push(name);
      content.set(name, entry.isFile() ? await sha256Of(path.join(folder, name)) : 'no file');
    }
  }
  return content;
}

/** Of a small file with calls that wait: a million of them would take a quarter of an hour otherwise. @param {string} file */
async function sha256Of(file) {
  if (statSync(file).size <= SMALL_BYTES) return hashOf('sha256', readFileSync(file), 'hex');
  const hash = createHash('sha256');
  const handle = await open(file);
  try {
    for await (const piece of handle.createReadStream({ highWaterMark: SMALL_BYTES, autoClose: false }))
      hash.update(piece);
    return hash.digest('hex');
  } finally {
    await handle.close();
  }
}

/** @param {ReadonlyMap<string, string>} expected @param {ReadonlyMap<string, string>} actual */
function differences(expected, actual) {
  const found = [];
  for (const [name, digest] of expected) if (actual.get(name) !== digest) found.push(name);
  for (const name of actual.keys()) if (!expected.has(name)) found.push(name);
  return found;
}
