// @ts-check
/**
 * How long xfer needs, and how long others need for the same on the same machine. See README.md beside this file.
 *
 *     npm run bench -- [--runs N] [--quick] [--dir FOLDER]
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { treeOf } from '../scripts/tree.js';
import { writeRandomFile, writeTree } from './material.js';
import { scp, wormhole, xfer } from './tools.js';

const MIB = 2 ** 20;

const { values } = parseArgs({
  options: {
    runs: { type: 'string' },
    quick: { type: 'boolean', default: false },
    dir: { type: 'string', default: tmpdir() },
  },
});
const runs = Number(values.runs ?? (values.quick ? 1 : 5));
if (!Number.isSafeInteger(runs) || runs < 1) throw new Error('--runs takes a number from 1');
const program = path.resolve(import.meta.dirname, '../dist/cli/main.js');
const temporary = await mkdtemp(path.join(values.dir, 'xfer-bench-'));
try {
  console.log(`node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`);
  await compare(
    values.quick ? 'random file, 128 MiB' : 'random file, 1 GiB',
    (folder) => writeRandomFile(path.join(folder, 'random.bin'), values.quick ? 128 * MIB : 1024 * MIB),
    'random.bin',
    scp(path.join(temporary, 'ssh')),
  );
  await compare(
    values.quick ? 'tree of 1,000 files, 10 MB' : 'tree of 10,000 files, 101 MB',
    (folder) =>
      values.quick
        ? writeTree(path.join(folder, 'tree'), 1_000, 1e7)
        : writeTree(path.join(folder, 'tree'), 10_000, 101e6),
    'tree',
    wormhole(path.join(temporary, 'wormhole')),
  );
} finally {
  await rm(temporary, { recursive: true, force: true });
}

/**
 * Transfers the same by both, in turn, so that what else the machine does meets both.
 *
 * @param {string} title
 * @param {(folder: string) => Promise<void>} write
 * @param {string} name of what `write` makes
 * @param {import('./tools.js').Tool} other
 */
async function compare(title, write, name, other) {
  const from = path.join(temporary, 'from');
  await mkdir(from);
  await write(from);
  const expected = contentOf(await treeOf(from));
  const bytes = [...expected.values()].reduce((sum, { size }) => sum + size, 0);
  console.log(`\n${title}, over TCP on loopback, ${runs} ${runs === 1 ? 'run' : 'runs'} each`);

  const tools = [xfer(program), other].filter(({ name: tool, missing }) => {
    if (missing !== undefined) console.log(`  ${tool} is skipped: ${missing}`);
    return missing === undefined;
  });
  /** @type {Map<string, number[]>} */
  const seconds = new Map(tools.map((tool) => [tool.name, []]));
  try {
    for (const tool of tools) await tool.start();
    for (let run = 0; run < runs; run++) {
      for (const tool of tools)
        seconds.get(tool.name)?.push(await time(tool, path.join(from, name), expected));
    }
  } finally {
    for (const tool of tools) tool.stop();
  }
  for (const [tool, times] of seconds) {
    const range = `${Math.min(...times).toFixed(2)} to ${Math.max(...times).toFixed(2)}`;
    const speed = (bytes / MIB / median(times)).toFixed(0);
    console.log(`  ${tool.padEnd(15)} median ${median(times).toFixed(2)} s (${range}), ${speed} MiB/s`);
  }
  const [ours, theirs] = tools.map((tool) => median(seconds.get(tool.name) ?? []));
  if (ours !== undefined && theirs !== undefined) {
    console.log(`  xfer needs ${(ours / theirs).toFixed(2)} of the time of ${other.name}`);
  }
  await rm(from, { recursive: true });
}

/**
 * Seconds from the first command to the end of the last, with what arrived compared.
 *
 * @param {import('./tools.js').Tool} tool
 * @param {string} source
 * @param {ReadonlyMap<string, object>} expected
 */
async function time(tool, source, expected) {
  const out = path.join(temporary, 'to');
  await mkdir(out);
  const startMs = performance.now();
  await tool.transfer(source, out);
  const elapsedMs = performance.now() - startMs;
  const arrived = contentOf(await treeOf(out));
  const isEqual = JSON.stringify([...arrived]) === JSON.stringify([...expected]);
  if (!isEqual) throw new Error(`${tool.name}: what arrived differs from what was sent`);
  await rm(out, { recursive: true });
  return elapsedMs / 1000;
}

/**
 * Names, sizes and digests only: not every tool keeps modes and times.
 *
 * @param {ReadonlyMap<string, import('../scripts/tree.js').TreeEntry>} tree
 */
function contentOf(tree) {
  return new Map([...tree].map(([name, { type, size, sha256 }]) => [name, { type, size, sha256 }]));
}

/** @param {readonly number[]} times */
function median(times) {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}
