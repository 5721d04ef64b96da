/**
 * Finding each other on the local network, with no internet: multicast DNS (RFC 6762) on every interface. A record says nothing but a
 * hash of the topic and a port; whoever answers is reached where the answer came from. The only file that knows multicast-dns.
 */
import { createSocket, type RemoteInfo } from 'node:dgram';
import { isIPv4 } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import multicastDns, { type MulticastDNS, type QueryPacket, type ResponsePacket } from 'multicast-dns';
import { lanNameFor, type Topic } from '../crypto/code.js';
import { isLinkLocal } from './address.js';
import { isOnLink } from './hints.js';
import { interfacesNow } from './interfaces.js';

/** Where somebody listens, as a stranger says. */
export interface LanPlace {
  /** A literal address, with its zone where it needs one. */
  readonly host: string;
  readonly port: number;
}

/** How often interfaces are looked at: a cable may be plugged in later. */
const FOLLOW_MS = 1_000;
/** Who waits asks that often at first, and then less. */
const ASK_SOON_MS = 200;
const ASK_MS = 1_000;
const SOON_ASKS = 10;
/** An answer is not repeated before, whoever asks (RFC 6762, section 6, says a second for records that somebody may have cached). */
const ANSWER_EVERY_MS = 100;
/** How long somebody may remember a record, in seconds. */
const TTL_S = 10;
/** How long the farewell may take. */
const FAREWELL_MS = 200;
const LOWEST_PORT = 1024;
/** Records in one answer: they fit into a packet of any network. */
const MOST_ANSWERS = 12;
/** Nobody has more places to be found at: who says so wants others not to be tried. */
const MOST_PORTS_OF_ONE = 8;
const IPV4_GROUP = '224.0.0.251';
const IPV6_GROUP = 'ff02::fb';

/** A machine without any interface for this long is on no network. */
const INTERFACE_MS = 8_000;

/** More are not listened to. */
const MOST_NEIGHBOURS = 1_000;

/** Something that goes on until it is closed. */
export interface LanTask {
  /** Whether this machine has an interface for it; waits 8 s for one. Throws the signal's reason. */
  isUsable(signal: AbortSignal): Promise<boolean>;
  /** Resolves when nothing of it is open any more; never rejects. */
  close(): Promise<void>;
}

/** A place that can be found under topics, which may change. */
export interface LanAnnouncement extends LanTask {
  /** From now on it is found under these, and under no other. */
  setTopics(topics: readonly Topic[]): void;
}

/** Answers who looks for one of the topics: somebody listens on `port` here. */
export function announceOnLan(topics: readonly Topic[], port: number): LanAnnouncement {
  let names = new Set(topics.map(lanNameFor));
  const say = (socket: MulticastDNS, what: Iterable<string>, ttl: number, onSaid?: () => void): void => {
    const answers = [...what].map(
      (name) => ({ name, type: 'TXT', ttl, data: `port=${String(port)}` }) as const,
    );
    if (answers.length === 0) onSaid?.();
    // A packet holds no more.
    for (let at = 0; at < answers.length; at += MOST_ANSWERS) {
      const isLast = at + MOST_ANSWERS >= answers.length;
      socket.respond(
        { answers: answers.slice(at, at + MOST_ANSWERS) },
        undefined,
        isLast ? onSaid : undefined,
      );
    }
  };
  const open = new Set<MulticastDNS>();
  const sockets = new Sockets((socket, closed) => {
    const saidMs = new Map<string, number>();
    const answer = (asked: readonly string[]): void => {
      const now = performance.now();
      const due = asked.filter((name) => now - (saidMs.get(name) ?? -Infinity) >= ANSWER_EVERY_MS);
      for (const name of due) saidMs.set(name, now);
      if (due.length > 0) say(socket, due, TTL_S);
    };
    open.add(socket);
    closed.addEventListener('abort', () => open.delete(socket), { once: true });
    // Who looks already need not ask again.
    socket.on('ready', () => answer([...names]));
    socket.on('query', ({ questions = [] }: QueryPacket) => {
      answer([...new Set(questions.map(({ name }) => name.toLowerCase()))].filter((name) => names.has(name)));
    });
  });
  return {
    isUsable: (signal) => sockets.isAnyOpen(signal),
    setTopics: (others) => {
      const next = new Set(others.map(lanNameFor));
      for (const socket of open) {
        say(
          socket,
          [...names].filter((name) => !next.has(name)),
          0,
        );
        say(
          socket,
          [...next].filter((name) => !names.has(name)),
          TTL_S,
        );
      }
      names = next;
    },
    close: () => sockets.close((socket, done) => say(socket, names, 0, done)),
  };
}

