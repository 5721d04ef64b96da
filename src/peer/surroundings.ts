/** What this machine's network lets through, found out by trying, without anybody to meet. */
import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import b4a from 'b4a';
import type { Topic } from '../crypto/code.js';
import { loadHashing } from '../crypto/sodium.js';
import { toXferError, type ErrorCode } from '../errors.js';
import { atMost } from '../transfer/deadline.js';
import { isLinkLocal } from './address.js';
import { Admission } from './admission.js';
import { listen } from './direct.js';
import { openDiscreetDht, type Bootstrap } from './discreet-dht.js';
import { interfaceAddresses, interfacesNow } from './interfaces.js';
import type { Proxy } from './proxy.js';
import { connected } from './socket.js';

/** What stands between this machine and the DHT: nothing, a router that keeps the port of a socket, or one that draws a new one each time. */
export type NatKind = 'none' | 'consistent' | 'random' | 'unknown';

export interface DhtAnswer {
  readonly isReachable: boolean;
  /** Until it answered, or was given up. */
  readonly afterMs: number;
  readonly nat: NatKind;
  /** The address by which it sees this machine. */
  readonly seenAs: string | undefined;
  /** Keys of the relays that answered. */
  readonly relays: readonly string[];
}

export interface NetworkInterface {
  readonly name: string;
  /** A tunnel, or a network between this machine and what runs on it; by its name, which is all there is to see. */
  readonly kind: 'network' | 'vpn' | 'virtual';
  readonly addresses: readonly string[];
}

/** As long as a transfer waits for a DHT. */
const DHT_MS = 8_000;
/** An introduction and a handshake. */
const RELAY_MS = 3_000;
/** Questions to nodes, each of which says what it sees of us, until hyperdht knows. */
const SAMPLE_MS = 1_500;
const SAMPLE_EVERY_MS = 50;
/** Long enough to hear oneself. */
const HEAR_MS = 1_000;
const PROXY_MS = 4_000;
const LEAVE_MS = 500;

const VPN = /^(tun|tap|wg|utun|ppp|ipsec|tailscale|zt|nordlynx|proton|mullvad)/i;
const VIRTUAL =
  /^(docker|br-|veth|virbr|vmnet|vboxnet|vethernet|lxc|lxd|incusbr|cni|podman|cali|flannel|bridge\d)/i;

/** Those that lead out of this machine. */
export function surveyInterfaces(
  all: NodeJS.Dict<readonly { readonly address: string; readonly internal: boolean }[]> = interfacesNow() ??
    {},
): NetworkInterface[] {
  return Object.entries(all).flatMap(([name, infos = []]) => {
    const addresses = infos.filter(({ internal }) => !internal).map(({ address }) => address);
    if (addresses.length === 0) return [];
    // What people know it by comes first.
    addresses.sort((a, b) => Number(isLinkLocal(a)) - Number(isLinkLocal(b)));
    const kind = VPN.test(name) ? 'vpn' : VIRTUAL.test(name) ? 'virtual' : 'network';
    return [{ name, kind, addresses }];
  });
}

/** Joins a DHT, asks it how it sees this machine, and knocks at the relays. Takes 13 s at most; never rejects. */
export async function askDht(bootstrap: Bootstrap, relays: readonly string[]): Promise<DhtAnswer> {
  const startedMs = performance.now();
  const dht = openDiscreetDht({ bootstrap, relays });
  try {
    await atMost(DHT_MS, dht.fullyBootstrapped());
    const isReachable = dht.nodes.length > 0 || dht.host !== null;
    const afterMs = performance.now() - startedMs;
    if (!isReachable) return { isReachable, afterMs, nat: 'unknown', seenAs: undefined, relays: [] };
    const answering = Promise.all(relays.map(async (key) => (await answers(dht, key)) && key));
    await lookAtUs(dht);
    const found = (await answering).filter((key) => key !== false);
    return { isReachable, afterMs, nat: natOf(dht), seenAs: dht.host ?? undefined, relays: found };
  } finally {
    await atMost(LEAVE_MS, dht.destroy({ force: true }));
  }
}

type Dht = ReturnType<typeof openDiscreetDht>;

/** Every answer to a question says from where it came. */
async function lookAtUs(dht: Dht): Promise<void> {
  for (let waitedMs = 0; dht.host === null && waitedMs < SAMPLE_MS; waitedMs += SAMPLE_EVERY_MS) {
    await atMost(SAMPLE_MS, dht.lookup(randomBytes(32)).finished());
    await sleep(SAMPLE_EVERY_MS);
  }
}

function natOf(dht: Dht): NatKind {
  const { host } = dht;
  if (host === null) return 'unknown';
  if (interfaceAddresses().some(({ address }) => address === host)) return 'none';
  return dht.randomized ? 'random' : 'consistent';
}

async function answers(dht: Dht, key: string): Promise<boolean> {
  const stream = dht.connect(b4a.from(key, 'hex'));
  stream.on('error', () => undefined);
  let hasAnswered = false;
  await atMost(
    RELAY_MS,
    stream.opened.then((opened: boolean) => (hasAnswered = opened)),
  );
  stream.destroy();
  return hasAnswered;
}

/** Calls out on the local network, and says from which of this machine's addresses it heard itself. Never rejects. */
export async function hearMulticast(): Promise<string[]> {
  const [{ announceOnLan, searchOnLan }] = await Promise.all([import('./lan.js'), loadHashing()]);
  const topic: Topic = randomBytes(32) as Uint8Array as Topic;
  const heard = new Set<string>();
  const port = randomInt(49_152, 65_536);
  const tasks = [announceOnLan([topic], port), searchOnLan(topic, ({ host }) => heard.add(host))];
  await sleep(HEAR_MS);
  await Promise.all(tasks.map((task) => task.close()));
  return [...heard];
}

/** Whether a TCP port can be listened on, any where it is 0; what is wrong where not. */
export async function tryPort(port: number): Promise<ErrorCode | undefined> {
  try {
    const listener = await listen({ host: undefined, port }, new Admission());
    listener.close();
    return undefined;
  } catch (error) {
    return toXferError(error).code;
  }
}

/** Whether somebody takes connections where the proxy should be. */
export async function reachProxy({ host, port }: Proxy): Promise<boolean> {
  const { connect } = await import('node:net');
  try {
    const socket = await connected(connect({ host, port }), PROXY_MS, new AbortController().signal);
    socket.destroy();
    return true;
  } catch {
    return false;
  }
}
