/** What host and joiner have in common: several ways to meet, raced, of which one may win. */
import type { SessionKey } from '../crypto/key-schedule.js';
import { setMaxListeners } from 'node:events';
import { loadSodium } from '../crypto/sodium.js';
import { XferError, toXferError } from '../errors.js';
import type { Channel, Path } from '../transfer/ports.js';
import type { Endpoint } from './address.js';
import type * as authentication from './authenticate.js';
import type { Connection, Transport } from './connection.js';
import type { Bootstrap, DhtNode } from './dht.js';
import { deferred } from './promises.js';

/** What happens until two sides have met. */
export type PeerEvent =
  /** Host: the code to tell the other person. */
  | { readonly type: 'code'; readonly code: string }
  /** With `listen`: where the other side can connect to, as `host:port`, one per address of this machine. */
  | { readonly type: 'listening'; readonly addresses: readonly string[] }
  /** The DHT answered; a host can be found from now on. */
  | { readonly type: 'dht-ready' }
  /** The DHT does not answer; other ways, if any, go on. */
  | { readonly type: 'dht-unreachable' }
  /** Joiner: nobody is there yet. It keeps looking. */
  | { readonly type: 'waiting' }
  /** Host: somebody used a wrong code. `left` more and the code is dead. */
  | { readonly type: 'wrong-guess'; readonly left: number }
  /** File bytes take another way than before, or other lanes: `lanes` of them, 0 where the pairing connection does it. */
  | {
      readonly type: 'path';
      readonly path: Path;
      /** `host:port` of the peer on that way, where it is known. */
      readonly address: string | undefined;
      readonly lanes: number;
    };

/** How two sides may find each other. */
export interface WaysToMeet {
  /** Nodes of a private DHT as `host:port`, the public DHT, or no DHT at all. */
  readonly bootstrap: Bootstrap | 'off';
  /** Waits for a direct TCP connection. */
  readonly listen?: Endpoint;
  /** Dials a direct TCP connection until it is there. */
  readonly connect?: Endpoint;
  readonly onEvent: (event: PeerEvent) => void;
  /** Ends the meeting; it throws `interrupted`. */
  readonly signal: AbortSignal;
}

/** A peer that knows the code, and the code is used up. */
export interface PairedChannel {
  readonly channel: Channel;
  readonly sessionKey: SessionKey;
  readonly path: Path;
  /** `host:port` of the peer. */
  readonly address: string | undefined;
  /** Resolves when the connection is gone and nothing of the meeting is open any more; never rejects. */
  readonly closed: Promise<void>;
}

/** One search for a peer. Ends once, by `win` or `fail`, and aborts everything that runs under its signal. */
export class Meeting {
  readonly #over = new AbortController();
  readonly #outcome = deferred<PairedChannel>();
  readonly #dht: DhtNode | undefined;
  readonly #stopListening: () => void;
  #failure: XferError | undefined;
  #waysLeft = 0;

  constructor(dht: DhtNode | undefined, signal: AbortSignal) {
    this.#dht = dht;
    // Every connection listens; there may be dozens.
    setMaxListeners(0, this.#over.signal);
    const interrupt = (): void => {
      this.fail(new XferError('interrupted'));
    };
    signal.addEventListener('abort', interrupt, { once: true });
    this.#stopListening = () => {
      signal.removeEventListener('abort', interrupt);
    };
    if (signal.aborted) interrupt();
  }

  /** Aborted when the meeting is over, however it ended. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** Why it failed, once it did. */
  get failure(): XferError | undefined {
    return this.#failure;
  }

  /**
   * Runs one way to meet. One that rejects is closed; when it was the last the meeting fails with its reason.
   * One that resolves has done what it could and stays open.
   */
  goBy(way: () => Promise<void>, onClosed: () => void = () => undefined): void {
    this.#waysLeft += 1;
    way().catch((error: unknown) => {
      if (this.isOver) return;
      this.#waysLeft -= 1;
      onClosed();
      if (this.#waysLeft === 0 || toXferError(error).code === 'internal') this.fail(toXferError(error));
    });
  }

  /** Whether this peer is the one: the first who comes. */
  win(connection: Connection, { channel, sessionKey }: authentication.Authenticated): boolean {
    if (this.isOver) return false;
    // What the connection runs over must outlive the meeting.
    const closed = (connection.transport === 'dht' ? connection.closed : Promise.resolve()).then(() =>
      this.#dht?.close(),
    );
    void this.#dht?.leave();
    this.#outcome.resolve({
      channel,
      sessionKey,
      path: connection.path,
      address: connection.remoteAddress,
      closed: Promise.all([closed, connection.closed]).then(() => undefined),
    });
    this.#end(new XferError('code-used'));
    return true;
  }

  /** The first reason counts. */
  fail(error: XferError): void {
    if (this.isOver) return;
    this.#failure = error;
    this.#outcome.reject(error);
    this.#end(error);
  }

  /** The peer, or what the meeting failed of; then nothing is left open. */
  async outcome(): Promise<PairedChannel> {
    try {
      return await this.#outcome.promise;
    } catch (error) {
      await this.#dht?.close();
      throw error;
    }
  }

  #end(reason: XferError): void {
    this.#stopListening();
    this.#over.abort(reason);
  }
}

/** The transports that these ways use. */
export function transportsOf({ bootstrap, listen, connect }: WaysToMeet): Transport[] {
  return [
    ...(bootstrap === 'off' ? [] : ['dht' as const]),
    ...(listen === undefined && connect === undefined ? [] : ['direct' as const]),
  ];
}

/** A signal that is aborted when a connection is gone. */
export function goneSignal(connection: Connection): AbortSignal {
  const gone = new AbortController();
  void connection.closed.then(() => {
    gone.abort(new XferError('peer-gone'));
  });
  return gone.signal;
}

/** Joins a DHT, where one is wanted, and loads what makes topics. Its packages take a while, so only then. */
export async function openDhtFor({ bootstrap }: WaysToMeet): Promise<DhtNode | undefined> {
  if (bootstrap === 'off') return undefined;
  const [{ openDht }] = await Promise.all([import('./dht.js'), loadSodium()]);
  return openDht(bootstrap);
}

/**
 * Loads what proves who knows the code; again is free. It takes several times as long as to make a code or to dial, so
 * whoever will need it calls this early and awaits it late.
 */
export async function loadAuthentication(): Promise<typeof authentication> {
  const [loaded] = await Promise.all([
    import('./authenticate.js'),
    loadSodium(),
    import('./direct-connection.js'),
  ]);
  return loaded;
}

/** Where to dial. Throws `bad-address` without a host. */
export function target(endpoint: Endpoint): Endpoint & { readonly host: string } {
  const { host, port } = endpoint;
  if (host === undefined) throw new XferError('bad-address', { subject: String(port) });
  return { host, port };
}
