/** What host and joiner have in common: several ways to meet, raced, of which one may win. */
import type { Side } from '../crypto/key-schedule.js';
import { setMaxListeners } from 'node:events';
import { isStretched } from '../crypto/code.js';
import { loadHashing, loadPairingSodium } from '../crypto/sodium.js';
import { XferError, toXferError } from '../errors.js';
import { formatAddress, hostOf, isLoopback, type Endpoint } from './address.js';
import { Admission } from './admission.js';
import type * as authentication from './authenticate.js';
import type { Connection, Transport } from './connection.js';
import type { Bootstrap, DhtNode } from './dht.js';
import { isInNetwork, listen, type Listener } from './direct.js';
import type * as localNetwork from './lan.js';
import type { LaneRoute } from './lanes.js';
import { pairedChannel, type ConnectionEvent, type PairedChannel } from './paired-channel.js';
import type { Proxy } from './proxy.js';
import type { Rendezvous, ReunionWays } from './reunion.js';
import { SharedListener } from './shared-listener.js';
import type { Target } from './socket.js';
import { deferred } from '../transfer/deferred.js';

export type { PairedChannel, SessionChannel } from './paired-channel.js';

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
  /** With `connect`: it is dialled by way of this proxy, `host:port`. */
  | { readonly type: 'proxy'; readonly proxy: string }
  /** Joiner: nobody is there yet. It keeps looking. */
  | { readonly type: 'waiting' }
  /** Joiner: somebody seems to be there, and no connection comes about. It keeps trying. */
  | { readonly type: 'unreachable' }
  /** Host: somebody used a wrong code. `left` more and the code is dead. */
  | { readonly type: 'wrong-guess'; readonly left: number }
  /** File bytes take another way than before: lanes, or the pairing connection where there are none. */
  | ConnectionEvent;

/** How two sides may find each other. */
export interface WaysToMeet {
  /** Nodes of a private DHT as `host:port`, the public DHT, or no DHT at all. */
  readonly bootstrap: Bootstrap | 'off';
  /** Public keys, in hexadecimal, of relays of that DHT. */
  readonly relays?: readonly string[] | undefined;
  /** Whether the local network is asked, by multicast. */
  readonly lan: boolean;
  /** Waits for a direct TCP connection. */
  readonly listen?: Endpoint;
  /** Dials a direct TCP connection until it is there. */
  readonly connect?: Endpoint;
  /** By way of which it dials `connect`, and nothing else. */
  readonly proxy?: Proxy | undefined;
  /** Connections for file bytes: 0 for none but the pairing's, as many as help if not given. */
  readonly lanes?: number | undefined;
  /** Where lanes are awaited after a meeting through the DHT; a free port if not given. */
  readonly lanePort?: number | undefined;
  readonly onEvent: (event: PeerEvent) => void;
  /** Ends the meeting; it throws `interrupted`. */
  readonly signal: AbortSignal;
}

/** Room for several peers of one host. */
export interface Places {
  /** How many may have what there is; with the last of them the meeting is over. */
  readonly count: number;
  /** How many may be served at once. */
  readonly atOnce: number;
  /** A peer came. Resolves when its session is over, to whether its place is used up; never rejects. */
  readonly onPeer: (paired: PairedChannel) => Promise<boolean>;
}

/** Where this side listens, by who may come: to pair, over the local network, or for a lane and nothing else. */
type Doors = Partial<Record<'pairing' | 'lan' | 'lane', Listener>>;

/** A search for a peer, or for several. Ends once, by the last `win` or by `fail`, and aborts everything that runs under its signal. */
export class Meeting {
  readonly #over = new AbortController();
  readonly #outcome = deferred<PairedChannel>();
  readonly #side: Side;
  readonly #options: WaysToMeet;
  readonly #dht: DhtNode | undefined;
  readonly #stopListening: () => void;
  #failure: XferError | undefined;
  #waysLeft = 0;
  #doors: Doors = {};
  /** Where there are several peers, one port is for all of their sessions. */
  readonly #shared = new Map<Listener, SharedListener>();
  readonly #places: Places | undefined;
  #served = 0;
  readonly #sessions = new Set<Promise<void>>();
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #closing: Promise<void>[] = [];

