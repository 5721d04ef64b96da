// @ts-check
/**
 * Sends a folder from one xfer process to another by code, over a private DHT on this machine, shows what both
 * people would see, and compares every file.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import createTestnet from 'hyperdht/testnet.js';
import { differences, treeOf } from './tree.js';

const TIMEOUT_MS = 28_000;
const MIB = 2 ** 20;

const root = path.dirname(import.meta.dirname);
const program = path.join(root, 'dist/cli/main.js');
const deadline = AbortSignal.timeout(TIMEOUT_MS);

const temporary = await mkdtemp(path.join(tmpdir(), 'xfer-demo-'));
// Fewer than four cannot tell a peer its address, and connections take some 20 s.
const dht = await createTestnet(6, { host: '127.0.0.1' });
/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
try {
  await demonstrate();
} catch (error) {
  console.error(deadline.aborted ? `demo: not done after ${TIMEOUT_MS / 1000} s` : error);
  process.exitCode = 1;
} finally {
  for (const child of running) child.kill('SIGKILL');
  await dht.destroy();
  await rm(temporary, { recursive: true, force: true });
}

async function demonstrate() {
  const folder = path.join(temporary, 'from', 'my project');
  const out = path.join(temporary, 'to');
  await mkdir(out);
  await fill(folder);

  const sender = start('sender', ['send', folder]);
  const code = await sender.code;
  const startedMs = performance.now();
  const receiver = start('receiver', ['receive', code, '--yes', '--out', out]);
  const statuses = await Promise.all([sender.exit, receiver.exit]);
  const elapsedS = (performance.now() - startedMs) / 1000;

  if (statuses.some((status) => status !== 0)) throw new Error(`exit statuses ${statuses.join(' and ')}`);
  const sent = await treeOf(path.dirname(folder));
  const found = differences(sent, await treeOf(out));
  if (found.length > 0) throw new Error(`what arrived differs:\n${found.join('\n')}`);

  const files = [...sent.values()].filter(({ type }) => type === 'file');
  const mib = files.reduce((sum, { size }) => sum + size, 0) / MIB;
  console.log(
    `demo: ${files.length} files, ${mib.toFixed(1)} MiB, every name, mode, time and digest equal; ` +
      `${elapsedS.toFixed(1)} s from the command to the end, ${(mib / elapsedS).toFixed(0)} MiB/s`,
  );
}

/** @param {string} folder */
async function fill(folder) {
  await cp(path.join(root, 'src'), path.join(folder, 'sources'), { recursive: true });
  await mkdir(path.join(folder, 'empty folder'));
  await writeFile(path.join(folder, 'empty file'), '');
  await writeFile(path.join(folder, 'crème brûlée für Zoë.txt'), 'a name with spaces and accents\n');
  await writeFile(path.join(folder, 'random.bin'), randomBytes(64 * MIB));
}

/**
 * Starts the program as a person on another machine would: with a home and a DHT of its own.
 *
 * @param {string} who
 * @param {readonly string[]} args
 */
function start(who, args) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('XFER_'));
  const child = spawn(process.execPath, [program, ...args], {
    cwd: temporary,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: deadline,
    killSignal: 'SIGKILL',
    env: {
      ...Object.fromEntries(inherited),
      XFER_HOME: path.join(temporary, `home of ${who}`),
      XFER_BOOTSTRAP: dht.bootstrap.map(({ host, port }) => `${host}:${port}`).join(','),
      XFER_LAN: 'off',
    },
  });
  running.add(child);
  console.log(`${who.padEnd(8)} $ xfer ${args.join(' ')}`);
  const stdout = createInterface(child.stdout);
  for (const lines of [stdout, createInterface(child.stderr)]) {
    lines.on('line', (line) => console.log(`${who.padEnd(8)} | ${line}`));
  }
  const exit = once(child, 'close').then(([status]) => {
    running.delete(child);
    return /** @type {number | null} */ (status);
  });
  const code = new Promise((resolve, reject) => {
    stdout.on('line', (line) => {
      const found = /\b\d{1,6}(-[a-z]{3,8}){2,}\b/.exec(line);
      if (found !== null) resolve(found[0]);
    });
    exit.then((status) => reject(new Error(`${who} ended with ${status} before it showed a code`)), reject);
  });
  // Only of a host it is asked.
  code.catch(() => {});
  return { exit, code: /** @type {Promise<string>} */ (code) };
}
