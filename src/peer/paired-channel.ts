/** A peer that was met and has proven what it had to: what a session needs of it, whichever way it was met. */
import type { SessionKey, Side } from '../crypto/key-schedule.js';
import { toXferError } from '../errors.js';
import type { Channel, Path } from '../transfer/ports.js';
import { isLoopback } from './address.js';
import type { Authenticated } from './authenticate.js';
import type { Connection } from './connection.js';
import type { LaneRoute, PathEvent } from './lanes.js';
import type { Rendezvous, Reunion, ReunionEvent, ReunionWays } from './reunion.js';

/** What a session needs of a channel, besides the transfer. */
export interface SessionChannel extends Channel {
  /** From now on this side sends no more than so many bytes per second, by all ways together. */
  limitTo(bytesPerSecond: number): void;
}

/** What happens to the connections of a session. */
export type ConnectionEvent = PathEvent | ReunionEvent;

/** A peer that knows the code, which is used up, or a device that was recognised. */
export interface PairedChannel {
  readonly side: Side;
  readonly channel: SessionChannel;
  readonly sessionKey: SessionKey;
  readonly path: Path;
  /** `host:port` of the peer. */
  readonly address: string | undefined;
  /** Aborted, with an `XferError` as its reason, when the session must end whatever it is doing. */
  readonly ended?: AbortSignal;
  /** To be called when the session is over, over however many connections it went. */
  readonly release?: () => void;
  /** Lets lanes come about, from now until the connection is gone. The peer must have been told nothing but who we are. */
  openLanes(isSender: boolean, onEvent: (event: ConnectionEvent) => void): void;
  /** From now on a connection that is lost does not end the session: both sides look for each other for so many milliseconds. */
  keepTogether(
    isSender: boolean,
    patienceMs: number,
    onEvent: (event: ConnectionEvent) => void,
  ): Promise<Reunion>;
  /** Resolves when the first connection is gone and nothing of the meeting is open any more; never rejects. */
  readonly closed: Promise<void>;
}

/** How two sides met, and may meet again. */
export interface Encounter {
  readonly side: Side;
  readonly connection: Connection;
  readonly authenticated: Authenticated;
  readonly route: LaneRoute;
  /** See `WaysToMeet`. */
  readonly lanes: number | undefined;
  readonly ways: Omit<ReunionWays, 'listen'>;
  /** Where the other side dialled, if it did. */
  readonly rendezvous: () => Promise<Rendezvous | undefined>;
  /** See `PairedChannel`. */
  readonly closed: Promise<void>;
}

export function pairedChannel(encounter: Encounter): PairedChannel {
  const { side, connection, authenticated, route, closed } = encounter;
  const { channel, sessionKey } = authenticated;
  return {
    side,
    channel,
    sessionKey,
    path: connection.path,
    address: connection.remoteAddress,
    openLanes: (isSender, onEvent) => {
      openLanes(encounter, connection, sessionKey, route, isSender, onEvent).catch((error: unknown) =>
        channel.destroy(toXferError(error)),
      );
    },
    keepTogether: (isSender, patienceMs, onEvent) => keepTogether(encounter, isSender, patienceMs, onEvent),
    closed,
  };
}

async function openLanes(
  { side, authenticated: { channel }, lanes: count }: Encounter,
  connection: Connection,
  sessionKey: SessionKey,
  route: LaneRoute,
  isSender: boolean,
  onEvent: (event: ConnectionEvent) => void,
): Promise<void> {
  const { Lanes } = await import('./lanes.js');
  const lanes = new Lanes(channel, sessionKey, route, {
    side,
    isSender,
    count,
    pairing: connection,
    onEvent,
  });
  void connection.closed.then(() => lanes.close());
  await lanes.open();
}

async function keepTogether(
  encounter: Encounter,
  isSender: boolean,
  patienceMs: number,
  onEvent: (event: ConnectionEvent) => void,
): Promise<Reunion> {
  const { side, authenticated, ways, rendezvous } = encounter;
  const { channel, sessionKey } = authenticated;
  const [{ Reunion }, listen] = await Promise.all([import('./reunion.js'), rendezvous()]);
  return new Reunion(channel, sessionKey, {
    side,
    ways: { ...ways, listen },
    patienceMs,
    onEvent,
    onReunited: (connection, key) => {
      if (connection.transport === 'dht') {
        const isLocal = isLoopback(connection.remote.host);
        const route = { by: 'hints', listener: undefined, seenAs: undefined, isLocal } as const;
        // That there are no lanes is no failure.
        openLanes(encounter, connection, key, route, isSender, onEvent).catch(() => undefined);
      } else {
        channel.listenForLanes(() => undefined);
      }
    },
  });
}
