/** What a search for a lost session opens by one way is closed at its end, whatever becomes of the others. The network is not there: multicast is a fake. */
import { EventEmitter, once } from 'node:events';
import * as net from 'node:net';
import * as os from 'node:os';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadHashing, loadPairingSodium } from '../../../src/crypto/sodium.js';
import { DiscreetDht } from '../../../src/peer/discreet-dht.js';
import { Reunion, type ReunionWays } from '../../../src/peer/reunion.js';
import { deferred } from '../../../src/transfer/deferred.js';
import { session, type End } from '../../support/lanes.js';

interface Packet {
  readonly answers?: readonly { readonly data: string }[];
}

/** A socket for multicast DNS: what is said at one is heard at all others, as from loopback. */
class FakeSocket extends EventEmitter {
  static readonly open = new Set<FakeSocket>();
  /** Ports that somebody said to listen at. */
  static readonly ports: number[] = [];

  constructor() {
    super();
    FakeSocket.open.add(this);
    process.nextTick(() => this.emit('ready'));
  }

  query(questions: readonly unknown[]): void {
    this.#tell('query', { questions });
  }

  respond(packet: Packet, _: unknown, done?: () => void): void {
    for (const { data } of packet.answers ?? []) FakeSocket.ports.push(Number(data.slice('port='.length)));
    this.#tell('response', packet);
    done?.();
  }

  destroy(): void {
    FakeSocket.open.delete(this);
  }

  #tell(event: string, packet: object): void {
    for (const other of FakeSocket.open) {
      if (other !== this) other.emit(event, packet, { address: '127.0.0.1' });
    }
  }
}

vi.mock('multicast-dns', () => ({ default: () => new FakeSocket() }));
vi.mock('node:os', async (importOriginal) => {
  const original = await importOriginal<typeof os>();
  return { ...original, networkInterfaces: vi.fn(original.networkInterfaces) };
});
vi.mock('node:net', async (importOriginal) => {
  const original = await importOriginal<typeof net>();
  return { ...original, createServer: vi.fn(original.createServer) };
});

/** Any way but the DHT could in this time. */
const PATIENCE_MS = 20_000;
/** Nobody is there. */
const NO_DHT = ['127.0.0.1:9'];

const cleanups: (() => unknown)[] = [];
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeEach(async () => {
  await Promise.all([loadHashing(), loadPairingSodium()]);
  process.on('unhandledRejection', note);
  // Loopback, as if it led to somebody.
  const address = {
    address: '127.0.0.1',
    netmask: '255.0.0.0',
    cidr: '127.0.0.1/8',
    mac: '',
    internal: false,
  };
  vi.mocked(os.networkInterfaces).mockReturnValue({ cable: [{ ...address, family: 'IPv4' }] });
});

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
  FakeSocket.open.clear();
  FakeSocket.ports.length = 0;
  process.off('unhandledRejection', note);
  vi.restoreAllMocks();
  expect(unhandled.splice(0)).toEqual([]);
});

/** Keeps one side of a session together. */
function keepTogether(
  { side, channel, key, close }: End,
  ways: Pick<ReunionWays, 'bootstrap' | 'lan'>,
): { readonly reunion: Reunion; readonly met: Promise<undefined> } {
  const met = deferred<undefined>();
  channel.widen(2 ** 20);
  const reunion = new Reunion(channel, key, {
    side,
    ways: { ...ways, relays: undefined, listen: undefined, connect: undefined },
    patienceMs: PATIENCE_MS,
    onEvent: () => undefined,
    onReunited: () => met.resolve(undefined),
  });
  cleanups.push(async () => {
    close();
    reunion.close();
    await reunion.closed();
  });
  return { reunion, met: met.promise };
}

test('a node of the DHT that gives up takes nothing with it that the local network has open', async () => {
  const { sender, cut } = await session();
  const gaveUp = vi.spyOn(DiscreetDht.prototype, 'destroy');
  const { reunion } = keepTogether(sender, { bootstrap: NO_DHT, lan: true });
  cut();
  await vi.waitFor(() => expect(gaveUp).toHaveBeenCalled(), { timeout: 15_000 });
  expect([FakeSocket.open.size, FakeSocket.ports.length]).toEqual([1, 1]);
  const [port = 0] = FakeSocket.ports;
  reunion.close();
  await reunion.closed();
  expect(FakeSocket.open.size).toBe(0);
  const [error] = (await once(net.connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
});

test('a side that could not listen at first, for want of descriptors, is met all the same', async () => {
  vi.mocked(net.createServer).mockImplementationOnce(() => {
    const server = new net.Server();
    server.listen = () => {
      const error = Object.assign(new Error('too many open files'), { code: 'EMFILE' });
      process.nextTick(() => server.emit('error', error));
      return server;
    };
    return server;
  });
  const tries = vi.mocked(net.createServer).mock.calls.length;
  const { sender, receiver, cut } = await session();
  const reunited = [sender, receiver].map((end) => keepTogether(end, { bootstrap: 'off', lan: true }).met);
  const heard = receiver.channel.receive();
  cut();
  await sender.channel.send({ type: 'counting', transfer: 1, entries: 7, bytes: 0 });
  expect((await heard)?.item).toMatchObject({ type: 'counting', entries: 7 });
  await Promise.all(reunited);
  expect(vi.mocked(net.createServer).mock.calls.length - tries).toBe(2);
});
