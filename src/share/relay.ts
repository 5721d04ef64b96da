/** Passes sealed bytes on between two sides whose routers let nothing else through. Who they are and what it is stays hidden from it. */
import { BlockList, isIP } from 'node:net';
import { Server as BlindRelay } from 'blind-relay';
import { XferError } from '../errors.js';
import { canonicalAddress } from '../peer/address.js';
import type { DiscreetDht } from '../peer/discreet-dht.js';
import { bounded, type KeyPair, type NoiseStream, type RawStream } from '../peer/noise.js';

export interface RelayLimits {
  /** Connections to the relay at once, in all; each transfer that it carries has two. */
  readonly connections: number;
  /** The same, of one address. */
  readonly connectionsPerAddress: number;
  /** Bytes that one address may have passed on in a day. */
  readonly bytesPerAddress: number;
  /** Addresses and networks such as `10.0.0.0/8` that may use it; all where there are none. */
  readonly allow: readonly string[];
}

/** What a relay is doing. */
export interface RelayState {
  readonly connections: number;
  /** Transfers that go by way of it. */
  readonly transfers: number;
  /** Bytes passed on since its start. */
  readonly bytes: number;
}

/** A client that asks for nothing in this long gives its place to others. */
const IDLE_MS = 30_000;
/** What a client has to say, besides keeping alive: who shall be joined with whom. */
const MAX_SAID_BYTES = 4_096;
const TICK_MS = 1_000;
/** An allowance lasts for 130 requests or four hours of keeping alive. */
const TICKS_PER_ALLOWANCE = 60;
const DAY_MS = 86_400_000;

/** Who uses the relay from one address. */
interface Client {
  readonly streams: Set<NoiseStream>;
  /** Of this day. */
  bytes: number;
}

interface Link {
  readonly client: Client;
  readonly stream: RawStream;
  counted: number;
}

export class Relay {
  readonly #limits: RelayLimits;
  readonly #allowed: BlockList | undefined;
  readonly #relay: BlindRelay;
  readonly #server: ReturnType<DiscreetDht['createServer']>;
  readonly #clients = new Map<string, Client>();
  readonly #links = new Set<Link>();
  readonly #timer: NodeJS.Timeout;
  #dayEndsMs = performance.now() + DAY_MS;
  #ticks = 0;
  #bytes = 0;

  /** @param allowed Who may use it, as `parseAllowed` gives it. */
  constructor(dht: DiscreetDht, limits: RelayLimits, allowed: BlockList | undefined) {
    this.#limits = limits;
    this.#allowed = allowed;
    this.#relay = new BlindRelay({
      createStream: (options) => dht.createRawStream({ ...options, framed: true }),
    });
    this.#server = dht.createServer(
      { firewall: (_key, _payload, { host }) => !this.#mayCome(canonicalAddress(host)) },
      (stream) => this.#accept(bounded(stream)),
    );
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Resolves when it can be found by the public key. */
  async listen(keyPair: KeyPair): Promise<void> {
    await this.#server.listen(keyPair);
  }

  get state(): RelayState {
    let connections = 0;
    for (const { streams } of this.#clients.values()) connections += streams.size;
    return { connections, transfers: Math.ceil(this.#links.size / 2), bytes: this.#bytes };
  }

  /** Cuts whoever is connected: they look for each other again, by another relay. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const { streams } of this.#clients.values()) for (const stream of streams) stream.destroy();
    await this.#server.close();
  }

  #mayCome(address: string): boolean {
    const { connections, connectionsPerAddress, bytesPerAddress } = this.#limits;
    if (this.#allowed?.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4') === false) return false;
    if (this.state.connections >= connections) return false;
    const client = this.#clients.get(address);
    return (
      client === undefined || (client.streams.size < connectionsPerAddress && client.bytes < bytesPerAddress)
    );
  }

  #accept(stream: NoiseStream): void {
    stream.on('error', ignore);
    const address = canonicalAddress(stream.rawStream?.remoteHost ?? '');
    // Many may have come in since the handshake began.
    if (stream.remotePublicKey === null || !this.#mayCome(address)) {
      stream.destroy();
      return;
    }
    const client = this.#clients.get(address) ?? { streams: new Set(), bytes: 0 };
    this.#clients.set(address, client);
    client.streams.add(stream);
    const idle = setTimeout(() => stream.destroy(), IDLE_MS);
    stream.once('close', () => {
      clearTimeout(idle);
      client.streams.delete(stream);
      if (client.streams.size === 0 && client.bytes === 0) this.#clients.delete(address);
    });

    let said = 0;
    stream.on('data', (message: Uint8Array) => {
      said += message.length;
      if (said > MAX_SAID_BYTES) stream.destroy();
    });
    const session = this.#relay.accept(stream, { id: stream.remotePublicKey });
    session.on('error', ignore);
    session.on('pair', (_isInitiator: boolean, _token: Uint8Array, raw: RawStream) => {
      clearTimeout(idle);
      const link = { client, stream: raw, counted: 0 };
      this.#links.add(link);
      raw.once('close', () => {
        this.#count(link);
        this.#links.delete(link);
        // One transfer for each connection.
        stream.destroy();
      });
    });
  }

  #count(link: Link): void {
    const received = link.stream.bytesReceived ?? 0;
    link.client.bytes += received - link.counted;
    this.#bytes += received - link.counted;
    link.counted = received;
  }

  #tick(): void {
    for (const link of this.#links) this.#count(link);
    const isNewDay = performance.now() >= this.#dayEndsMs;
    if (isNewDay) this.#dayEndsMs += DAY_MS;
    const isRenewal = ++this.#ticks % TICKS_PER_ALLOWANCE === 0;
    for (const [address, client] of this.#clients) {
      if (isNewDay) client.bytes = 0;
      if (isNewDay && client.streams.size === 0) this.#clients.delete(address);
      const isOver = client.bytes >= this.#limits.bytesPerAddress;
      for (const stream of client.streams) {
        if (isOver) stream.destroy();
        else if (isRenewal) stream.renewAllowance();
      }
    }
  }
}

/**
 * Who `allow` of the limits lets in; `undefined` for all.
 *
 * @throws XferError `usage` for what is neither an address nor a network
 */
export function parseAllowed(networks: readonly string[]): BlockList | undefined {
  if (networks.length === 0) return undefined;
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    try {
      if (bits === undefined) list.addAddress(address, family);
      else if (/^\d{1,3}$/.test(bits)) list.addSubnet(address, Number(bits), family);
      else throw new RangeError();
    } catch (cause) {
      throw new XferError('usage', {
        subject: `'${network}' is neither an address nor a network`,
        detail: 'write 10.0.0.7 or 10.0.0.0/8',
        cause,
      });
    }
  }
  return list;
}

function ignore(): void {}
