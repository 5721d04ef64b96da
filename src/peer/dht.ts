/** Meeting through a distributed hash table. */
import Hyperswarm, { type Discovery } from 'hyperswarm';
import b4a from 'b4a';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Topic } from '../crypto/code.js';
import { XferError } from '../errors.js';
import { formatAddress, prefixOf } from './address.js';
import type { Admission, Place } from './admission.js';
import { atMost } from '../transfer/deadline.js';
import { Connection, type Origin } from './connection.js';
import { DiscreetDht, openDiscreetDht, type Bootstrap, type DhtPeer } from './discreet-dht.js';
import { bounded, type NoiseStream } from './noise.js';

export type { Bootstrap, DhtPeer } from './discreet-dht.js';

/** A DHT that says nothing for this long is taken for unreachable. */
const REACHABLE_MS = 8_000;
/** How long leaving the DHT may take. */
const LEAVE_MS = 2_000;
/**
 * A hole in a router that draws a new port for each connection is found by chance, with a probe each 20 ms: 99.9 % of
 * them within this.
 */
const DIAL_MS = 40_000;
/** Where a hole can be punched at all without luck, it takes less. A relay is asked for after this. */
const RELAY_AFTER_MS = 2_000;

/**
 * Joins a DHT. This end never stores anything for others.
 *
 * @param relays Public keys, in hexadecimal, of who may pass bytes on where no hole can be punched.
 */
export function openDht(bootstrap: Bootstrap, relays: readonly string[] = []): DhtNode {
  return new DhtNode(openDiscreetDht({ bootstrap, relays }));
}

/** Events of the DHT to which a swarm listens from its beginning on. */
const SWARM_LISTENS = ['network-change', 'network-update'];

interface Announcement {
  readonly swarm: Hyperswarm;
  readonly discovery: Discovery;
  /** What the swarm listens to in the DHT. */
  readonly listeners: readonly (readonly [event: string, listener: unknown])[];
}

/** What one node says of who is announced. It may be wrong, or made up. */
export interface Told {
  /** The address of the node. */
  readonly teller: string;
  readonly peers: readonly DhtPeer[];
}

