/** Hosts and joiners as the library runs them, in one process. */
import { parseCode } from '../../src/crypto/code.js';
import { hostSession, joinSession, type PairedChannel, type PeerEvent } from '../../src/peer/connect.js';
import type { HostOptions } from '../../src/peer/host.js';
import type { JoinOptions } from '../../src/peer/join.js';

type Ways = Partial<
  Pick<HostOptions, 'bootstrap' | 'listen' | 'connect' | 'words'> & Pick<JoinOptions, 'expireMs'>
>;

export interface Run {
  readonly events: readonly PeerEvent[];
  /** The peer, or the code of the error. */
  readonly outcome: Promise<PairedChannel | string>;
  /** Waits for an event of this type. */
  event<T extends PeerEvent['type']>(type: T): Promise<Extract<PeerEvent, { type: T }>>;
  stop(): void;
}

export interface HostRun extends Run {
  /** The code on the screen. */
  readonly code: Promise<string>;
  /** Where it listens. */
  readonly endpoint: () => Promise<{ readonly host: string; readonly port: number }>;
}

export function host(ways: Ways): HostRun {
  const run = start((watch) =>
    hostSession({ words: 2, bootstrap: 'off', lan: false, expireMs: 60_000, ...ways, ...watch }),
  );
  const code = run.event('code').then((event) => event.code);
  // A host that ends before it shows one is the business of who waits for it.
  code.catch(() => undefined);
  return {
    ...run,
    code,
    endpoint: async () => endpointOf((await run.event('listening')).addresses[0] ?? ''),
  };
}

export function join(code: string, ways: Ways): Run {
  const options: Omit<JoinOptions, 'onEvent' | 'signal'> = {
    bootstrap: 'off',
    lan: false,
    expireMs: 60_000,
    ...ways,
    code: parseCode(code),
  };
  return start((watch) => joinSession({ ...options, ...watch }));
}

/** Waits for both and says one word each way, as proof that they met; then closes everything. */
export async function meet(one: Run, other: Run): Promise<void> {
  const [a, b] = await Promise.all([one.outcome, other.outcome]);
  if (typeof a === 'string' || typeof b === 'string') throw new Error(`${show(a)} and ${show(b)}`);
  await Promise.all([a.channel.send({ type: 'verified' }), b.channel.send({ type: 'verified' })]);
  for (const side of [a, b]) {
    const received = await side.channel.receive();
    if (received === undefined || !('type' in received.item)) throw new Error('no word from the peer');
  }
  await Promise.all([a.channel.end(), b.channel.end()]);
  await Promise.all([a.closed, b.closed]);
}

/** The same code with another last word. */
export function mistyped(code: string): string {
  const words = code.split('-');
  return [...words.slice(0, -1), words.at(-1) === 'tiger' ? 'apple' : 'tiger'].join('-');
}

function start(begin: (watch: Pick<HostOptions, 'onEvent' | 'signal'>) => Promise<PairedChannel>): Run {
  const events: PeerEvent[] = [];
  const listeners = new Set<(event: PeerEvent) => void>();
  const stopping = new AbortController();
  const onEvent = (event: PeerEvent): void => {
    events.push(event);
    for (const listener of listeners) listener(event);
  };
  const outcome = begin({ onEvent, signal: stopping.signal }).catch((error: unknown) =>
    String((error as { code?: unknown }).code ?? error),
  );
  return {
    events,
    outcome,
    event: (type) =>
      new Promise((resolve, reject) => {
        const look = (event: PeerEvent): void => {
          if (event.type === type) resolve(event as never);
        };
        events.forEach(look);
        listeners.add(look);
        void outcome.then((end) => {
          reject(new Error(`no ${type}, but ${show(end)}`));
        });
      }),
    stop: () => {
      stopping.abort();
    },
  };
}

function endpointOf(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

function show(end: PairedChannel | string): string {
  return typeof end === 'string' ? end : 'a peer';
}
