/**
 * The DHT itself. The only file that knows hyperdht, and the only place that decides which network is used: the package
 * takes "nothing given" for the public one.
 */
import HyperDHT, {
  type ConnectOptions,
  type CreateSecretStream,
  type HandshakePayload,
  type HyperDHTOptions,
  type PeerRecord,
  type Query,
  type QueryOptions,
  type Server,
  type ServerOptions,
} from 'hyperdht';
import b4a from 'b4a';
import { XferError } from '../errors.js';
import { bindError } from './bind-error.js';
import { hostOf, isLoopback, isPrivate, prefixOf } from './address.js';
import { bounded, NoiseStream } from './noise.js';
import { PendingHandshakes } from './pending-handshakes.js';

/** Nodes to begin with, as `host:port`. */
export type Bootstrap = readonly string[] | 'public';

/** Which DHT is used, and who may pass bytes on where two routers let nothing else through. */
export interface Network {
  readonly bootstrap: Bootstrap;
  /** Public keys of relays, in hexadecimal. Nobody else is ever used as one, whoever proposes it. */
  readonly relays: readonly string[];
}

/** A host as the DHT knows it: a key, and nodes that can introduce us. A hint, proven by nothing. */
export type DhtPeer = PeerRecord;

/** Joins a DHT. This end never stores anything for others. */
export function openDiscreetDht({ bootstrap, relays }: Network): DiscreetDht {
  if (bootstrap === 'public') return new DiscreetDht({ ephemeral: true }, relays);
  // An empty list would be refused by nobody, and reach nobody.
  if (bootstrap.length === 0) throw new XferError('internal', { subject: 'DHT without bootstrap nodes' });
  const hosts = bootstrap.map(hostOf);
  const options = {
    bootstrap,
    host: hosts.every(isLoopback) ? '127.0.0.1' : '0.0.0.0',
    // Nothing translates addresses on the way to nodes in our own network. hyperdht would need four nodes to find
    // that out, and a private DHT may have fewer.
    firewalled: !hosts.every(isPrivate),
    ephemeral: true,
  };
  return new DiscreetDht(options, relays);
}

/** Where a node that stays can be reached, and the nodes that it knows to begin with. */
export interface LastingNode {
  /** The IPv4 address by which others see it. */
  readonly host: string;
  readonly port: number;
  readonly others: readonly string[];
}

/**
 * A node that others begin with: it stays, keeps records for others, and is reachable unasked at one UDP port.
 *
 * @throws XferError `port-in-use`, `permission-denied`, `bad-address`
 */
export async function openLastingNode({ host, port, others }: LastingNode): Promise<DiscreetDht> {
  const dht = DiscreetDht.bootstrapper(port, host, {
    bootstrap: others,
    host: isLoopback(host) ? host : '0.0.0.0',
  });
  try {
    await dht.bind();
  } catch (cause) {
    // What it could not do it says once more.
    await dht.destroy({ force: true }).catch(() => undefined);
    throw bindError(cause, { host, port });
  }
  return dht;
}

type OnStream = Parameters<HyperDHT['createServer']>[1];

/** A HyperDHT whose servers and dials, whoever asks for them, tell strangers nothing about this machine. */
export class DiscreetDht extends HyperDHT {
  readonly #relays: ReadonlySet<string>;
  /** Whether it is somebody's own, of a few nodes. */
  readonly #isOwn: boolean;
  /** Connections to relays: what a relay passes on comes from where one of them goes to. */
  readonly #toRelays = new Set<NoiseStream>();
  /** What came in to servers that are still listening. */
  readonly #accepted = new WeakMap<Server, Set<NoiseStream>>();
  /** Servers that take nobody in any more. */
  readonly #left = new WeakSet<Server>();

  constructor(options: HyperDHTOptions, relays: readonly string[] = []) {
    super(options);
    this.#relays = new Set(relays);
    this.#isOwn = options.bootstrap !== undefined;
  }

