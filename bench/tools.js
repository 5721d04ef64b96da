// @ts-check
/** The programs that are compared, each with everything it needs on loopback and in a temporary folder. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import path from 'node:path';

const LOOPBACK = '127.0.0.1';
const PATIENCE_MS = 10_000;

/**
 * @typedef {object} Tool
 * @property {string} name
 * @property {string | undefined} missing what to install where it cannot run
 * @property {() => Promise<void>} start servers that run all the time
 * @property {(source: string, out: string) => Promise<void>} transfer resolves when all of it is in `out`
 * @property {() => void} stop
 */

/** @param {string} program @returns {Tool} */
export function xfer(program) {
  return {
    name: 'xfer',
    missing: existsSync(program) ? undefined : 'run `npm run build` first',
    start: async () => {},
    async transfer(source, out) {
      const address = `${LOOPBACK}:${await freePort()}`;
      const sender = run(process.execPath, [program, 'send', '--quiet', '--listen', address, source]);
      const code = await Promise.race([firstLine(sender.child), sender.ended.then(() => '')]);
      const flags = ['--quiet', '--yes', '--connect', address, '--out', out];
      const receiver = run(process.execPath, [program, 'receive', code, ...flags]);
      await both(sender, receiver);
    },
    stop: () => {},
  };
}

/** @param {string} folder for keys and settings @returns {Tool} */
export function scp(folder) {
  const sshd = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/bin/sshd'].find((file) => existsSync(file));
  const key = path.join(folder, 'user_key');
  const hostKey = path.join(folder, 'host_key');
  let port = 0;
  /** @type {Running | undefined} */
  let server;
  return {
    name: 'scp',
    missing:
      sshd !== undefined && isInstalled('scp')
        ? undefined
        : 'install OpenSSH with its server (openssh-server)',
    async start() {
      await mkdir(folder, { recursive: true });
      // Where root starts it, sshd wants this folder to be there.
      if (userInfo().uid === 0) await mkdir('/run/sshd', { recursive: true });
      for (const file of [key, hostKey])
        execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
      port = await freePort();
      const settings = {
        Port: port,
        ListenAddress: LOOPBACK,
        HostKey: hostKey,
        AuthorizedKeysFile: `${key}.pub`,
        PidFile: path.join(folder, 'sshd.pid'),
        PasswordAuthentication: 'no',
        PermitRootLogin: 'prohibit-password',
        StrictModes: 'no',
        UsePAM: 'no',
        Subsystem: 'sftp internal-sftp',
      };
      const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
      await writeFile(path.join(folder, 'sshd_config'), lines.join(''));
      server = run(sshd ?? '', ['-D', '-e', '-f', path.join(folder, 'sshd_config')]);
      await listening(port, server);
    },
    async transfer(source, out) {
      const options = [
        'StrictHostKeyChecking=no',
        `UserKnownHostsFile=${path.join(folder, 'known')}`,
        'IdentitiesOnly=yes',
      ];
      const flags = [
        '-q',
        '-r',
        '-F',
        'none',
        '-P',
        String(port),
        '-i',
        key,
        ...options.flatMap((each) => ['-o', each]),
      ];
      await run('scp', [...flags, source, `${userInfo().username}@${LOOPBACK}:${out}/`]).ended;
    },
    stop: () => server?.child.kill(),
  };
}

/** @param {string} folder for the mailbox @returns {Tool} */
export function wormhole(folder) {
  let codes = 0;
  /** @type {string[]} */
  let servers = [];
  /** @type {Running[]} */
  const running = [];
  return {
    name: 'magic-wormhole',
    missing:
      isInstalled('wormhole') && isInstalled('twist3')
        ? undefined
        : 'install magic-wormhole, python3-magic-wormhole-mailbox-server and magic-wormhole-transit-relay',
    async start() {
      await mkdir(folder, { recursive: true });
      const [mailbox, relay] = [await freePort(), await freePort()];
      for (const [plugin, port] of /** @type {const} */ ([
        ['wormhole-mailbox', mailbox],
        ['transitrelay', relay],
      ])) {
        const server = run('twist3', [plugin, `--port=tcp:${port}:interface=${LOOPBACK}`], folder);
        running.push(server);
        await listening(port, server);
      }
      servers = [
        '--relay-url',
        `ws://${LOOPBACK}:${mailbox}/v1`,
        '--transit-helper',
        `tcp:${LOOPBACK}:${relay}`,
      ];
    },
    async transfer(source, out) {
      // A code given to both from the start: no time goes into telling it.
      const code = `${++codes}-bench-run`;
      const sender = run('wormhole', [...servers, 'send', '--hide-progress', '--code', code, source]);
      const receiver = run(
        'wormhole',
        [...servers, 'receive', '--hide-progress', '--accept-file', code],
        out,
      );
      await both(sender, receiver);
    },
    stop: () => {
      for (const { child } of running) child.kill();
    },
  };
}

/** @typedef {ReturnType<typeof run>} Running */

/** @param {string} file @param {readonly string[]} args @param {string} [cwd] */
function run(file, args, cwd) {
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (printed += String(bytes)));
  const ended = once(child, 'close').then(([status]) => {
    if (status !== 0) throw new Error(`${path.basename(file)} ended with ${status}\n${printed}`);
  });
  // Whoever waits for it hears of it; a server that is stopped is none's business.
  ended.catch(() => {});
  return { child, ended };
}

/** Waits for two sides; where one fails, the other has nobody to wait for. @param {Running} one @param {Running} other */
async function both(one, other) {
  try {
    await Promise.all([one.ended, other.ended]);
  } finally {
    for (const { child } of [one, other]) child.kill();
  }
}

/** @param {Running['child']} child */
async function firstLine(child) {
  let text = '';
  while (!text.includes('\n')) text += String((await once(child.stdout, 'data'))[0]);
  return text.slice(0, text.indexOf('\n')).trim();
}

async function freePort() {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** @param {number} port @param {Running} server */
async function listening(port, server) {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    if (server.child.exitCode !== null) await server.ended;
    const socket = connect(port, LOOPBACK);
    const there = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (there) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** @param {string} program */
function isInstalled(program) {
  return (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .some((folder) => existsSync(path.join(folder, program)));
}