  /** @param places Room for several peers; for one if not given. */
  constructor(side: Side, options: WaysToMeet, dht: DhtNode | undefined, places?: Places) {
    this.#side = side;
    this.#options = options;
    this.#dht = dht;
    this.#places = places;
    const { signal } = options;
    // Every connection listens; there may be dozens.
    setMaxListeners(0, this.#over.signal);
    const interrupt = (): void => {
      // The code of a host ends with it; that of a joiner lives on.
      this.fail(new XferError('interrupted', side === 'joiner' ? { subject: 'code' } : {}));
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

  /** What a peer is told that knew the code and comes for nothing. */
  get refusal(): XferError {
    if (this.#failure !== undefined) return this.#failure;
    // A session that fails gives its place back.
    const isCrowded = this.#places !== undefined && this.#served < this.#places.count;
    return new XferError(isCrowded ? 'peer-busy' : 'code-used');
  }

  /** Why the DHT says nothing: no network, or one that lets none of its UDP through. */
  silence(): XferError {
    const { bootstrap } = this.#options;
    const isElsewhere = typeof bootstrap === 'string' || !bootstrap.every((node) => isLoopback(hostOf(node)));
    return new XferError('no-network', isElsewhere && isInNetwork() ? { subject: 'udp' } : {});
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

  /**
   * Listens where this side was told to: on the port for lanes, which nobody may use yet, and for who dials a pairing.
   * Gives the latter. Throws as `listen` does.
   */
  async listen(
    admission: Admission,
    onConnection: (connection: Connection) => void,
  ): Promise<Listener | undefined> {
    const { bootstrap, listen: endpoint, lanes, lanePort } = this.#options;
    if (this.#over.signal.aborted) return undefined;
    if (bootstrap !== 'off' && lanePort !== undefined && lanes !== 0) {
      this.#keep('lane', await listen({ host: undefined, port: lanePort }, new Admission()));
    }
    if (endpoint !== undefined) this.#keep('pairing', await listen(endpoint, admission, onConnection));
    if (this.isOver) this.#closeDoors();
    return this.#doors.pairing;
  }

  /** Listens for who finds this side on the local network. `undefined` where the meeting is over. Throws as `listen` does. */
  async listenOnLan(
    admission: Admission,
    onConnection: (connection: Connection) => void,
  ): Promise<Listener | undefined> {
    const { bootstrap, lanePort } = this.#options;
    if (this.#over.signal.aborted) return undefined;
    const port = bootstrap === 'off' ? (lanePort ?? 0) : 0;
    this.#keep('lan', await listen({ host: undefined, port }, admission, onConnection, 'lan'));
    if (this.isOver) this.#closeDoors();
    return this.#doors.lan;
  }

  /** Calls `close` when the meeting is over, and waits for it at the end of everything. */
  closeWithIt(close: () => Promise<void>): void {
    if (this.isOver) this.#closing.push(close());
    else this.#closers.push(close);
  }

  /** Whether this peer is the one: the first who comes, or one of several. */
  win(connection: Connection, authenticated: authentication.Authenticated): boolean {
    if (this.isOver) return false;
    if (this.#places !== undefined) return this.#winOneOf(this.#places, connection, authenticated);
    const listenPort = this.#doors.pairing?.port;
    const route = this.#laneRoute(connection);
    if (route.by !== 'dialling') void connection.closed.then(() => route.listener?.close());
    // What the connection runs over must outlive the meeting.
    const closed = (connection.transport === 'dht' ? connection.closed : Promise.resolve()).then(() =>
      this.#dht?.close(),
    );
    void this.#dht?.leave();
    this.#outcome.resolve(
      pairedChannel({
        side: this.#side,
        connection,
        authenticated,
        route,
        lanes: this.#options.lanes,
        ways: this.#waysAgain(),
        rendezvous: () => this.#rendezvous(listenPort),
        closed: Promise.all([closed, connection.closed]).then(() => this.#closed()),
      }),
    );
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
      await Promise.all([this.#dht?.close(), this.#closed()]);
      throw error;
    }
  }

  /** Resolves when all places are used up and every session is over. Throws what the meeting failed of, at that time too. */
  async everybodyServed(): Promise<void> {
    try {
      await this.#outcome.promise;
    } finally {
      // None begins any more, and each takes itself away.
      await Promise.all(this.#sessions);
      for (const listener of Object.values(this.#doors)) listener.close();
      await Promise.all([this.#dht?.close(), this.#closed()]);
    }
  }

  #winOneOf(
    { count, atOnce, onPeer }: Places,
    connection: Connection,
    authenticated: authentication.Authenticated,
  ): boolean {
    const inSession = this.#sessions.size;
    // Of those who fail one may come again: his place is his until then.
    if (this.#served + inSession >= count || inSession >= atOnce) return false;
    const paired = pairedChannel({
      side: this.#side,
      connection,
      authenticated,
      route: this.#laneRoute(connection),
      lanes: this.#options.lanes,
      ways: this.#waysAgain(),
      rendezvous: () => Promise.resolve(this.#sharedDoor('pairing')?.rendezvous),
      closed: connection.closed,
    });
    const session = onPeer(paired).then((isServed) => {
      this.#sessions.delete(session);
      if (isServed) this.#served += 1;
      if (this.#served < count || this.isOver) return;
      this.#outcome.resolve(paired);
      this.#end(new XferError('code-used'));
    });
    this.#sessions.add(session);
    return true;
  }

  /** How lanes of a session can come about that began with this connection. Takes a listener over. */
  #laneRoute(connection: Connection): LaneRoute {
    const { isDialler, remote, transport } = connection;
    if (transport !== 'dht' && isDialler) {
      const proxy = transport === 'direct' ? this.#options.proxy : undefined;
      return { by: 'dialling', to: { ...remote, proxy } };
    }
    if (transport !== 'dht') {
      if (this.#options.lanes === 0) return { by: 'listening', listener: undefined };
      return { by: 'listening', listener: this.#lend(transport === 'lan' ? 'lan' : 'pairing') };
    }
    const listener = this.#lend('lane');
    return { by: 'hints', listener, seenAs: this.#dht?.seenAs, isLocal: isLoopback(remote.host) };
  }

  #keep(door: keyof Doors, listener: Listener): void {
    this.#doors[door] = listener;
    if (this.#places !== undefined) this.#shared.set(listener, new SharedListener(listener));
  }

  #sharedDoor(door: keyof Doors): SharedListener | undefined {
    const listener = this.#doors[door];
    return listener && this.#shared.get(listener);
  }

  /** A listener for the lanes of a session: its part of one for all, or the listener itself, which is that session's from now on. */
  #lend(door: keyof Doors): Listener | undefined {
    if (this.#places !== undefined) return this.#sharedDoor(door)?.forSession();
    const { [door]: listener, ...others } = this.#doors;
    this.#doors = others;
    listener?.endPairing();
    return listener;
  }

  #waysAgain(): Omit<ReunionWays, 'listen'> {
    const { bootstrap, relays, lan } = this.#options;
    return { bootstrap, relays, lan, connect: target(this.#options) };
  }

  async #rendezvous(listenPort: number | undefined): Promise<Rendezvous | undefined> {
    const { listen: endpoint } = this.#options;
    if (endpoint === undefined) return undefined;
    const { listenAgain } = await import('./reunion.js');
    return listenAgain({ ...endpoint, port: listenPort ?? endpoint.port });
  }

  async #closed(): Promise<void> {
    await Promise.all(this.#closing);
  }

  #closeDoors(): void {
    for (const listener of Object.values(this.#doors)) {
      // Sessions that are under way need it for their lanes, and to find each other again.
      if (this.#sessions.size > 0) listener.endPairing();
      else listener.close();
    }
  }

  #end(reason: XferError): void {
    this.#closeDoors();
    // Sessions may go on for hours, and nobody is to be found any more.
    if (this.#places !== undefined) void this.#dht?.leave();
    for (const close of this.#closers.splice(0)) this.#closing.push(close());
    this.#stopListening();
    this.#over.abort(reason);
  }
}

/** The transports that these ways use. */
export function transportsOf({ bootstrap, lan, listen, connect }: WaysToMeet): Transport[] {
  return [
    ...(bootstrap === 'off' ? [] : ['dht' as const]),
    ...(lan ? ['lan' as const] : []),
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

/** What of the ways to meet finds the other side by the topic. */
export interface Finders {
  readonly dht: DhtNode | undefined;
  readonly lan: typeof localNetwork | undefined;
}

/**
 * Joins a DHT and gets ready for the local network, where they are wanted, and loads what makes the topic of a code with so many
 * words. The packages take a while, so only then.
 */
export async function openFinders({ bootstrap, relays, lan }: WaysToMeet, words: number): Promise<Finders> {
  if (bootstrap === 'off' && !lan) return { dht: undefined, lan: undefined };
  const [dhtModule, lanModule] = await Promise.all([
    bootstrap === 'off' ? undefined : import('./dht.js'),
    lan ? import('./lan.js') : undefined,
    loadHashing(),
    isStretched(words) ? loadPairingSodium() : undefined,
  ]);
  return { dht: bootstrap === 'off' ? undefined : dhtModule?.openDht(bootstrap, relays), lan: lanModule };
}

/**
 * Loads what proves who knows the code; again is free. It takes several times as long as to make a code or to dial, so
 * whoever will need it calls this early and awaits it late.
 */
export async function loadAuthentication(): Promise<typeof authentication> {
  const [loaded] = await Promise.all([
    import('./authenticate.js'),
    loadPairingSodium(),
    import('./direct-connection.js'),
  ]);
  return loaded;
}

/** Where to dial, `undefined` where nothing is to be dialled. Throws `bad-address` without a host. */
export function target({ connect, proxy }: WaysToMeet): Target | undefined {
  if (connect === undefined) return undefined;
  const { host, port } = connect;
  if (host === undefined) throw new XferError('bad-address', { subject: String(port) });
  return { host, port, proxy };
}

/** Says by way of which proxy it goes, if any. */
export function sayProxy({ proxy }: Target, onEvent: WaysToMeet['onEvent']): void {
  if (proxy !== undefined) onEvent({ type: 'proxy', proxy: formatAddress(proxy.host, proxy.port) });
}
