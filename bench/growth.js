// @ts-check
/** How the cost of a transfer grows with the bytes and with the files. */
import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { figure, mebibytes, median, medianKnown, sizeName, table } from './statistics.js';
import { describeMachine, roomyFolder } from './machine.js';
import { writeRandomFile } from './material.js';
import { loopback } from './networks.js';
import { inTurn } from './rounds.js';
import { Xfer } from './tools/xfer.js';

const MIB = 2 ** 20;
const SMALL_BYTES = 1024;
const FILES_IN_FOLDER = 1_000;
/** What a small file takes on a file system. */
const BLOCK_BYTES = 5 * 1024;

const SIZES = [1, 10, 100, 1024, 10 * 1024].map((mib) => mib * MIB);
const COUNTS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

/**
 * @typedef {object} Step
 * @property {string} title
 * @property {string} where the files are
 * @property {number} bytes
 * @property {number} files
 * @property {import('./rounds.js').Round[]} rounds
 */

/**
 * @typedef {object} GrowthOptions
 * @property {number} mostBytes
 * @property {number} mostFiles
 * @property {number} runs
 * @property {string} program
 * @property {string | undefined} dir
 * @property {(step: Step) => Promise<void>} onStep
 */

/** @param {GrowthOptions} options @returns {Promise<Step[]>} */
export async function growth({ mostBytes, mostFiles, runs, program, dir, onStep }) {
  const sizes = SIZES.filter((size) => size <= mostBytes).map((size) => ({
    title: `1 file of ${sizeName(size)}`,
    bytes: size,
    files: 1,
    room: 2 * size,
    write: (/** @type {string} */ target) => writeRandomFile(target, size),
  }));
  const counts = COUNTS.filter((count) => count <= mostFiles).map((count) => ({
    title: `${count.toLocaleString('en')} ${count === 1 ? 'file' : 'files'} of ${sizeName(SMALL_BYTES)}`,
    bytes: count * SMALL_BYTES,
    files: count,
    room: 2 * count * BLOCK_BYTES,
    write: (/** @type {string} */ target) => writeSmallFiles(target, count),
  }));
  /** @type {Step[]} */
  const steps = [];
  for (const { title, bytes, files, room, write } of [...sizes, ...counts]) {
    const folder = await mkdtemp(path.join(dir ?? roomyFolder(room), 'xfer-growth-'));
    try {
      const source = path.join(folder, 'from', 'material');
      await mkdir(path.dirname(source));
      await write(source);
      const [result] = await inTurn({
        tools: [new Xfer(program, folder).tool({ name: 'xfer', place: loopback })],
        source,
        bytes,
        out: path.join(folder, 'to'),
        runs,
        clock: 'sender',
      });
      const where = describeMachine(folder)['files'] ?? '';
      const step = { title, where, bytes, files, rounds: result?.rounds ?? [] };
      steps.push(step);
      await onStep(step);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  return steps;
}

/** @param {readonly Step[]} steps */
export function growthTable(steps) {
  const head = ['what', 's', 'MiB/s', 'CPU s, both sides', 'memory MiB, both sides', 'files lie'];
  const rows = steps.map(({ title, where, bytes, rounds }) => {
    const seconds = median(rounds.map(({ elapsedS }) => elapsedS));
    const of = (/** @type {'cpuS' | 'peakBytes'} */ key) => [
      medianKnown(rounds.map(({ sender }) => sender[key])),
      medianKnown(rounds.map(({ receiver }) => receiver?.[key])),
    ];
    return [
      title,
      figure(seconds),
      figure(bytes / MIB / seconds),
      of('cpuS').map(figure).join(' + '),
      of('peakBytes').map(mebibytes).join(' + '),
      where,
    ];
  });
  return table(head, rows, [0, 5]);
}

/** With calls that wait: a million of them take minutes otherwise. @param {string} folder @param {number} count */
async function writeSmallFiles(folder, count) {
  for (let first = 0; first < count; first += FILES_IN_FOLDER) {
    const inFolder = path.join(folder, String(first));
    await mkdir(inFolder, { recursive: true });
    for (let number = first; number < Math.min(first + FILES_IN_FOLDER, count); number++) {
      writeFileSync(path.join(inFolder, `${number - first}.txt`), smallText(number));
    }
  }
}

/** Different in every file. @param {number} number */
function smallText(number) {
  return `${number} `.repeat(SMALL_BYTES).slice(0, SMALL_BYTES);
}
