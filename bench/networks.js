// @ts-check
/** Places to run programs in: this machine's loopback, and networks of our own where root may make them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { userInfo } from 'node:os';
import { freePort, isInstalled, LOOPBACK, start } from './measured.js';

/** @typedef {import('./tools/tool.js').Place} Place */

/** What a tbf lets through at once: as little as one timer tick of the kernel needs at the rates here. */
const BURST_BYTES = 32 * 1024;
/** How long a packet waits in the queue of a line at most, before it is dropped. */
const QUEUE_MS = 100;
/** What the kernel keeps for the ends of a far line while they are busy. */
const SOCKET_BUFFER_BYTES = 2 ** 22;

/** @type {Place} */
export const loopback = { address: LOOPBACK, atSender: [], atReceiver: [], remove: () => {} };

let made = 0;

/** Why this machine cannot have networks of our own; `undefined` where it can. */
export function whyNoNetworks() {
  if (process.platform !== 'linux') return 'needs the network namespaces of Linux';
  if (userInfo().uid !== 0) return 'needs root, for network namespaces';
  return isInstalled('ip') && isInstalled('tc') ? undefined : 'install iproute2';
}

/** Why there can be no `farLine`. */
export function whyNoFarLine() {
  if (!existsSync('/dev/net/tun')) return 'needs /dev/net/tun';
  return whyNoNetworks() ?? (isInstalled('socat') ? undefined : 'install socat');
}

/**
 * A network that ends at its own loopback: for programs that look for servers of theirs on the internet whatever
 * they are told.
 *
 * @param {readonly string[]} [names] that lead to loopback there
 * @returns {Place}
 */
export function island(names = []) {
  const [name] = namespaces('island');
  const within = ['ip', 'netns', 'exec', name];
  const folder = path.join('/etc/netns', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'hosts'), `${LOOPBACK} localhost ${names.join(' ')}\n`);
  return {
    address: LOOPBACK,
    atSender: within,
    atReceiver: within,
    remove() {
      removeNamespaces(name);
      rmSync(folder, { recursive: true });
    },
  };
}

/**
 * Two machines on a line that carries `mbit` Mbit/s in each direction, headers of IP and TCP included.
 *
 * @param {number} mbit
 * @returns {Place}
 */
export function slowLine(mbit) {
  const names = namespaces('sender', 'receiver');
  const [sender, receiver] = names;
  ip(
    'link',
    'add',
    'name',
    'line',
    'netns',
    sender,
    'type',
    'veth',
    'peer',
    'name',
    'line',
    'netns',
    receiver,
  );
  for (const [index, name] of names.entries()) {
    join(name, 'line', index);
    const queue = ['tbf', 'rate', `${mbit}mbit`, 'burst', String(BURST_BYTES), 'latency', `${QUEUE_MS}ms`];
    execFileSync('tc', ['-n', name, 'qdisc', 'add', 'dev', 'line', 'root', ...queue]);
  }
  return placeOf(sender, receiver, () => {});
}

/**
 * Two machines on a line that carries `mbit` Mbit/s and needs `delayMs` in each direction. Every packet of theirs,
 * TCP or UDP, goes through a process of its own (`delay-line.js`): the kernels here need not know netem.
 *
 * @param {number} mbit
 * @param {number} delayMs
 * @returns {Promise<Place>}
 */
export async function farLine(mbit, delayMs) {
  const names = namespaces('sender', 'receiver');
  const ports = [await freePort(), await freePort()];
  const forwarder = start([
    ...[process.execPath, path.join(import.meta.dirname, 'delay-line.js'), '--udp', ports.join()],
    ...['--mbit', String(mbit), '--delay', String(delayMs)],
  ]);
  const running = [forwarder];
  const remove = () => {
    for (const program of running) program.stop();
  };
  try {
    /** @type {number[]} */
    const entrances = JSON.parse(await forwarder.firstLine());
    for (const [index, name] of names.entries()) {
      const tunnel = `xb${process.pid}-${index}`;
      // A tunnel made here can be moved into the namespace while socat keeps its end outside.
      const socket = `UDP:${LOOPBACK}:${entrances[index]},bind=${LOOPBACK}:${ports[index]},rcvbuf=${SOCKET_BUFFER_BYTES}`;
      running.push(start(['socat', '-b', '65536', `TUN,iff-no-pi,tun-name=${tunnel}`, socket]));
      await until(() => existsSync(`/sys/class/net/${tunnel}`));
      ip('link', 'set', 'dev', tunnel, 'netns', name, 'name', 'line', 'mtu', '1400');
      join(name, 'line', index);
    }
    return placeOf(names[0], names[1], remove);
  } catch (error) {
    remove();
    removeNamespaces(...names);
    throw error;
  }
}

/** @param {string} sender @param {string} receiver @param {() => void} also @returns {Place} */
function placeOf(sender, receiver, also) {
  return {
    address: addressOf(0),
    atSender: ['ip', 'netns', 'exec', sender],
    atReceiver: ['ip', 'netns', 'exec', receiver],
    remove() {
      also();
      removeNamespaces(sender, receiver);
    },
  };
}

/** @template {string[]} Names @param {Names} names @returns {Names} */
function namespaces(...names) {
  made += 1;
  const full = names.map((name) => `xfer-bench-${process.pid}-${made}-${name}`);
  for (const name of full) {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  return /** @type {Names} */ (full);
}

/** @param {readonly string[]} names */
function removeNamespaces(...names) {
  for (const name of names) ip('netns', 'del', name);
}

/** @param {string} name @param {string} device @param {number} index */
function join(name, device, index) {
  ip('-n', name, 'addr', 'add', `${addressOf(index)}/24`, 'dev', device);
  ip('-n', name, 'link', 'set', device, 'up');
}

/** @param {number} index */
function addressOf(index) {
  return `10.73.1.${index + 1}`;
}

/** @param {readonly string[]} args */
function ip(...args) {
  execFileSync('ip', args);
}

/** @param {() => boolean} condition */
async function until(condition) {
  const deadlineMs = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error('no tunnel appeared');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
