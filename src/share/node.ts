/** A node of a DHT of one's own, with a relay: what a network needs to be independent of all others. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import b4a from 'b4a';
import { XferError } from '../errors.js';
import { formatAddress, hostOf, isLinkLocal } from '../peer/address.js';
import { DiscreetDht, openLastingNode } from '../peer/discreet-dht.js';
import type { KeyPair } from '../peer/noise.js';
import { atMost } from '../transfer/deadline.js';
import { Relay, type RelayLimits, type RelayState } from './relay.js';

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
const SEED_BYTES = 32;

/**
 * Runs until `signal` is aborted.
 *
 * @throws XferError `port-in-use`, `permission-denied`, `bad-address`, `disk-failed`
 */
export async function runNode(options: NodeOptions): Promise<void> {
  const { port, onEvent, signal } = options;
  const address = await nodeAddress(options);
  const host = hostOf(address.bootstrap);
  const others = options.others.filter((other) => other !== address.bootstrap);
  const dht = await openLastingNode({ host, port, others });
  let relay: Relay | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    const over = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (signal.aborted) resolve();
    });
    if (options.relay !== undefined) {
      relay = new Relay(dht, options.relay);
      // The first node of a network has nobody to tell of it yet.
      await Promise.race([over, relay.listen(await readKeyPair(options.keyFile))]);
    }
    if (signal.aborted) return;
    onEvent({ type: 'node-ready', ...address });
    const sayHealth = (): void => onEvent({ type: 'health', nodes: dht.nodes.length, ...relay?.state });
    sayHealth();
    timer = setInterval(sayHealth, options.healthMs);
    await over;
  } finally {
    clearInterval(timer);
    await atMost(CLOSING_MS, Promise.all([relay?.close()]));
    await atMost(CLOSING_MS, dht.destroy({ force: true }));
  }
}

/**
 * What `runNode` would say, without running it.
 *
 * @throws XferError `usage` where this machine has no address, or several and none was chosen; `bad-address`, `disk-failed`
 */
export async function nodeAddress({
  host = onlyAddress(),
  port,
  relay,
  keyFile,
}: Pick<NodeOptions, 'host' | 'port' | 'relay' | 'keyFile'>): Promise<NodeAddress> {
  if (!isIPv4(host)) throw new XferError('bad-address', { subject: host });
  const keyPair = relay === undefined ? undefined : await readKeyPair(keyFile);
  return { bootstrap: formatAddress(host, port), relay: keyPair && b4a.toString(keyPair.publicKey, 'hex') };
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

/** The key pair of the relay. A file that is there is never replaced: others know its key. */
async function readKeyPair(file: string): Promise<KeyPair> {
  return DiscreetDht.keyPair(await readSeed(file));
}

async function readSeed(file: string): Promise<Buffer> {
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const made = await open(file, 'wx', 0o600);
    try {
      await made.writeFile(`${randomBytes(SEED_BYTES).toString('hex')}\n`);
      await made.sync();
    } finally {
      await made.close();
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new XferError('disk-failed', { subject: file, cause });
    }
  }
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new XferError('disk-failed', { subject: file, cause });
  });
  const seed = Buffer.from(text.trim(), 'hex');
  if (seed.length !== SEED_BYTES) {
    throw new XferError('config-invalid', { subject: file, detail: 'it does not hold the key of a relay' });
  }
  return seed;
}
