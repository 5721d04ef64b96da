// @ts-check
/** What is transferred: the same bytes in every run on every machine. */
import { createHash } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { logLines } from './log-text.js';

const PIECE_BYTES = 2 ** 23;
const WORDS =
  'the of a to and in code file key is that it for was on are with line as be return const if name'.split(
    ' ',
  );

/** Bytes that do not compress. @param {string} seed @param {number} length */
function noise(seed, length) {
  return createHash('shake256', { outputLength: length }).update(seed).digest();
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). @param {number} seed */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * One file that does not compress.
 *
 * @param {string} file
 * @param {number} bytes
 */
export async function writeRandomFile(file, bytes) {
  const handle = await open(file, 'wx');
  for (let offset = 0; offset < bytes; offset += PIECE_BYTES) {
    await handle.write(noise(`random file ${offset}`, Math.min(PIECE_BYTES, bytes - offset)));
  }
  await handle.close();
}

/**
 * One file of web server log, cut where it is long enough.
 *
 * @param {string} file
 * @param {number} bytes
 */
export async function writeLogFile(file, bytes) {
  const handle = await open(file, 'wx');
  const lines = logLines(random(20_000));
  let left = bytes;
  while (left > 0) {
    /** @type {string[]} */
    const piece = [];
    for (let length = 0; length < Math.min(PIECE_BYTES, left);) {
      const line = lines.next().value;
      piece.push(line);
      length += line.length;
    }
    const text = Buffer.from(piece.join(''), 'latin1').subarray(0, left);
    await handle.write(text);
    left -= text.length;
  }
  await handle.close();
}

/**
 * A tree of small files, a hundred in each folder: sizes spread over four powers of ten, half of the files text
 * and half noise, as in a project with its pictures.
 *
 * @param {string} folder
 * @param {number} count
 * @param {number} bytes in all
 */
export async function writeTree(folder, count, bytes) {
  const next = random(10_000);
  const weights = Array.from({ length: count }, () => 10 ** (1 + 4 * next() ** 1.5));
  const scale = bytes / weights.reduce((sum, weight) => sum + weight, 0);
  for (const [number, weight] of weights.entries()) {
    const inFolder = path.join(folder, `part ${Math.floor(number / 100)}`);
    if (number % 100 === 0) await mkdir(inFolder, { recursive: true });
    const size = Math.round(weight * scale);
    const content = number % 2 === 0 ? prose(size, next) : noise(`file ${number}`, size);
    await writeFile(path.join(inFolder, `${number}.${number % 2 === 0 ? 'txt' : 'bin'}`), content);
  }
}

/** @param {number} size @param {() => number} next */
function prose(size, next) {
  let text = '';
  while (text.length < size)
    text += `${WORDS[Math.floor(next() * WORDS.length)]}${next() < 0.1 ? '\n' : ' '}`;
  return text.slice(0, size);
}
