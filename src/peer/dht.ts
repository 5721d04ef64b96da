/**
 * Meeting through a distributed hash table. The only file that knows hyperdht and hyperswarm, and the only place
 * that decides which network is used: both packages take "nothing given" for the public one.
 */
import HyperDHT, {
  type ConnectOptions,
  type CreateSecretStream,
  type HandshakePayload,
  type PeerRecord,
  type Server,
  type ServerOptions,
} from 'hyperdht';
import Hyperswarm, { type Discovery } from 'hyperswarm';
import b4a from 'b4a';
import type { Topic } from '../crypto/code.js';
import { XferError } from '../errors.js';
import { hostOf, isLoopback, isPrivate, prefixOf } from './address.js';
import type { Admission } from './admission.js';
import { atMost } from '../transfer/deadline.js';
import { Connection } from './connection.js';
import { NoiseStream } from './noise.js';

/** Nodes to begin with, as `host:port`. */
export type Bootstrap = readonly string[] | 'public';

/** A host as the DHT knows it: a key, and nodes that can introduce us. A hint, proven by nothing. */
export type DhtPeer = PeerRecord;

/** A DHT that says nothing for this long is taken for unreachable. */
const REACHABLE_MS = 8_000;
/** How long leaving the DHT may take. */
const LEAVE_MS = 2_000;
/**
 * A hole in a router that draws a new port for each connection is found by chance, with a probe each 20 ms: 99.9 % of
 * them within this.
 */
const DIAL_MS = 40_000;
const MAX_PENDING_HANDSHAKES = 64;
/** hyperdht forgets a handshake that led to nothing after this long. */
const HANDSHAKE_MS = 10_000;

/** Joins a DHT. This end never stores anything for others. */
export function openDht(bootstrap: Bootstrap): DhtNode {
  if (bootstrap === 'public') return new DhtNode(new DiscreetDht({ ephemeral: true }));
  // An empty list would be refused by nobody, and reach nobody.
  if (bootstrap.length === 0) throw new XferError('internal', { subject: 'DHT without bootstrap nodes' });
  const hosts = bootstrap.map(hostOf);
  return new DhtNode(
    new DiscreetDht({
      bootstrap,
      host: hosts.every(isLoopback) ? '127.0.0.1' : '0.0.0.0',
      // Nothing translates addresses on the way to nodes in our own network. hyperdht would need four nodes to find
      // that out, and a private DHT may have fewer.
      firewalled: !hosts.every(isPrivate),
      ephemeral: true,
    }),
  );
}

export class DhtNode {
  readonly #dht: HyperDHT;
  #swarm: Hyperswarm | undefined;
  #discovery: Discovery | undefined;
  #left: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(dht: HyperDHT) {
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

