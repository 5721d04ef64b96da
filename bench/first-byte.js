// @ts-check
/**
 * How long the second side waits: from the start of its process to the first byte that it writes, a private DHT on
 * loopback between two whole processes, and nothing of it warm.
 *
 *     node bench/first-byte.js [--runs 15]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import createTestnet from 'hyperdht/testnet.js';
import { figure, median } from './statistics.js';

const GOAL_S = 0.6;
const PROGRAM = path.resolve(import.meta.dirname, '../dist/cli/main.js');

const { values } = parseArgs({ options: { runs: { type: 'string', default: '15' } } });
const folder = await mkdtemp(path.join(tmpdir(), 'xfer-first-byte-'));
// With fewer than four hyperdht cannot find out how its own address looks from outside.
const testnet = await createTestnet(6, { host: '127.0.0.1' });
/** @type {number[]} */
const seconds = [];
try {
  for (let run = 0; run < Number(values.runs); run++) seconds.push(await firstByte());
} finally {
  await testnet.destroy();
  await rm(folder, { recursive: true, force: true });
}
console.log(
  `start of the receiver to its first byte: median ${figure(median(seconds))} s, ` +
    `${figure(Math.min(...seconds))} to ${figure(Math.max(...seconds))} s in ${seconds.length} runs (goal: under ${GOAL_S} s)`,
);

/** In seconds. */
async function firstByte() {
  const sender = xfer('send', '--quiet', '-');
  const [code] = /** @type {[string]} */ (await once(createInterface(sender.stdout), 'line'));
  sender.stdin.end('the first of them');
  // Whoever is told a code takes a moment to type it: the sender has been found by then.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const startedMs = performance.now();
  const receiver = xfer('receive', '--quiet', '--yes', '--stdout', code);
  receiver.stdin.end();
  await once(receiver.stdout, 'data');
  const elapsedS = (performance.now() - startedMs) / 1e3;
  for (const side of [sender, receiver]) {
    if (side.exitCode === null) await once(side, 'exit');
    if (side.exitCode !== 0) throw new Error('a side failed');
  }
  return elapsedS;
}

/** @param {readonly string[]} args */
function xfer(...args) {
  return spawn(process.execPath, [PROGRAM, ...args], {
    env: {
      PATH: process.env['PATH'],
      XFER_HOME: folder,
      XFER_BOOTSTRAP: testnet.bootstrap.map(({ host, port }) => `${host}:${port}`).join(),
      XFER_LAN: 'off',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}
