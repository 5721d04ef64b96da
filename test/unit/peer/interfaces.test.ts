/** What is done where the system does not say which networks there are: a process has all the descriptors it may have. */
import { EventEmitter } from 'node:events';
import * as os from 'node:os';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { lanNameFor, type Topic } from '../../../src/crypto/code.js';
import { loadHashing } from '../../../src/crypto/sodium.js';
import { Admission } from '../../../src/peer/admission.js';
import { isInNetwork, listen } from '../../../src/peer/direct.js';
import { hintsOf, isOnLink, worthDialling } from '../../../src/peer/hints.js';
import { interfaceAddresses } from '../../../src/peer/interfaces.js';
import { searchOnLan, type LanPlace } from '../../../src/peer/lan.js';
import { surveyInterfaces } from '../../../src/peer/surroundings.js';

const TOPIC = Buffer.alloc(32, 9) as Uint8Array as Topic;
const FOLLOW_MS = 1_000;

/** A socket for multicast DNS that nothing leaves. */
class FakeSocket extends EventEmitter {
  static readonly all: FakeSocket[] = [];
  isClosed = false;

  constructor() {
    super();
    FakeSocket.all.push(this);
  }

  query(): void {}

  destroy(): void {
    this.isClosed = true;
  }
}

vi.mock('multicast-dns', () => ({ default: () => new FakeSocket() }));
vi.mock('node:os', async (importOriginal) => {
  const original = await importOriginal<typeof os>();
  return { ...original, networkInterfaces: vi.fn(original.networkInterfaces) };
});

const asked = vi.mocked(os.networkInterfaces);
const ofSystem = asked.getMockImplementation()!;
const address = {
  address: '10.9.0.1',
  netmask: '255.255.255.0',
  cidr: '10.9.0.1/24',
  mac: '',
  internal: false,
};

function plug(): void {
  asked.mockImplementation(() => ({ cable: [{ ...address, family: 'IPv4' }] }));
}

/** As Node does at the limit of descriptors. */
function forget(): void {
  asked.mockImplementation(() => {
    throw new Error('A system error occurred: uv_interface_addresses returned EMFILE');
  });
}

beforeEach(async () => {
  await loadHashing();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
});

afterEach(() => {
  vi.useRealTimers();
  asked.mockImplementation(ofSystem);
  FakeSocket.all.length = 0;
});

test('the addresses are those that the system says', () => {
  const own = Object.values(ofSystem()).flatMap((addresses) => addresses!);
  expect(interfaceAddresses()).toEqual(own);
});

describe('where the system does not say which interfaces there are', () => {
  beforeEach(forget);

  test('there are none for the moment', () => {
    expect(interfaceAddresses()).toEqual([]);
    expect(surveyInterfaces()).toEqual([]);
    expect(isInNetwork()).toBe(false);
    expect(isOnLink('10.9.0.2')).toBe(false);
  });

  test('a session says and dials what needs none', () => {
    expect(hintsOf(40_000, '203.0.113.7', false)).toEqual([{ host: '203.0.113.7', port: 40_000 }]);
    const hint = { host: '203.0.113.8', port: 40_000 };
    expect(worthDialling([hint, { host: '10.9.0.2', port: 40_000 }], false)).toEqual([hint]);
  });

  test('one listens all the same', async () => {
    const listener = await listen({ host: undefined, port: 0 }, new Admission());
    expect(listener.addresses).toEqual([`127.0.0.1:${String(listener.port)}`]);
    listener.close();
  });
});

describe('the local network', () => {
  test('is asked as soon as the system says that there is one', async () => {
    forget();
    const task = searchOnLan(TOPIC, () => undefined);
    expect(FakeSocket.all).toHaveLength(0);
    plug();
    vi.advanceTimersByTime(FOLLOW_MS);
    expect(FakeSocket.all).toHaveLength(1);
    await task.close();
  });

  test('is asked on where the system says nothing for a while, and what is heard then is believed later', async () => {
    plug();
    const found: LanPlace[] = [];
    const task = searchOnLan(TOPIC, (place) => found.push(place));
    const [socket] = FakeSocket.all;
    const answer = { name: lanNameFor(TOPIC), type: 'TXT', ttl: 10, data: 'port=40123' };
    const hear = (): unknown => socket!.emit('response', { answers: [answer] }, { address: '10.9.0.2' });
    forget();
    vi.advanceTimersByTime(FOLLOW_MS);
    expect(hear).not.toThrow();
    expect(FakeSocket.all).toHaveLength(1);
    expect(socket!.isClosed).toBe(false);
    plug();
    vi.advanceTimersByTime(FOLLOW_MS);
    expect(FakeSocket.all).toHaveLength(1);
    hear();
    expect(found).toEqual([{ host: '10.9.0.2', port: 40_123 }]);
    await task.close();
    expect(socket!.isClosed).toBe(true);
  });
});
