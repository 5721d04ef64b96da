// @ts-check
/**
 * Feeds inputs to everything in targets.ts, for as long as it is told to, and keeps those that reach code which none before reached.
 *
 *     npm run fuzz -- [--seconds 60] [--only record]
 *
 * What is kept lies in `fuzz/corpus`, one file for each input; the unit tests read all of it. An input that finds a bug is kept as well.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect, parseArgs } from 'node:util';
import fc from 'fast-check';
import { build } from 'rolldown';

const ROOT = path.dirname(import.meta.dirname);
const CORPUS = path.join(import.meta.dirname, 'corpus');
/** To ask what was reached takes as long as some thousand inputs. */
const BATCH = 2_000;
const MOST_BYTES = 4_096;
/** Where numbers of several bytes have their limits. */
const EDGES = [
  '00',
  '7f',
  '80',
  'ff',
  '8000',
  'ff01',
  'ffffffff0f',
  'ffffffffffffff0f',
  '8080808080808010',
  'ffffffffffffffffff01',
];

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, only: { type: 'string' } },
});
const seconds = Number(values.seconds);

const cache = path.join(ROOT, 'node_modules/.cache');
await mkdir(cache, { recursive: true });
const folder = await mkdtemp(path.join(cache, 'fuzz-'));
const inspector = new Session();
let failed = 0;
try {
  await build({
    cwd: ROOT,
    input: { targets: 'fuzz/targets.ts' },
    platform: 'node',
    external: (id) => !id.startsWith('.') && !path.isAbsolute(id),
    output: { dir: folder },
    logLevel: 'warn',
  });
  inspector.connect();
  await inspector.post('Profiler.enable');
  await inspector.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const { TARGETS, bugIn, seedsOf } = /** @type {typeof import('./targets.js')} */ (
    await import(pathToFileURL(path.join(folder, 'targets.js')).href)
  );
  const names = Object.keys(TARGETS).filter((name) => values.only === undefined || name === values.only);
  if (names.length === 0) throw new Error(`--only takes one of: ${Object.keys(TARGETS).join(', ')}`);
  for (const name of names) {
    const target = TARGETS[name];
    if (target === undefined) continue;
    const forS = seconds / names.length;
    await fuzz(name, (input) => bugIn(target, input), seedsOf, forS);
  }
} finally {
  inspector.disconnect();
  await rm(folder, { recursive: true, force: true });
}
if (failed > 0) process.exitCode = 1;

/**
 * @param {string} name
 * @param {(input: Buffer) => Promise<unknown>} look
 * @param {(name: string) => Buffer[]} seedsOf
 * @param {number} forS
 */
async function fuzz(name, look, seedsOf, forS) {
  const own = path.join(CORPUS, name);
  await mkdir(own, { recursive: true });
  /** @type {Buffer[]} */
  const kept = [];
  for (const file of await readdir(own)) kept.push(await readFile(path.join(own, file)));
  const seeds = kept.length === 0 ? seedsOf(name) : [];
  const known = new Set();
  let executions = 0;
  let bugs = 0;

  /** Runs inputs, and gives what they reach that nothing before did. @param {readonly Buffer[]} inputs */
  const run = async (inputs) => {
    await reached();
    for (const input of inputs) {
      if (bugs > 0) break;
      executions += 1;
      const bug = await look(input);
      if (bug === undefined) continue;
      bugs += 1;
      console.log(`${name}: ${bug instanceof Error ? bug.message : inspect(bug)}\n  ${await keep(input)}`);
    }
    return [...(await reached())].filter((place) => !known.has(place));
  };
  /** @param {Buffer} input */
  const keep = async (input) => {
    const file = path.join(own, createHash('sha256').update(input).digest('hex').slice(0, 16));
    await writeFile(file, input);
    return file;
  };
  /** Finds the inputs that reach something new by halves. @param {readonly Buffer[]} inputs @returns {Promise<void>} */
  const sift = async (inputs) => {
    if (inputs.length === 0) return;
    const places = await run(inputs);
    if (places.length === 0) return;
    const [only] = inputs;
    if (inputs.length === 1 && only !== undefined) {
      for (const place of places) known.add(place);
      kept.push(only);
      await keep(only);
      return;
    }
    const half = Math.ceil(inputs.length / 2);
    await sift(inputs.slice(0, half));
    await sift(inputs.slice(half));
  };

  for (const place of await run(kept)) known.add(place);
  await sift(seeds);
  const endMs = performance.now() + forS * 1000;
  while (performance.now() < endMs && bugs === 0) {
    const fresh = fc
      .sample(fc.uint8Array({ maxLength: MOST_BYTES, size: 'max' }), BATCH / 20)
      .map((bytes) => Buffer.from(bytes));
    const changed = Array.from({ length: BATCH - fresh.length }, () =>
      changedFrom(kept.length > 0 ? kept : fresh),
    );
    await sift([...fresh, ...changed]);
  }
  failed += bugs;
  console.log(
    `${name}: ${executions} executions, ${kept.length} inputs kept, ${known.size} places reached, ${bugs} bugs`,
  );
}

/** The blocks of our code that ran since it was asked last. */
async function reached() {
  const { result } = await inspector.post('Profiler.takePreciseCoverage');
  const places = new Set();
  for (const { url, functions } of result) {
    if (!url.startsWith(pathToFileURL(folder).href)) continue;
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges)
        if (count > 0) places.add(`${startOffset}-${endOffset}`);
    }
  }
  return places;
}

/** An input that is like one of them. @param {readonly Buffer[]} inputs */
function changedFrom(inputs) {
  let bytes = Buffer.from(oneOf(inputs));
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const at = below(bytes.length + 1);
    const length = below(16);
    switch (below(6)) {
      case 0:
        bytes[at] = below(256);
        break;
      case 1:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      case 3:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from(fc.sample(fc.uint8Array({ maxLength: 16 }), 1)[0] ?? []),
          bytes.subarray(at),
        ]);
        break;
      case 4: {
        const other = oneOf(inputs);
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(below(other.length + 1))]);
        break;
      }
      default:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from(oneOf(EDGES), 'hex'),
          bytes.subarray(at + length),
        ]);
    }
  }
  return bytes.subarray(0, MOST_BYTES);
}

/** @template T @param {readonly T[]} list @returns {T} */
function oneOf(list) {
  const one = list[below(list.length)];
  if (one === undefined) throw new Error('nothing to choose from');
  return one;
}

/** @param {number} limit */
function below(limit) {
  return Math.floor(Math.random() * limit);
}
