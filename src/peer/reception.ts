/** The side that waits for the devices that it remembers, for as long as it runs, and takes as many as come. */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { daysAround, deviceTopic, type KnownDevice } from '../crypto/device.js';
import type { Topic } from '../crypto/code.js';
import type { KeyPair } from '../crypto/x25519.js';
import { XferError } from '../errors.js';
import { isLoopback } from './address.js';
import { Admission } from './admission.js';
import { receiveChosen, refuse } from './chosen.js';
import type { Connection } from './connection.js';
import type { Recognized } from './device-authenticate.js';
import type { Bootstrap, DhtNode } from './dht.js';
import { listen, type Listener } from './direct.js';
import type { LanAnnouncement } from './lan.js';
import type { LaneRoute } from './lanes.js';
import { loadAuthentication, openFinders, type WaysToMeet } from './meeting.js';
import { pairedChannel, type PairedChannel } from './paired-channel.js';
import { SharedListener } from './shared-listener.js';

export interface ReceptionOptions<T extends KnownDevice> extends Omit<WaysToMeet, 'connect'> {
  /** The key pair of this machine. Stays the caller's, until `closed`. */
  readonly own: KeyPair;
  /** The devices that are remembered now. Whoever comes is looked up in them by then. */
  readonly remembered: () => Promise<readonly T[]>;
  /** A device came. Resolves when its session is over, and the channel closed; never rejects. */
  readonly onSession: (paired: PairedChannel, device: T) => Promise<void>;
  /** How many there may be at once, of all devices; 128 if not given. */
  readonly mostSessions?: number;
}

/** How often the day is looked at, in milliseconds. */
const REFRESH_MS = 60_000;
/** A DHT that did not answer is asked again after this long: a machine may start before its network. */
const RETRY_MS = 10_000;
/** Sessions of one device at once. */
const MOST_SESSIONS_OF_ONE = 8;
/** Sessions at once, of all devices: each may hold some ten connections and files open, and a few MiB. */
const MOST_SESSIONS = 128;

export class Reception<T extends KnownDevice> {
  readonly #options: ReceptionOptions<T>;
  readonly #over = new AbortController();
  /** One for all ways: strangers get no more by coming several ways. */
  readonly #admission = new Admission();
  #devices: readonly T[] = [];
  /** By the device's public key. */
  readonly #sessions = new Map<string, number>();
  /** Sessions of all of them. */
  #sessionCount = 0;
  #listener: SharedListener | undefined;
  #laneListener: SharedListener | undefined;
  #lanListener: SharedListener | undefined;
  #lan: LanAnnouncement | undefined;
  #dht: DhtNode | undefined;
  /** What is announced in the DHT, by topic. */
  readonly #announced = new Map<string, AbortController>();
  #isInDht = false;
  readonly #refreshing: NodeJS.Timeout;
  #stopping: Promise<unknown> = Promise.resolve();

