// @ts-check
/** What each step costs that a byte goes through: seal, open, digest, compress, frame. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'rolldown';
import { logLines } from './log-text.js';
import { figure, median, table } from './statistics.js';

const MIB = 2 ** 20;
/** Steps are measured in so many parts of that length; the median part counts. */
const PARTS = 7;
const PART_MS = 60;

/** The modules of the sources that are measured, without their endings. */
const MODULES = [
  'crypto/record-cipher',
  'crypto/secret',
  'crypto/digest',
  'transfer/compression',
  'transfer/records',
  'transfer/batch',
];

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {number} bytes that one call works on; 0 where it only points to them
 * @property {() => unknown} call may be asynchronous
 */

/**
 * @typedef {object} Cost
 * @property {string} name
 * @property {number} bytes
 * @property {number} wallUs of one call
 * @property {number} cpuUs of one call, all threads
 */

/**
 * @param {string} root of the project
 * @param {(step: Step) => Promise<Cost>} [measure]
 * @returns {Promise<Cost[]>}
 */
export async function micro(root, measure = costOf) {
  // Packages are found from here, and the program itself has no file for each module.
  const cache = path.join(root, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(path.join(cache, 'bench-'));
  try {
    await build({
      cwd: root,
      input: Object.fromEntries(MODULES.map((name) => [name, `src/${name}.ts`])),
      platform: 'node',
      external: (id) => !id.startsWith('.') && !path.isAbsolute(id),
      output: { dir: folder },
      logLevel: 'warn',
    });
    const costs = [];
    for (const step of await stepsOf(folder)) costs.push(await measure(step));
    return costs;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param {readonly Cost[]} costs */
export function microTable(costs) {
  const rows = costs.map(({ name, bytes, wallUs, cpuUs }) => [
    name,
    figure(wallUs),
    figure(cpuUs),
    bytes === 0 ? '–' : figure(bytes / MIB / (wallUs / 1e6)),
  ]);
  return table(['step', 'µs', 'CPU µs', 'MiB/s'], rows);
}

/** @param {string} folder of the compiled modules @returns {Promise<Step[]>} */
async function stepsOf(folder) {
  /** @param {string} file @returns {Promise<unknown>} */
  const load = (file) => import(pathToFileURL(path.join(folder, file)).href);
  const { RecordSealer, RecordOpener } = /** @type {typeof import('../src/crypto/record-cipher.js')} */ (
    await load('crypto/record-cipher.js')
  );
  const { Secret } = /** @type {typeof import('../src/crypto/secret.js')} */ (await load('crypto/secret.js'));
  const { TreeDigest, digestOf } = /** @type {typeof import('../src/crypto/digest.js')} */ (
    await load('crypto/digest.js')
  );
  const { pack, unpack, SUPPORTED_COMPRESSIONS } =
    /** @type {typeof import('../src/transfer/compression.js')} */ (await load('transfer/compression.js'));
  const { encodeRecord, decodeRecord } = /** @type {typeof import('../src/transfer/records.js')} */ (
    await load('transfer/records.js')
  );
  const { BatchWriter, decodeBatch } = /** @type {typeof import('../src/transfer/batch.js')} */ (
    await load('transfer/batch.js')
  );

  const random = randomBytes(MIB);
  const text = logText(MIB);
  const small = random.subarray(0, 4096);
  const tree = new TreeDigest();
  /** @type {Step[]} */
  const steps = [
    { name: 'digest of 1 MiB', bytes: MIB, call: () => tree.update(random) },
    { name: 'digest of a file of 4 KiB', bytes: small.length, call: () => digestOf(small) },
  ];

  for (const aead of /** @type {const} */ (['aes-256-gcm', 'chacha20-poly1305'])) {
    const key = randomBytes(32);
    const sealer = () => new RecordSealer(new Secret(Uint8Array.from(key)), aead);
    const sealing = sealer();
    steps.push({ name: `seal 1 MiB, ${aead}`, bytes: MIB, call: () => sealing.seal([random], false) });
    // A record opens once, in its turn.
    const before = sealer();
    const sealed = Array.from({ length: 32 }, () => Buffer.concat(before.seal([random], false)));
    let opener = new RecordOpener(new Secret(Uint8Array.from(key)), aead);
    let next = 0;
    const open = () => {
      if (next === sealed.length) {
        opener = new RecordOpener(new Secret(Uint8Array.from(key)), aead);
        next = 0;
      }
      return opener.open(sealed[next++] ?? random);
    };
    steps.push({ name: `open 1 MiB, ${aead}`, bytes: MIB, call: open });
  }

  for (const compression of SUPPORTED_COMPRESSIONS) {
    if (compression === 'stored') continue;
    for (const level of /** @type {const} */ (['fast', 'strong'])) {
      const packed = await pack(text, compression, level);
      const share = Math.round((packed.bytes.length / MIB) * 100);
      steps.push({
        name: `compress 1 MiB of log text, ${compression} ${level} (to ${share} %)`,
        bytes: MIB,
        call: () => pack(text, compression, level),
      });
      steps.push({
        name: `decompress it, ${compression} ${level}`,
        bytes: MIB,
        call: () => unpack(packed),
      });
    }
    steps.push({
      name: `compress 1 MiB of noise, ${compression} fast`,
      bytes: MIB,
      call: () => pack(random, compression, 'fast'),
    });
  }

  const chunk = /** @type {const} */ ({
    kind: 'chunk',
    sequence: 1000,
    transfer: 1,
    entry: 1,
    offset: 2 ** 32,
    body: { compression: 'stored', rawLength: MIB, bytes: random },
  });
  const chunkBytes = Buffer.concat(encodeRecord(chunk));
  const writer = new BatchWriter();
  const fill = () => {
    writer.clear();
    for (let entry = 0; entry < 100; entry++) writer.add(entry, small);
    return writer.finish();
  };
  const batch = Uint8Array.from(fill());
  steps.push(
    { name: 'encode the record of a chunk of 1 MiB', bytes: 0, call: () => encodeRecord(chunk) },
    { name: 'decode it', bytes: 0, call: () => decodeRecord(chunkBytes) },
    { name: 'put 100 files of 4 KiB into a batch', bytes: 100 * small.length, call: fill },
    { name: 'take them out', bytes: 100 * small.length, call: () => decodeBatch(batch, 100) },
  );
  return steps;
}

/** @param {Step} step @returns {Promise<Cost>} */
async function costOf({ name, bytes, call }) {
  /** @type {{ wallUs: number, cpuUs: number }[]} */
  const parts = [];
  // The first part is for the compiler.
  for (let part = 0; part <= PARTS; part++) {
    const cpu = process.cpuUsage();
    const startMs = performance.now();
    let calls = 0;
    let elapsedMs = 0;
    while (elapsedMs < PART_MS) {
      const result = call();
      if (result instanceof Promise) await result;
      calls += 1;
      elapsedMs = performance.now() - startMs;
    }
    const { user, system } = process.cpuUsage(cpu);
    if (part > 0) parts.push({ wallUs: (elapsedMs * 1000) / calls, cpuUs: (user + system) / calls });
  }
  return {
    name,
    bytes,
    wallUs: median(parts.map(({ wallUs }) => wallUs)),
    cpuUs: median(parts.map(({ cpuUs }) => cpuUs)),
  };
}

/** @param {number} length */
function logText(length) {
  let state = 1;
  const lines = logLines(() => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  });
  let text = '';
  while (text.length < length) text += lines.next().value;
  return Buffer.from(text.slice(0, length), 'latin1');
}