  /** Announces a fresh key under the topic. Resolves when it can be found; `false` where that failed. */
  async announce(
    topic: Topic,
    admission: Admission,
    onConnection: (connection: Connection) => void,
  ): Promise<boolean> {
    this.#swarm = new Hyperswarm({ dht: this.#dht, keyPair: HyperDHT.keyPair() });
    this.#swarm.on('connection', (stream) => {
      if (!(stream instanceof NoiseStream))
        throw new XferError('internal', { subject: 'stream not bounded' });
      const { host } = remoteOf(stream);
      const place = admission.admit(prefixOf(host), () => stream.destroy());
      stream.once('close', () => place.leave());
      Connection.open(stream, () => ({ transport: 'dht', ...remoteOf(stream), place })).then(
        onConnection,
        () => stream.destroy(),
      );
    });
    this.#discovery = this.#swarm.join(topic, { server: true, client: false });
    return this.#discovery.flushed();
  }

  /** Who is announced under the topic right now. Each node tells at most 20 of those it knows. */
  async lookup(topic: Topic): Promise<DhtPeer[]> {
    const found = new Map<string, DhtPeer>();
    for await (const { peers } of this.#dht.lookup(topic)) {
      for (const peer of peers) found.set(b4a.toString(peer.publicKey, 'hex'), peer);
    }
    return [...found.values()];
  }

  /** Whether somebody is announced under the topic. */
  async isTaken(topic: Topic): Promise<boolean> {
    return (await this.lookup(topic)).length > 0;
  }

  /** Connects under a fresh key. Throws `peer-gone` after 40 s at the latest. */
  async connect(peer: DhtPeer, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    const stream = this.#dht.connect(peer.publicKey, { relayAddresses: peer.relayAddresses });
    if (!(stream instanceof NoiseStream)) throw new XferError('internal', { subject: 'stream not bounded' });
    const abandon = (): void => {
      stream.destroy();
    };
    signal.addEventListener('abort', abandon, { once: true });
    try {
      return await Connection.open(stream, () => ({ transport: 'dht', ...remoteOf(stream) }), DIAL_MS);
    } finally {
      signal.removeEventListener('abort', abandon);
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

  async #unannounce(): Promise<void> {
    await Promise.all([this.#discovery?.destroy(), this.#swarm?.server.close()]);
  }
}

type OnStream = Parameters<HyperDHT['createServer']>[1];

/** A HyperDHT whose servers and dials, whoever asks for them, tell strangers nothing about this machine. */
class DiscreetDht extends HyperDHT {
  override createServer(options: ServerOptions, onConnection?: OnStream): Server {
    const pending = new PendingHandshakes();
    const { firewall = () => false } = options;
    return super.createServer(
      {
        ...options,
        shareLocalAddress: false,
        firewall: (key, payload, address) =>
          asksForRelay(payload) || !pending.admit(key) || firewall(key, payload, address),
        createSecretStream: (isInitiator, rawStream, streamOptions) => {
          if (streamOptions.handshake !== undefined) pending.settle(streamOptions.handshake.remotePublicKey);
          return createNoiseStream(isInitiator, rawStream, streamOptions);
        },
      },
      onConnection,
    );
  }

  override connect(publicKey: Uint8Array, options?: ConnectOptions): ReturnType<HyperDHT['connect']> {
    // We always give options. hyperdht itself gives none, where the other side told it of a relay.
    if (options === undefined) return noStream();
    return super.connect(publicKey, {
      ...options,
      keyPair: HyperDHT.keyPair(),
      localConnection: false,
      reusableSocket: false,
      createSecretStream: createNoiseStream,
    });
  }
}

/** Handshakes of strangers that are not connections yet: each holds memory and a socket. */
class PendingHandshakes {
  #pending: { readonly key: string; readonly expiresMs: number }[] = [];

  admit(publicKey: Uint8Array): boolean {
    const now = performance.now();
    this.#pending = this.#pending.filter(({ expiresMs }) => expiresMs > now);
    if (this.#pending.length >= MAX_PENDING_HANDSHAKES) return false;
    this.#pending.push({ key: b4a.toString(publicKey, 'hex'), expiresMs: now + HANDSHAKE_MS });
    return true;
  }

  settle(publicKey: Uint8Array): void {
    const key = b4a.toString(publicKey, 'hex');
    const index = this.#pending.findIndex((handshake) => handshake.key === key);
    if (index !== -1) this.#pending.splice(index, 1);
  }
}

const createNoiseStream: CreateSecretStream = (isInitiator, rawStream, options) =>
  new NoiseStream(isInitiator, rawStream, options);

/** A stream that never came about. */
function noStream(): NoiseStream {
  const stream = new NoiseStream(true, null, {});
  stream.on('error', () => undefined);
  stream.destroy(new XferError('peer-gone'));
  return stream;
}

/** A stranger must not make this machine dial a third one. */
function asksForRelay({ relayThrough }: HandshakePayload): boolean {
  return relayThrough !== null && relayThrough !== undefined;
}

function remoteOf(stream: NoiseStream): { host: string; port: number } {
  const { remoteHost, remotePort } = stream.rawStream as unknown as {
    remoteHost: string;
    remotePort: number;
  };
  return { host: remoteHost, port: remotePort };
}
