// @ts-check
/** What lies in a folder, in a form that two folders can be compared by. Used by the demo, the bench and the tests. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';

/**
 * @typedef {object} TreeEntry
 * @property {'file' | 'folder' | 'link' | 'other'} type
 * @property {number} size bytes; 0 for what is not a file
 * @property {number} mode the nine permission bits
 * @property {number} mtimeMs last change, milliseconds since 1970
 * @property {string} sha256 of a file's content in hex; a link's target; otherwise empty
 */

/**
 * Every entry below `folder` under its path with forward slashes; links are not followed.
 *
 * @param {string} folder
 * @returns {Promise<Map<string, TreeEntry>>}
 */
export async function treeOf(folder) {
  /** @type {Map<string, TreeEntry>} */
  const tree = new Map();
  // By types: names alone are read through links.
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = found.map(({ parentPath, name }) => path.relative(folder, path.join(parentPath, name)));
  for (const name of names.sort()) {
    tree.set(name.split(path.sep).join('/'), await entryOf(path.join(folder, name)));
  }
  return tree;
}

/**
 * @param {string} file
 * @returns {Promise<TreeEntry>}
 */
export async function entryOf(file) {
  const stat = await lstat(file);
  const shared = { mode: stat.mode & 0o777, mtimeMs: stat.mtimeMs };
  if (stat.isFile()) return { type: 'file', size: stat.size, ...shared, sha256: await sha256Of(file) };
  if (stat.isSymbolicLink()) return { type: 'link', size: 0, ...shared, sha256: await readlink(file) };
  return { type: stat.isDirectory() ? 'folder' : 'other', size: 0, ...shared, sha256: '' };
}

/**
 * How `actual` differs from `expected`, one line per difference; empty when the trees are equal. Times may differ
 * by the millisecond that a transfer rounds to.
 *
 * @param {ReadonlyMap<string, TreeEntry>} expected
 * @param {ReadonlyMap<string, TreeEntry>} actual
 * @returns {string[]}
 */
export function differences(expected, actual) {
  const found = [];
  for (const [name, entry] of expected) {
    const other = actual.get(name);
    if (other === undefined) {
      found.push(`${name}: missing`);
      continue;
    }
    for (const key of /** @type {const} */ (['type', 'size', 'mode', 'sha256'])) {
      if (entry[key] !== other[key]) found.push(`${name}: ${key} is ${other[key]}, not ${entry[key]}`);
    }
    if (Math.abs(entry.mtimeMs - other.mtimeMs) > 1) {
      found.push(`${name}: last change is ${other.mtimeMs}, not ${entry.mtimeMs}`);
    }
  }
  for (const name of actual.keys()) if (!expected.has(name)) found.push(`${name}: not expected`);
  return found;
}

/** @param {string} file */
async function sha256Of(file) {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file)) hash.update(piece);
  return hash.digest('hex');
}
