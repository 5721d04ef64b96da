/** Channels between two peers that have paired, without the pairing. */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { SessionKey, type Direction } from '../../src/crypto/key-schedule.js';
import { RecordSealer, type Aead } from '../../src/crypto/record-cipher.js';
import { Secret } from '../../src/crypto/secret.js';
import { SealedChannel } from '../../src/peer/channel.js';
import type { Connection, Transport } from '../../src/peer/connection.js';
import type { Lane } from '../../src/peer/lane.js';
import type { Line, LineEvents } from '../../src/peer/line.js';
import type { Agreement } from '../../src/peer/pairing-messages.js';
import { encodeRecord, type WireRecord } from '../../src/transfer/records.js';
import { connectionPair, line, type Tamper } from './connections.js';

export const AGREEMENT: Agreement = {
  aead: 'chacha20-poly1305',
  compressions: new Set(['stored', 'brotli']),
};

/** The joiner's and the host's end of a channel; the connection may pretend to be one of the DHT. */
export async function channelPair(
  tamper?: Tamper,
  transport?: Transport,
): Promise<[SealedChannel, SealedChannel]> {
  const { joiner, host, key } = await pairedConnections(tamper, transport);
  return [
    new SealedChannel(joiner, key, 'joiner', AGREEMENT),
    new SealedChannel(host, key, 'host', AGREEMENT),
  ];
}

/** The two ends of a lane between them, after its handshake; `tamper` sits on what the first one sends. */
export function lanePair(tamper?: Tamper): [Lane, Lane] {
  const { near, far } = line(tamper);
  const handshakeHash = randomBytes(64);
  const lane = (socket: Duplex, isDialler: boolean): Lane => ({
    socket,
    received: new Uint8Array(0),
    handshakeHash,
    address: '127.0.0.1:7337',
    isDialler,
  });
  return [lane(near, true), lane(far, false)];
}

/** The host's end of a channel over a line of the caller's, and a joiner that seals by itself and so may send anything. */
export async function hostAndForger(
  wrap: (line: Line, events: LineEvents) => Line = (line) => line,
): Promise<{ readonly host: SealedChannel; readonly forger: Forger }> {
  const { joiner, host, key } = await pairedConnections();
  const handOver = host.handOver.bind(host);
  host.handOver = (events) => wrap(handOver(events), events);
  return {
    host: new SealedChannel(host, key, 'host', AGREEMENT),
    forger: new Forger(joiner, key, 'joiner to host', AGREEMENT.aead),
  };
}

/** Seals for a lane as the peer of `forger`'s channel would, and sends whatever it is given. */
export function laneForger(
  { key, direction, aead }: Forger,
  { socket, handshakeHash }: Lane,
): { seal: (record: WireRecord, last?: boolean) => Buffer; write: (bytes: Uint8Array) => void } {
  const sealer = new RecordSealer(key.recordSecret(handshakeHash, 0, direction), aead);
  return {
    seal: (record, last = false) => {
      const message = Buffer.concat(sealer.seal(encodeRecord(record), last));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(message.length);
      return Buffer.concat([length, message]);
    },
    write: (bytes) => void socket.write(bytes),
  };
}

/** A peer with the right keys and its own idea of what to send. */
export class Forger {
  readonly connection: Connection;
  readonly key: SessionKey;
  readonly direction: Direction;
  readonly aead: Aead;
  readonly #sealer: RecordSealer;

  constructor(connection: Connection, key: SessionKey, direction: Direction, aead: Aead) {
    this.connection = connection;
    this.key = key;
    this.direction = direction;
    this.aead = aead;
    this.#sealer = new RecordSealer(key.recordSecret(connection.handshakeHash, 0, direction), aead);
  }

  seal(record: WireRecord, last = record.kind === 'end'): Buffer {
    return Buffer.concat(this.#sealer.seal(encodeRecord(record), last));
  }

  async send(...messages: Uint8Array[]): Promise<void> {
    for (const message of messages) await this.connection.send([message]).catch(() => undefined);
  }
}

async function pairedConnections(
  tamper?: Tamper,
  transport?: Transport,
): Promise<{ readonly joiner: Connection; readonly host: Connection; readonly key: SessionKey }> {
  const [joiner, host] = await connectionPair(tamper, transport);
  await joiner.confirm();
  await host.confirm();
  return { joiner, host, key: new SessionKey(new Secret(randomBytes(64))) };
}
