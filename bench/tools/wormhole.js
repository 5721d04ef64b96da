// @ts-check
/** magic-wormhole and wormhole-william, with a mailbox and a transit relay on loopback. */
import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { both, freePort, isInstalled, listening, LOOPBACK, once, start } from '../measured.js';

const MAILBOX = 'wormhole-mailbox';
const TRANSIT = 'transitrelay';
const PACKAGES = 'python3-magic-wormhole-mailbox-server and magic-wormhole-transit-relay';
/** Where wormhole-william looks for its relay; no flag says otherwise. */
export const WILLIAMS_RELAY = 'transit.magic-wormhole.io';
const WILLIAMS_RELAY_PORT = 4001;

/** @param {string} folder for the mailbox @returns {import('./tool.js').Tool} */
export function magicWormhole(folder) {
  const servers = wormholeServers(path.join(folder, 'magic-wormhole'), []);
  let codes = 0;
  return {
    name: 'magic-wormhole',
    ...missing('wormhole', `magic-wormhole, ${PACKAGES}`),
    start: once(async () => servers.start(await freePort(), await freePort())),
    stop: servers.stop,
    async send(source, out) {
      const { mailbox, relay } = servers.addresses();
      const command = ['wormhole', '--relay-url', mailbox, '--transit-helper', relay];
      // A code given to both from the start: no time goes into telling it.
      const code = `${++codes}-bench-run`;
      const sender = start([...command, 'send', '--hide-progress', '--code', code, source]);
      return async () => {
        const accept = ['receive', '--hide-progress', '--accept-file', code];
        const [sent, received] = await both(sender, start([...command, ...accept], { cwd: out }));
        return { sender: sent, receiver: received };
      };
    },
  };
}

/**
 * @param {string} folder for the mailbox
 * @param {import('./tool.js').Place} place a network without a way out, where `WILLIAMS_RELAY` leads to loopback
 * @returns {import('./tool.js').Tool}
 */
export function wormholeWilliam(folder, place) {
  const servers = wormholeServers(path.join(folder, 'wormhole-william'), place.atSender);
  let codes = 0;
  return {
    name: 'wormhole-william',
    ...missing('wormhole-william', `wormhole-william, ${PACKAGES}`),
    start: once(async () => servers.start(await freePort(), WILLIAMS_RELAY_PORT)),
    stop: servers.stop,
    async send(source, out) {
      const command = [...place.atSender, 'wormhole-william', '--relay-url', servers.addresses().mailbox];
      const code = `${++codes}-bench-run`;
      const sender = start([...command, 'send', '--hide-progress', '--code', code, source]);
      return async () => {
        const accept = { cwd: out, input: 'y\n' };
        const receiver = start([...command, 'receive', '--hide-progress', code], accept);
        const [sent, received] = await both(sender, receiver);
        return { sender: sent, receiver: received };
      };
    },
  };
}

/** @param {string} program @param {string} packages */
function missing(program, packages) {
  return isInstalled(program) && hasServers() ? {} : { missing: `install ${packages}` };
}

/** twist3 comes with Twisted; the servers are its plugins, in packages of their own. */
function hasServers() {
  if (!isInstalled('twist3')) return false;
  const { stdout } = spawnSync('twist3', ['--help'], { encoding: 'utf8' });
  return [MAILBOX, TRANSIT].every((plugin) => stdout.includes(plugin));
}

/** @param {string} folder @param {readonly string[]} within what a command in their network begins with */
function wormholeServers(folder, within) {
  /** @type {import('../measured.js').Running[]} */
  const running = [];
  let ports = { mailbox: 0, relay: 0 };
  return {
    /** @param {number} mailbox @param {number} relay ports */
    async start(mailbox, relay) {
      await mkdir(folder, { recursive: true });
      ports = { mailbox, relay };
      for (const [plugin, port] of /** @type {const} */ ([
        [MAILBOX, mailbox],
        [TRANSIT, relay],
      ])) {
        const address = `--port=tcp:${port}:interface=${LOOPBACK}`;
        const server = start([...within, 'twist3', plugin, address], { cwd: folder });
        running.push(server);
        await listening(port, server, within);
      }
    },
    addresses: () => ({
      mailbox: `ws://${LOOPBACK}:${ports.mailbox}/v1`,
      relay: `tcp:${LOOPBACK}:${ports.relay}`,
    }),
    stop: () => {
      for (const server of running.splice(0)) server.stop();
    },
  };
}
