// @ts-check
/** Runs scenarios and keeps what was measured. */
import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import createTestnet from 'hyperdht/testnet.js';
import { LOOPBACK } from './measured.js';
import { inTurn } from './rounds.js';
import { otherPrograms } from './scenarios.js';
import { Xfer } from './tools/xfer.js';

/** Fewer than four cannot tell a peer its address, and connections take some 20 s. */
const DHT_NODES = 6;

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {string} title
 * @property {string} [skipped] why nothing of it ran
 * @property {number} bytes
 * @property {number} [lineS] what the line takes for the raw bytes, at its nominal rate
 * @property {import('./rounds.js').Rounds[]} tools
 */

/**
 * @typedef {object} CompareOptions
 * @property {readonly import('./scenarios.js').Scenario[]} scenarios
 * @property {number} runs
 * @property {string} program main.js of the xfer to run
 * @property {string} temporary an empty folder
 * @property {(result: Result) => Promise<void>} onResult
 */

/**
 * @param {CompareOptions} options
 * @returns {Promise<Result[]>}
 */
export async function compare({ scenarios, runs, program, temporary, onResult }) {
  const folder = path.join(temporary, 'programs');
  await mkdir(folder);
  /** @type {Awaited<ReturnType<typeof createTestnet>> | undefined} */
  let testnet;
  /** @type {ReturnType<typeof otherPrograms> | undefined} */
  let others;
  const surroundings = {
    xfer: new Xfer(program, folder),
    dht: async () => {
      testnet ??= await createTestnet(DHT_NODES, { host: LOOPBACK });
      return testnet.bootstrap.map(({ host, port }) => `${host}:${port}`);
    },
    others: () => (others ??= otherPrograms(folder)).tools,
  };
  const sources = new Map();
  /** @type {Result[]} */
  const results = [];
  try {
    for (const scenario of scenarios) {
      const result = await resultOf(scenario);
      results.push(result);
      await onResult(result);
    }
  } finally {
    others?.close();
    await testnet?.destroy();
  }
  return results;

  /** @param {import('./scenarios.js').Scenario} scenario @returns {Promise<Result>} */
  async function resultOf({ name, title, material, clock = 'sender', lineMbit, why, prepare }) {
    const skipped = why?.();
    if (skipped !== undefined) return { name, title, skipped, bytes: material.bytes, tools: [] };
    const source = await sourceOf(material);
    const out = path.join(temporary, 'to');
    const { tools, place } = await prepare(surroundings);
    try {
      const rounds = await inTurn({ tools, source: source.path, bytes: source.bytes, out, runs, clock });
      const lineS = lineMbit === undefined ? undefined : (source.bytes * 8) / (lineMbit * 1e6);
      return { name, title, bytes: source.bytes, ...(lineS === undefined ? {} : { lineS }), tools: rounds };
    } finally {
      place?.remove();
    }
  }

  /** @param {import('./scenarios.js').Material} material @returns {Promise<{ path: string, bytes: number }>} */
  async function sourceOf(material) {
    const known = sources.get(material.title);
    if (known !== undefined) return known;
    const own = path.join(temporary, `from ${sources.size}`);
    await mkdir(own);
    const source = { path: path.join(own, material.name), bytes: 0 };
    await material.write(source.path);
    for (const entry of await readdir(own, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) source.bytes += (await stat(path.join(entry.parentPath, entry.name))).size;
    }
    sources.set(material.title, source);
    return source;
  }
}