/** Looks for who announces the topic; tells every answer, also those that were told before. */
export function searchOnLan(topic: Topic, onFound: (place: LanPlace) => void): LanTask {
  const name = lanNameFor(topic);
  const known = new Map<string, Set<number>>();
  const isCredible = (host: string, port: number): boolean => {
    const ports = known.get(host) ?? new Set<number>();
    if (ports.size < MOST_PORTS_OF_ONE && known.size < MOST_NEIGHBOURS) known.set(host, ports.add(port));
    return ports.has(port);
  };
  const sockets = new Sockets((socket, closed) => {
    let asks = 0;
    const ask = (): void => {
      if (closed.aborted) return;
      socket.query([{ name, type: 'TXT' }]);
      setTimeout(ask, asks++ < SOON_ASKS ? ASK_SOON_MS : ASK_MS).unref();
    };
    socket.on('ready', ask);
    socket.on('response', (response: ResponsePacket, { address }: RemoteInfo) => {
      for (const port of portsIn(response, name)) {
        if (isOnLink(address) && isCredible(address, port)) onFound({ host: address, port });
      }
    });
  });
  return {
    isUsable: (signal) => sockets.isAnyOpen(signal),
    close: () => sockets.close((_, done) => done()),
  };
}

/** Ports that a response names for `name`. Anybody may have sent it. */
export function portsIn({ answers = [] }: ResponsePacket, name: string): number[] {
  const ports: number[] = [];
  for (const answer of answers) {
    if (answer.type !== 'TXT' || !isName(answer.name, name) || answer.ttl === 0) continue;
    const text = [answer.data].flat().map(String).join('');
    const port = Number(/^port=(\d{4,5})$/.exec(text)?.[1]);
    if (port >= LOWEST_PORT && port <= 65_535) ports.push(port);
  }
  return ports;
}

/** Names in DNS are the same in capitals. */
function isName(one: string, other: string): boolean {
  return one.toLowerCase() === other;
}

type OnSocket = (socket: MulticastDNS, closed: AbortSignal) => void;

/** A socket for each interface and family that takes part: a datagram leaves by one interface only. */
class Sockets {
  readonly #open = new Map<string, { readonly socket: MulticastDNS; readonly closed: AbortController }>();
  readonly #onSocket: OnSocket;
  readonly #following: NodeJS.Timeout;

  constructor(onSocket: OnSocket) {
    this.#onSocket = onSocket;
    this.#follow();
    this.#following = setInterval(() => this.#follow(), FOLLOW_MS).unref();
  }

  async isAnyOpen(signal: AbortSignal): Promise<boolean> {
    for (let waitedMs = 0; this.#open.size === 0 && waitedMs < INTERFACE_MS; waitedMs += FOLLOW_MS) {
      await sleep(FOLLOW_MS, undefined, { signal });
    }
    return this.#open.size > 0;
  }

  /** Closes all, each after `farewell`, and no later than 200 ms from now. */
  async close(farewell: (socket: MulticastDNS, done: () => void) => void): Promise<void> {
    clearInterval(this.#following);
    const all = [...this.#open.keys()].map(async (place) => {
      const socket = this.#open.get(place)?.socket;
      if (socket === undefined) return;
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, FAREWELL_MS);
        farewell(socket, () => {
          clearTimeout(late);
          resolve();
        });
      });
      this.#drop(place);
    });
    await Promise.all(all);
  }

  #follow(): void {
    const interfaces = interfacesNow();
    // Where the system does not say which there are, those of before go on.
    if (interfaces === undefined) return;
    const places = placesOn(interfaces);
    for (const place of this.#open.keys()) if (!places.has(place)) this.#drop(place);
    for (const [place, { family, on }] of places) if (!this.#open.has(place)) this.#add(place, family, on);
  }

  #add(place: string, family: 4 | 6, on: string): void {
    const isIPv6 = family === 6;
    const socket = multicastDns({
      socket: createSocket({ type: isIPv6 ? 'udp6' : 'udp4', reuseAddr: true, ipv6Only: isIPv6 }),
      type: isIPv6 ? 'udp6' : 'udp4',
      ip: isIPv6 ? IPV6_GROUP : IPV4_GROUP,
      interface: on,
      bind: isIPv6 ? '::' : '0.0.0.0',
    });
    const closed = new AbortController();
    this.#open.set(place, { socket, closed });
    // Another program may keep the port to itself, and an interface may go at any time: it is tried again.
    socket.on('error', () => {
      if (this.#open.get(place)?.socket === socket) this.#drop(place);
    });
    socket.on('warning', () => undefined);
    this.#onSocket(socket, closed.signal);
  }

  #drop(place: string): void {
    const { socket, closed } = this.#open.get(place) ?? {};
    this.#open.delete(place);
    closed?.abort();
    socket?.destroy();
  }
}

/** Where sockets belong: the first IPv4 address of an interface, and its link if it speaks IPv6. */
function placesOn(
  interfaces: NonNullable<ReturnType<typeof interfacesNow>>,
): Map<string, { family: 4 | 6; on: string }> {
  const places = new Map<string, { family: 4 | 6; on: string }>();
  for (const [name, addresses = []] of Object.entries(interfaces)) {
    const usable = addresses.filter(({ internal }) => !internal);
    const four = usable.find(({ address }) => isIPv4(address));
    if (four !== undefined) places.set(`4 ${name} ${four.address}`, { family: 4, on: four.address });
    const six = usable.find(({ address }) => !isIPv4(address) && isLinkLocal(address));
    if (six?.family !== 'IPv6') continue;
    const zone = process.platform === 'win32' ? String(six.scopeid) : name;
    places.set(`6 ${name}`, { family: 6, on: `::%${zone}` });
  }
  return places;
}