export class DhtNode {
  readonly #dht: DiscreetDht;
  readonly #announcements = new Set<Announcement>();
  #left: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(dht: DiscreetDht) {
    this.#dht = dht;
  }

  /** Waits until the DHT answers. `false` after 8 s without. */
  async isReachable(): Promise<boolean> {
    await atMost(REACHABLE_MS, this.#dht.fullyBootstrapped());
    return this.#dht.nodes.length > 0 || this.#dht.host !== null;
  }

  /** The address by which other nodes see this machine; `undefined` until they agree. */
  get seenAs(): string | undefined {
    return this.#dht.host ?? undefined;
  }

  /**
   * Announces a fresh key under the topic, until `withdrawn` is aborted: each announcement has its own, so that nothing but the
   * address tells that two are of one machine. Resolves when it can be found; `false` where that failed.
   */
  async announce(
    topic: Topic,
    admission: Admission,
    onConnection: (connection: Connection) => void,
    withdrawn?: AbortSignal,
  ): Promise<boolean> {
    const swarm = new Hyperswarm({ dht: this.#dht, keyPair: DiscreetDht.keyPair() });
    swarm.on('connection', (unknown) => {
      const stream = bounded(unknown);
      const { host } = remoteOf(stream);
      const place = admission.admit(prefixOf(host), () => stream.destroy());
      stream.once('close', () => place.leave());
      Connection.open(stream, () => this.#originOf(stream, place)).then(onConnection, () => stream.destroy());
    });
    // There may be dozens, and each listens.
    this.#dht.setMaxListeners(0);
    const listeners = SWARM_LISTENS.map((event) => [event, this.#dht.listeners(event).at(-1)] as const);
    const announcement = { swarm, listeners, discovery: swarm.join(topic, { server: true, client: false }) };
    this.#announcements.add(announcement);
    const withdraw = (): void => void this.#withdraw(announcement);
    withdrawn?.addEventListener('abort', withdraw, { once: true });
    if (withdrawn?.aborted === true) withdraw();
    // It rejects where no port can be bound, and whoever waits for the DHT first may never look.
    return announcement.discovery.flushed().catch(() => false);
  }

  /** Who is announced under the topic right now, as each node that answers tells it: at most 20 of those it knows. */
  async *told(topic: Topic): AsyncGenerator<Told, void, undefined> {
    for await (const { from, peers } of this.#dht.lookup(topic)) {
      yield { teller: formatAddress(from.host, from.port), peers };
    }
  }

  /** All who are announced under the topic right now, once each. */
  async lookup(topic: Topic): Promise<DhtPeer[]> {
    const found = new Map<string, DhtPeer>();
    for await (const { peers } of this.told(topic)) {
      for (const peer of peers) found.set(b4a.toString(peer.publicKey, 'hex'), peer);
    }
    return [...found.values()];
  }

  /** Whether somebody is announced under the topic. */
  async isTaken(topic: Topic): Promise<boolean> {
    return (await this.lookup(topic)).length > 0;
  }

  /**
   * Connects under a fresh key, by a relay where two routers let nothing else through and one is known. Throws `peer-gone` after
   * 40 s at the latest.
   */
  async connect(peer: DhtPeer, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    if (this.#dht.relays.length === 0) return this.#dial(peer, signal);
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    // A dial by a relay goes on to look for a hole, so it replaces the other where that cannot do without luck.
    const dials = this.#dht.randomized
      ? [this.#dialByRelay(peer, 0, either)]
      : [this.#dial(peer, either), this.#dialByRelay(peer, RELAY_AFTER_MS, either)];
    try {
      const connection = await Promise.any(dials);
      for (const dial of dials) dial.then((other) => other === connection || other.destroy(), ignore);
      return connection;
    } catch {
      throw new XferError('peer-gone');
    } finally {
      over.abort();
    }
  }

  /** Takes the announcement back and accepts nobody any more. Connections live on. Takes 2 s at most. */
  leave(): Promise<void> {
    // A DHT that nothing is known of was told nothing: there is no answer to wait for.
    const isKnown = this.#dht.nodes.length > 0;
    this.#left ??= atMost(isKnown ? LEAVE_MS : 0, this.#unannounce());
    return this.#left;
  }

  /** Leaves and closes everything, connections too. Takes 4 s at most. */
  close(): Promise<void> {
    this.#closed ??= this.leave().then(() => atMost(LEAVE_MS, this.#dht.destroy({ force: true })));
    return this.#closed;
  }

  async #dialByRelay(peer: DhtPeer, afterMs: number, signal: AbortSignal): Promise<Connection> {
    await sleep(afterMs, undefined, { signal });
    return this.#dial(peer, signal, await this.#dht.aRelay(signal));
  }

  async #dial(peer: DhtPeer, signal: AbortSignal, relay?: Uint8Array): Promise<Connection> {
    const { publicKey, relayAddresses } = peer;
    const stream = this.#dht.connect(publicKey, { relayAddresses, relayThrough: relay ?? null });
    const abandon = (): void => {
      stream.destroy();
    };
    signal.addEventListener('abort', abandon, { once: true });
    if (signal.aborted) abandon();
    try {
      return await Connection.open(stream, () => this.#originOf(stream), DIAL_MS);
    } finally {
      signal.removeEventListener('abort', abandon);
    }
  }

  #originOf(stream: NoiseStream, place?: Place): Origin {
    const { rawStream } = stream;
    return {
      transport: 'dht',
      ...remoteOf(stream),
      ...(place === undefined ? {} : { place }),
      way: () => ({ ...remoteOf(stream), isRelayed: this.#dht.isRelayed(stream) }),
      onWayChanged: (listener) => rawStream?.on('remote-changed', listener),
    };
  }

  async #unannounce(): Promise<void> {
    await Promise.all([...this.#announcements].map((announcement) => this.#withdraw(announcement)));
  }

  async #withdraw(announcement: Announcement): Promise<void> {
    if (!this.#announcements.delete(announcement)) return;
    const { discovery, swarm, listeners } = announcement;
    // The package would keep them for as long as the DHT lives.
    for (const [event, listener] of listeners) {
      if (listener !== undefined) this.#dht.off(event, listener as () => void);
    }
    await Promise.all([discovery.destroy(), this.#dht.leave(swarm.server)]);
  }
}

function remoteOf({ rawStream }: NoiseStream): { host: string; port: number } {
  return { host: rawStream?.remoteHost ?? '', port: rawStream?.remotePort ?? 0 };
}

function ignore(): void {}