  /** Public keys of relays, in hexadecimal. */
  get relays(): readonly string[] {
    return [...this.#relays];
  }

  /** One of the relays, the first that answers. Throws `peer-gone` where none does. */
  async aRelay(signal: AbortSignal): Promise<Uint8Array> {
    const keys = this.relays.map((key) => b4a.from(key, 'hex'));
    const [only] = keys;
    if (only !== undefined && keys.length === 1) return only;
    const streams = keys.map((key) => this.connect(key));
    // That one cannot be reached is told by `opened`, and is no error of the program.
    for (const stream of streams) stream.on('error', () => undefined);
    const end = (): void => {
      for (const stream of streams) stream.destroy();
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      return await Promise.any(
        streams.map(async (stream, index) => {
          const key = keys[index];
          if (key === undefined || !(await stream.opened)) throw new XferError('peer-gone');
          return key;
        }),
      );
    } catch {
      throw new XferError('peer-gone');
    } finally {
      signal.removeEventListener('abort', end);
      end();
    }
  }

  /** Whether what a stream carries comes by way of a relay just now. Where a hole is punched later, it changes over. */
  isRelayed({ rawStream }: NoiseStream): boolean {
    const isSame = (relay: NoiseStream): boolean =>
      relay.rawStream?.remoteHost === rawStream?.remoteHost &&
      relay.rawStream?.remotePort === rawStream?.remotePort;
    return [...this.#toRelays].some(isSame);
  }

  override query(request: QueryOptions, options?: object): Query<unknown> {
    return this.#endInTime(super.query(request, options));
  }

  override findNode(target: Uint8Array, options?: object): Query<unknown> {
    return this.#endInTime(super.findNode(target, options));
  }

  override _backgroundQuery(target: Uint8Array): Query<unknown> {
    return this.#endInTime(super._backgroundQuery(target));
  }

  /**
   * hyperdht asks six times in 6 s, unless 20 others answer: it is made for a network where there are always so many. One of three nodes
   * that is down would delay each step of a meeting by that.
   */
  #endInTime<T>(query: Query<T>): Query<T> {
    if (!this.#isOwn) return query;
    const readMore = query._readMore.bind(query);
    query._readMore = () => {
      readMore();
      const { inflight, _slow: late, _pending: toAsk, closestReplies } = query;
      if (toAsk.length === 0 && inflight === late && closestReplies.length > 0) query._flush();
    };
    return query;
  }

  override createServer(options: ServerOptions, onConnection?: OnStream): Server {
    const pending = new PendingHandshakes();
    const accepted = new Set<NoiseStream>();
    const { firewall = () => false } = options;
    const server: Server = super.createServer(
      {
        ...options,
        shareLocalAddress: false,
        firewall: (key, payload, address) =>
          this.#left.has(server) || this.#asksForOtherRelay(payload) || firewall(key, payload, address),
        createSecretStream: (isInitiator, rawStream, streamOptions) => {
          const stream = new NoiseStream(isInitiator, rawStream, streamOptions);
          accepted.add(stream);
          stream.once('close', () => accepted.delete(stream));
          return stream;
        },
      },
      onConnection,
    );
    this.#accepted.set(server, accepted);
    const begin = server._addHandshake.bind(server);
    server._addHandshake = async (...message) => {
      const handshake = await begin(...message);
      const [, , client] = message;
      if (handshake !== null) pending.admit(handshake, prefixOf(client.host));
      return handshake;
    };
    return server;
  }

  /**
   * Lets a server take nobody in any more, and takes back that it is there. hyperdht would cut what a relay carries with
   * that: where there is such, the latter waits until it has ended or goes through a hole.
   */
  async leave(server: Server): Promise<void> {
    this.#left.add(server);
    const relayed = [...(this.#accepted.get(server) ?? [])].filter((stream) => this.isRelayed(stream));
    if (relayed.length === 0) return server.close();
    void Promise.all(relayed.map(endOfRelaying)).then(() => server.close());
  }

  override connect(publicKey: Uint8Array, options?: ConnectOptions): NoiseStream {
    // We always give options. hyperdht itself gives none, where it dials a relay: ours or one that the other side named.
    if (options === undefined && !this.#relays.has(b4a.toString(publicKey, 'hex'))) return noStream();
    const stream = bounded(
      super.connect(publicKey, {
        ...options,
        keyPair: HyperDHT.keyPair(),
        localConnection: false,
        reusableSocket: false,
        createSecretStream: createNoiseStream,
      }),
    );
    if (options === undefined) this.#keepToRelay(stream);
    return stream;
  }

  /** A relay that was chosen by the person is no stranger: what it says is bounded frame by frame only. */
  #keepToRelay(stream: NoiseStream): void {
    this.#toRelays.add(stream);
    stream.once('open', () => stream.confirm());
    stream.once('close', () => this.#toRelays.delete(stream));
  }

  /** A stranger must not make this machine dial a third one. */
  #asksForOtherRelay({ relayThrough }: HandshakePayload): boolean {
    if (relayThrough === null || relayThrough === undefined) return false;
    return !this.#relays.has(b4a.toString(relayThrough.publicKey, 'hex'));
  }
}

const createNoiseStream: CreateSecretStream = (isInitiator, rawStream, options) =>
  new NoiseStream(isInitiator, rawStream, options);

/** Resolves when a stream that is relayed has ended, or goes another way. */
function endOfRelaying(stream: NoiseStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve);
    stream.rawStream?.once('remote-changed', resolve);
  });
}

/** A stream that never came about. */
function noStream(): NoiseStream {
  const stream = new NoiseStream(true, null, {});
  stream.on('error', () => undefined);
  stream.destroy(new XferError('peer-gone'));
  return stream;
}
