// @ts-check
/** What ran where: the machine and the versions of the programs. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { cpus, freemem, release, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { isInstalled } from './measured.js';

/** What each program says of its version. @type {Readonly<Record<string, readonly string[]>>} */
const VERSIONS = {
  socat: ['socat', '-V'],
  OpenSSH: ['ssh', '-V'],
  rsync: ['rsync', '--version'],
  'magic-wormhole': ['wormhole', '--version'],
  'wormhole-william': ['wormhole-william', '--version'],
  croc: ['croc', '--version'],
};
const TMPFS = 0x01021994;
/** How the kernel's TCP finds out what a line carries. */
const CONGESTION = '/proc/sys/net/ipv4/tcp_congestion_control';

/**
 * @param {string} folder where files are read and written
 * @returns {Record<string, string>}
 */
export function describeMachine(folder) {
  const processors = cpus();
  const isMemory = statfsSync(folder).type === TMPFS;
  return {
    processors: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}`,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    system: `${process.platform} ${release()} ${process.arch}`,
    ...(existsSync(CONGESTION) ? { TCP: readFileSync(CONGESTION, 'utf8').trim() } : {}),
    files: isMemory ? 'in memory (tmpfs)' : 'on a disk',
    date: new Date().toISOString().slice(0, 10),
  };
}

/**
 * @param {string} root the project's folder
 * @returns {Record<string, string>}
 */
export function versions(root) {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  /** @type {Record<string, string>} */
  const found = { xfer: version, node: process.version };
  for (const [name, [program = '', ...args]] of Object.entries(VERSIONS)) {
    if (!isInstalled(program)) continue;
    const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    const number = /\d+\.\d+[\w.]*/.exec(stdout + stderr);
    if (number !== null) found[name] = number[0];
  }
  return found;
}

/**
 * A folder for `bytes`: in memory where there is room, so that the programs are measured and not the disk.
 *
 * @param {number} bytes
 */
export function roomyFolder(bytes) {
  const memory = '/dev/shm';
  if (!existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  // What lies there takes memory that the programs need too.
  return Math.min(bavail * bsize, freemem() / 2) >= bytes ? memory : tmpdir();
}
