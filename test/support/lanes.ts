/** Sessions in one process whose lanes are real: the pairing connection is in memory, lanes go over loopback. */
import { randomBytes } from 'node:crypto';
import { SessionKey, type Side } from '../../src/crypto/key-schedule.js';
import { Secret } from '../../src/crypto/secret.js';
import { Admission } from '../../src/peer/admission.js';
import { SealedChannel } from '../../src/peer/channel.js';
import { listen, type Listener } from '../../src/peer/direct.js';
import { Lanes, type LaneOptions, type LaneRoute, type PathEvent } from '../../src/peer/lanes.js';
import { connectionPair } from './connections.js';

/** One side of a session. The host sends files. */
export interface End {
  readonly side: Side;
  readonly channel: SealedChannel;
  /** The same at both ends. */
  readonly key: SessionKey;
  /** What was said about the way of file bytes. */
  readonly events: PathEvent[];
  /** Lets lanes come about. */
  open(route: LaneRoute, options?: Partial<LaneOptions>): Promise<Lanes>;
  /** Ends it all. */
  readonly close: () => void;
}

export interface Session {
  readonly sender: End;
  readonly receiver: End;
  /** Cuts the pairing connection. */
  readonly cut: () => void;
}

/** Both ends of a session; the pairing connection is as one over this transport is. */
export async function session(transport: 'dht' | 'direct' = 'dht'): Promise<Session> {
  const [joiner, host] = await connectionPair(undefined, transport);
  await joiner.confirm();
  await host.confirm();
  const secret = randomBytes(64);
  const end = (side: Side): End => {
    const key = new SessionKey(new Secret(Buffer.from(secret)));
    const channel = new SealedChannel(side === 'host' ? host : joiner, key, side, {
      aead: 'aes-256-gcm',
      compressions: new Set(['stored']),
    });
    const events: PathEvent[] = [];
    const opened: Lanes[] = [];
    return {
      side,
      channel,
      key,
      events,
      open: async (route, options = {}) => {
        const lanes = new Lanes(channel, key, route, {
          side,
          isSender: side === 'host',
          count: undefined,
          pairing: { path: transport, remoteAddress: '', onWayChanged: () => undefined },
          onEvent: (event) => void events.push(event),
          ...options,
        });
        opened.push(lanes);
        await lanes.open();
        return lanes;
      },
      close: () => {
        channel.destroy();
        for (const lanes of opened) lanes.close();
      },
    };
  };
  return { sender: end('host'), receiver: end('joiner'), cut: () => joiner.destroy() };
}

/** As after a meeting through the DHT on one machine. */
export function byHints(listener?: Listener): LaneRoute {
  return { by: 'hints', listener, seenAs: undefined, isLocal: true };
}

/** A listener for lanes on loopback. */
export function laneListener(): Promise<Listener> {
  return listen({ host: '127.0.0.1', port: 0 }, new Admission());
}

/** A listener that nobody reaches, as behind a firewall: its port is one that no peer dials. */
export const UNREACHABLE: Listener = {
  addresses: [],
  port: 80,
  endPairing: () => undefined,
  takeLanes: () => undefined,
  takeReunions: () => undefined,
  close: () => undefined,
};

/** Sends so many records of 64 KiB, each with its number, and takes them in; throws where one is lost or in the wrong place. */
export async function pour(
  from: SealedChannel,
  to: SealedChannel,
  records: number,
  each?: (index: number) => void,
): Promise<void> {
  to.widen(4 * 2 ** 20);
  const sending = (async (): Promise<void> => {
    for (let index = 0; index < records; index++) {
      const bytes = Buffer.alloc(65_536, index % 251);
      bytes.writeUInt32BE(index);
      const body = { compression: 'stored' as const, rawLength: bytes.length, bytes };
      await from.send({ kind: 'chunk', transfer: 1, entry: 0, offset: index * bytes.length, body });
    }
  })();
  for (let index = 0; index < records; index++) {
    const received = await to.receive();
    if (received === undefined || !('body' in received.item)) throw new Error(`no record ${String(index)}`);
    const bytes = Buffer.from(received.item.body.bytes);
    if (bytes.readUInt32BE() !== index || bytes[70] !== index % 251)
      throw new Error(`not record ${String(index)}`);
    to.release(received.cost);
    each?.(index);
  }
  await sending;
}
