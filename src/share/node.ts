/** A node of a DHT of one's own, with a relay: what a network needs to be independent of all others. */
import { isIPv4, type BlockList } from 'node:net';
import { networkInterfaces } from 'node:os';
import b4a from 'b4a';
import { XferError } from '../errors.js';
import { formatAddress, isLinkLocal } from '../peer/address.js';
import { DiscreetDht, openLastingNode } from '../peer/discreet-dht.js';
import type { KeyPair } from '../peer/noise.js';
import { aborted, atMost } from '../transfer/deadline.js';
import { keptKey } from './key-file.js';
import { Relay, parseAllowed, type RelayLimits, type RelayState } from './relay.js';

export interface NodeOptions {
  /** The IPv4 address by which others see this machine; the only one it has if not given. */
  readonly host: string | undefined;
  /** The one UDP port that must be open. */
  readonly port: number;
  /** Other nodes of the network, as `host:port`. */
  readonly others: readonly string[];
  /** What the relay lets through; no relay if not given. */
  readonly relay?: RelayLimits | undefined;
  /** Where the relay's secret key is kept; it is made where it is missing. */
  readonly keyFile: string;
  /** How often `health` is said, in milliseconds. */
  readonly healthMs: number;
  readonly onEvent: (event: NodeEvent) => void;
  /** Ends the node. */
  readonly signal: AbortSignal;
}

/** What others put into their settings to use a node. */
export interface NodeAddress {
  /** `host:port` for `bootstrap`. */
  readonly bootstrap: string;
  /** The public key for `relay`, in hexadecimal. */
  readonly relay: string | undefined;
}

export type NodeEvent =
  | ({ readonly type: 'node-ready' } & NodeAddress)
  | ({
      readonly type: 'health';
      /** Nodes that stay and are known to this one. */
      readonly nodes: number;
    } & Partial<RelayState>);

const CLOSING_MS = 3_000;

/**
 * Runs until `signal` is aborted.
 *
 * @throws XferError `usage` as `nodeAddress` does, `port-in-use`, `permission-denied`, `bad-address`, `disk-failed`
 */
export async function runNode(options: NodeOptions): Promise<void> {
  const { port, onEvent, signal } = options;
  const { host, address, keyPair, allowed } = await prepare(options);
  const others = options.others.filter((other) => other !== address.bootstrap);
  const dht = await openLastingNode({ host, port, others });
  let relay: Relay | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    const over = aborted(signal);
    if (options.relay !== undefined && keyPair !== undefined) {
      relay = new Relay(dht, options.relay, allowed);
      // The first node of a network has nobody to tell of it yet.
      await Promise.race([over, relay.listen(keyPair)]);
    }
    if (signal.aborted) return;
    onEvent({ type: 'node-ready', ...address });
    const sayHealth = (): void => onEvent({ type: 'health', nodes: dht.nodes.length, ...relay?.state });
    sayHealth();
    timer = setInterval(sayHealth, options.healthMs);
    await over;
  } finally {
    clearInterval(timer);
    if (relay !== undefined) await atMost(CLOSING_MS, relay.close());
    await atMost(CLOSING_MS, dht.destroy({ force: true }));
  }
}

/**
 * What `runNode` would say, without running it.
 *
 * @throws XferError `usage` where this machine has no address, or several and none was chosen, or for
 * what cannot be allowed; `bad-address`, `disk-failed`
 */
export async function nodeAddress(options: Setup): Promise<NodeAddress> {
  return (await prepare(options)).address;
}

type Setup = Pick<NodeOptions, 'host' | 'port' | 'relay' | 'keyFile'>;

interface Prepared {
  readonly host: string;
  readonly address: NodeAddress;
  /** Of the relay, where there is one. */
  readonly keyPair: KeyPair | undefined;
  /** Who may use it; all if not given. */
  readonly allowed: BlockList | undefined;
}

async function prepare({ host = onlyAddress(), port, relay, keyFile }: Setup): Promise<Prepared> {
  if (!isIPv4(host)) throw new XferError('bad-address', { subject: host });
  const allowed = parseAllowed(relay?.allow ?? []);
  const keyPair = relay === undefined ? undefined : await readKeyPair(keyFile);
  const publicKey = keyPair && b4a.toString(keyPair.publicKey, 'hex');
  return { host, address: { bootstrap: formatAddress(host, port), relay: publicKey }, keyPair, allowed };
}

function onlyAddress(): string {
  const all = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal, address }) => family === 'IPv4' && !internal && !isLinkLocal(address))
    .map(({ address }) => address);
  const [only] = all;
  if (only !== undefined && all.length === 1) return only;
  throw new XferError('usage', {
    subject:
      only === undefined
        ? 'this machine has no address that others could see'
        : `this machine has several addresses: ${all.join(', ')}`,
    detail: 'say with --host by which address others see it',
  });
}

async function readKeyPair(file: string): Promise<KeyPair> {
  const seed = await keptKey(file, 'a relay');
  const keyPair = DiscreetDht.keyPair(seed.expose());
  seed.erase();
  return keyPair;
}