  private constructor(options: ReceptionOptions<T>) {
    this.#options = options;
    // Every connection listens.
    setMaxListeners(0, this.#over.signal);
    this.#refreshing = setInterval(() => this.#refresh(), REFRESH_MS).unref();
  }

  /**
   * Begins to wait. Says `listening`, `dht-ready` and `dht-unreachable` as a host does.
   *
   * @throws XferError `port-in-use`, `bad-address`, `permission-denied`. Nothing stays open then.
   */
  static async open<T extends KnownDevice>(options: ReceptionOptions<T>): Promise<Reception<T>> {
    const reception = new Reception(options);
    try {
      await reception.#open();
      return reception;
    } catch (error) {
      await reception.close();
      throw error;
    }
  }

  /** From now on these can find this side, and no others. */
  welcome(devices: readonly T[]): void {
    this.#devices = devices;
    this.#refresh();
  }

  /** Takes nobody any more. Sessions live on. */
  stop(): void {
    if (this.#over.signal.aborted) return;
    clearInterval(this.#refreshing);
    this.#over.abort(new XferError('interrupted'));
    for (const listener of [this.#listener, this.#laneListener, this.#lanListener]) listener?.close();
    this.#stopping = Promise.all([this.#lan?.close(), this.#dht?.leave()]);
  }

  /** Closes everything, and with it sessions that came through the DHT. */
  async close(): Promise<void> {
    this.stop();
    await Promise.all([this.#stopping, this.#dht?.close()]);
  }

  async #open(): Promise<void> {
    const { bootstrap, lan, listen: endpoint, lanes, lanePort, onEvent } = this.#options;
    loadAuthentication().catch(() => undefined);
    const finders = await openFinders({ ...this.#options, bootstrap: 'off' }, 0);
    const share = async (listener: Promise<Listener>): Promise<SharedListener> =>
      new SharedListener(await listener);
    if (endpoint !== undefined) {
      this.#listener = await share(listen(endpoint, this.#admission, this.#take));
    }
    if (bootstrap !== 'off' && lanePort !== undefined && lanes !== 0) {
      this.#laneListener = await share(listen({ host: undefined, port: lanePort }, new Admission()));
    }
    if (lan) {
      const port = bootstrap === 'off' ? (lanePort ?? 0) : 0;
      const anywhere = { host: undefined, port };
      this.#lanListener = await share(listen(anywhere, this.#admission, this.#take, 'lan'));
      this.#lan = finders.lan?.announceOnLan([], this.#lanListener.port);
    }
    if (this.#listener !== undefined) onEvent({ type: 'listening', addresses: this.#listener.addresses });
    // It ends by itself, soon after everything else.
    if (bootstrap !== 'off') this.#joinDht(bootstrap).catch(() => undefined);
  }

  /** Joins the DHT as soon as it answers. Rejects when the reception is over. */
  async #joinDht(bootstrap: Bootstrap): Promise<void> {
    const { relays, onEvent } = this.#options;
    const { signal } = this.#over;
    const { openDht } = await import('./dht.js');
    for (let tries = 0; ; tries += 1) {
      signal.throwIfAborted();
      const dht = openDht(bootstrap, relays);
      this.#dht = dht;
      if (await dht.isReachable()) break;
      this.#dht = undefined;
      await dht.close();
      signal.throwIfAborted();
      if (tries === 0) onEvent({ type: 'dht-unreachable' });
      // One that began without a network stays without.
      await sleep(RETRY_MS, undefined, { signal });
    }
    signal.throwIfAborted();
    onEvent({ type: 'dht-ready' });
    this.#isInDht = true;
    this.#refresh();
  }

  /** Announces what is to be found today, and takes back what is not. */
  #refresh(): void {
    if (this.#over.signal.aborted) return;
    const { own } = this.#options;
    const days = daysAround(Date.now());
    const topics = this.#devices.flatMap(({ secret }) =>
      days.map((day) => deviceTopic(secret, own.publicKey, day)),
    );
    this.#lan?.setTopics(topics);
    if (this.#isInDht) this.#announce(topics);
  }

  #announce(topics: readonly Topic[]): void {
    const wanted = new Map(topics.map((topic) => [nameOf(topic), topic]));
    for (const [name, announced] of this.#announced) {
      if (wanted.has(name)) continue;
      announced.abort();
      this.#announced.delete(name);
    }
    for (const [name, topic] of wanted) {
      if (this.#announced.has(name)) continue;
      const withdrawn = new AbortController();
      this.#announced.set(name, withdrawn);
      // One that fails is announced again by hyperdht, which does so every few minutes.
      this.#dht?.announce(topic, this.#admission, this.#take, withdrawn.signal).catch(() => undefined);
    }
  }

  readonly #take = (connection: Connection): void => {
    void this.#serve(connection);
  };

  /** One connection, from its first message to `chosen` or its end. Never rejects. */
  async #serve(connection: Connection): Promise<void> {
    const { own, remembered } = this.#options;
    const { signal } = this.#over;
    const drop = (): void => {
      connection.destroy();
    };
    signal.addEventListener('abort', drop, { once: true });
    try {
      signal.throwIfAborted();
      const [{ recognizeDevice }] = await Promise.all([
        import('./device-authenticate.js'),
        loadAuthentication(),
      ]);
      const recognized = await recognizeDevice(connection, own, remembered);
      signal.removeEventListener('abort', drop);
      await this.#attend(connection, recognized);
    } catch {
      // What strangers do wrong is their business.
      connection.destroy();
    } finally {
      signal.removeEventListener('abort', drop);
    }
  }

  /** A device, from its proof to the end of its session. Rejects where it leaves before that begins. */
  async #attend(connection: Connection, recognized: Recognized<T>): Promise<void> {
    const { channel, sessionKey, device } = recognized;
    const name = nameOf(device.publicKey);
    const count = this.#sessions.get(name) ?? 0;
    if (
      count >= MOST_SESSIONS_OF_ONE ||
      this.#sessionCount >= (this.#options.mostSessions ?? MOST_SESSIONS)
    ) {
      sessionKey.erase();
      await refuse(channel, new XferError('peer-busy'));
      return;
    }
    this.#sessions.set(name, count + 1);
    this.#sessionCount += 1;
    try {
      if (await receiveChosen(channel, this.#over.signal)) {
        await this.#options.onSession(this.#meet(connection, recognized), device);
      } else {
        channel.destroy();
      }
    } finally {
      this.#sessionCount -= 1;
      const left = (this.#sessions.get(name) ?? 1) - 1;
      if (left === 0) this.#sessions.delete(name);
      else this.#sessions.set(name, left);
    }
  }

  #meet(connection: Connection, recognized: Recognized<T>): PairedChannel {
    const { bootstrap, relays, lan, lanes } = this.#options;
    return pairedChannel({
      side: 'host',
      connection,
      authenticated: recognized,
      route: this.#routeOf(connection),
      lanes,
      ways: { bootstrap, relays, lan, connect: undefined },
      rendezvous: () => Promise.resolve(this.#listener?.rendezvous),
      closed: connection.closed,
    });
  }

  #routeOf({ transport, remote }: Connection): LaneRoute {
    if (transport !== 'dht') {
      const listener = transport === 'lan' ? this.#lanListener : this.#listener;
      return { by: 'listening', listener: this.#options.lanes === 0 ? undefined : listener?.forSession() };
    }
    const listener = this.#laneListener?.forSession();
    return { by: 'hints', listener, seenAs: this.#dht?.seenAs, isLocal: isLoopback(remote.host) };
  }
}

function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
