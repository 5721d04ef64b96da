import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SessionKey } from '../../../src/crypto/key-schedule.js';
import { Secret } from '../../../src/crypto/secret.js';
import { XferError } from '../../../src/errors.js';
import { SealedChannel } from '../../../src/peer/channel.js';
import type { Connection } from '../../../src/peer/connection.js';
import type { Lane } from '../../../src/peer/lane.js';
import type { Line, LineEvents } from '../../../src/peer/line.js';
import { RecordLine } from '../../../src/peer/record-line.js';
import { RecordPath, type RecordKeys } from '../../../src/peer/record-path.js';
import { deferred } from '../../../src/transfer/deferred.js';
import type { ControlMessage } from '../../../src/transfer/messages.js';
import type { Chunk, Path } from '../../../src/transfer/ports.js';
import { decodeRecord, encodeRecord, type WireRecord } from '../../../src/transfer/records.js';
import { AGREEMENT, lanePair } from '../../support/channels.js';
import { settle, until } from '../../support/turns.js';

const KEY = new SessionKey(new Secret(randomBytes(64)));
const VERIFIED: ControlMessage = { type: 'verified' };

/** What the test has as the joiner, to a channel that is a host. */
function keysOf(handshakeHash: Uint8Array): RecordKeys {
  return {
    aead: AGREEMENT.aead,
    outgoing: KEY.recordSecret(handshakeHash, 0, 'joiner to host'),
    incoming: KEY.recordSecret(handshakeHash, 0, 'host to joiner'),
  };
}

/** In a word: kind and number, of credit how much is acknowledged. */
function named(record: WireRecord): string {
  switch (record.kind) {
    case 'credit':
      return `credit ${record.acknowledged}`;
    case 'end':
      return `end ${record.items}`;
    default:
      return `${record.kind} ${record.sequence}`;
  }
}

function chunk(length = 100): Chunk {
  const body = { compression: 'stored', rawLength: length, bytes: Buffer.alloc(length, 7) } as const;
  return { kind: 'chunk', transfer: 1, entry: 0, offset: 0, body };
}

/** The peer's data and messages. */
const data = (sequence: number, length?: number): WireRecord => ({ ...chunk(length), sequence });
const control = (sequence: number): WireRecord => ({ kind: 'control', sequence, message: VERIFIED });
const credit = (acknowledged: number): WireRecord => ({ kind: 'credit', granted: 2 ** 24, acknowledged });

/** The peer at the other end of a path. */
class Peer {
  readonly #path: RecordPath;
  #heard: string[] = [];
  /** The most that it was granted by this way. */
  granted = 0;

  constructor(handshakeHash: Uint8Array, open: (events: LineEvents) => Line) {
    this.#path = new RecordPath(open, keysOf(handshakeHash), {
      onRecord: (bytes) => {
        const record = decodeRecord(bytes);
        if (record.kind === 'credit') this.granted = Math.max(this.granted, record.granted);
        this.#heard.push(named(record));
      },
      onRoom: () => undefined,
      onOver: () => undefined,
    });
  }

  say(...records: WireRecord[]): void {
    for (const record of records) this.#path.send(encodeRecord(record), record.kind === 'end');
  }

  get hasHeard(): boolean {
    return this.#heard.length > 0;
  }

  /** What came since the last call. */
  heard(): string[] {
    return this.#heard.splice(0);
  }
}

type Used = Pick<
  Connection,
  'handshakeHash' | 'path' | 'closed' | 'handOver' | 'flush' | 'close' | 'destroy'
>;

/** A pairing connection on which everything arrives at once, and its peer. */
class Wire implements Used {
  readonly handshakeHash = randomBytes(64);
  readonly path: Path;
  readonly peer: Peer;
  /** What it was destroyed with. */
  error: Error | undefined;
  isFull = false;
  isClosing = false;
  /** Resolves to whether all has left. */
  leaving: Promise<boolean> = Promise.resolve(true);
  readonly #closed = deferred<undefined>();
  readonly closed: Promise<void> = this.#closed.promise;
  #ours: LineEvents | undefined;
  #theirs: LineEvents | undefined;

  constructor(path: Path = 'direct') {
    this.path = path;
    this.peer = new Peer(this.handshakeHash, (events) => {
      this.#theirs = events;
      return this.#line((message) => this.#ours?.onMessage(message));
    });
  }

  get connection(): Connection {
    return this as unknown as Connection;
  }

  handOver(events: LineEvents): Line {
    this.#ours = events;
    return this.#line((message) => this.#theirs?.onMessage(message));
  }

  /** Hands over what nobody sealed. */
  garble(): void {
    this.#ours?.onMessage(randomBytes(40));
  }

  drain(): void {
    this.isFull = false;
    this.#ours?.onDrain();
  }

  async flush(): Promise<void> {
    if (!(await this.leaving)) throw new XferError('peer-gone');
  }

  /** Until `destroy` the peer has not closed its end. */
  close(): Promise<void> {
    this.isClosing = true;
    return this.closed;
  }

  destroy(error: Error = new XferError('peer-gone')): void {
    if (this.error !== undefined) return;
    this.error = error;
    this.#ours?.onError(error);
    this.#closed.resolve(undefined);
  }

  #line(deliver: (message: Uint8Array) => void): Line {
    return {
      send: (pieces) => {
        if (this.error === undefined) deliver(Buffer.concat(pieces));
        return !this.isFull;
      },
      flush: () => Promise.resolve(true),
      end: () => undefined,
      destroy: (error) => this.destroy(error),
    };
  }
}

function hostOver(path?: Path): { host: SealedChannel; wire: Wire; peer: Peer } {
  const wire = new Wire(path);
  return { host: new SealedChannel(wire.connection, KEY, 'host', AGREEMENT), wire, peer: wire.peer };
}

/** A lane of the host, and the peer at its other end. */
function laneOf(isDialler: boolean): { lane: Lane; peer: Peer; far: Lane } {
  const [near, far] = lanePair();
  const peer = new Peer(far.handshakeHash, (events) => new RecordLine(far.socket, new Uint8Array(0), events));
  return { lane: { ...near, isDialler }, peer, far };
}

/** A lane that counts. */
async function addedLane(
  host: SealedChannel,
  isDialler = false,
): Promise<ReturnType<typeof laneOf> & { onGone: ReturnType<typeof vi.fn> }> {
  const onGone = vi.fn();
  const ends = laneOf(isDialler);
  const counts = host.addLane(ends.lane, onGone);
  ends.peer.say(credit(0));
  expect(await counts).toBe(true);
  await settle();
  return { ...ends, onGone };
}

/** Has nothing leave by a lane until the function given back is called. */
function holdWrites({ socket }: Lane): () => void {
  const written: (() => void)[] = [];
  const write = socket.write.bind(socket);
  const hold = vi.spyOn(socket, 'write').mockImplementation(((bytes: Uint8Array, done: () => void) => {
    written.push(() => write(bytes, done));
    return true;
  }) as typeof socket.write);
  return () => {
    hold.mockRestore();
    for (const letGo of written) letGo();
  };
}

/** Looks at a promise without waiting for it. */
function watch<T>(promise: Promise<T>): { value?: T; error?: unknown } {
  const seen: { value?: T; error?: unknown } = {};
  promise.then(
    (value) => (seen.value = value),
    (error: unknown) => (seen.error = error),
  );
  return seen;
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('what arrived is acknowledged', () => {
  test('at once where it is a message', () => {
    const { peer } = hostOver();
    peer.say(control(0), control(1));
    vi.advanceTimersByTime(0);
    expect(peer.heard()).toEqual(['credit 2']);
    // Data that waits for its acknowledgement does not make a message wait.
    peer.say(data(2), control(3));
    vi.advanceTimersByTime(0);
    expect(peer.heard()).toEqual(['credit 4']);
    vi.advanceTimersByTime(1_000);
    expect(peer.heard()).toEqual([]);
  });

  test('within 50 ms where it is data, and together', () => {
    const { peer } = hostOver();
    peer.say(data(0));
    vi.advanceTimersByTime(30);
    peer.say(data(1), data(2));
    vi.advanceTimersByTime(19);
    expect(peer.heard()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(peer.heard()).toEqual(['credit 3']);
    vi.advanceTimersByTime(1_000);
    expect(peer.heard()).toEqual([]);
  });

  test('by one clock: what comes after a message has its own 50 ms', () => {
    const { peer } = hostOver();
    peer.say(data(0));
    vi.advanceTimersByTime(30);
    peer.say(data(1), control(2));
    vi.advanceTimersByTime(10);
    expect(peer.heard()).toEqual(['credit 3']);
    peer.say(data(3));
    vi.advanceTimersByTime(49);
    expect(peer.heard()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(peer.heard()).toEqual(['credit 4']);
  });

  test('with what is granted, which leaves nothing to acknowledge', async () => {
    const { host, peer } = hostOver();
    peer.say(data(0));
    vi.advanceTimersByTime(30);
    host.release((await host.receive())?.cost ?? 0);
    expect(peer.heard()).toEqual(['credit 1']);
    peer.say(data(1));
    vi.advanceTimersByTime(49);
    expect(peer.heard()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(peer.heard()).toEqual(['credit 2']);
  });

  test('before a message of our own, and not twice', async () => {
    const { host, peer } = hostOver();
    await host.send(VERIFIED);
    expect(peer.heard()).toEqual(['control 0']);
    peer.say(data(0));
    await host.send(VERIFIED);
    expect(peer.heard()).toEqual(['credit 1', 'control 1']);
    await host.send(VERIFIED);
    vi.advanceTimersByTime(1_000);
    expect(peer.heard()).toEqual(['control 2']);
  });

  test('once there is room for it', () => {
    const { wire, peer } = hostOver();
    wire.isFull = true;
    peer.say(control(0));
    vi.advanceTimersByTime(0);
    expect(peer.heard()).toEqual(['credit 1']);
    peer.say(control(1));
    vi.advanceTimersByTime(1_000);
    expect(peer.heard()).toEqual([]);
    wire.drain();
    vi.advanceTimersByTime(50);
    expect(peer.heard()).toEqual(['credit 2']);
  });

  test('no more after our end, and nothing is granted', async () => {
    const { host, wire, peer } = hostOver();
    await host.end();
    expect(peer.heard()).toEqual(['credit 0', 'end 0']);
    peer.say(data(0, 100_000), control(1));
    host.release((await host.receive())?.cost ?? 0);
    host.widen(2 ** 24);
    vi.advanceTimersByTime(1_000);
    expect(peer.heard()).toEqual([]);
    expect(wire.error).toBeUndefined();
  });

  test('not while there is no connection, but on the next one', () => {
    const { host, wire, peer } = hostOver();
    host.outlive(() => undefined);
    peer.say(data(0));
    wire.destroy();
    vi.advanceTimersByTime(50);
    // Nothing looks every 50 ms whether there is one.
    expect(vi.getTimerCount()).toBe(0);
    const next = new Wire();
    host.goOn(next.connection, { sessionKey: KEY, agreement: AGREEMENT }, () => undefined);
    vi.advanceTimersByTime(1_000);
    expect(next.peer.heard()).toEqual(['credit 1']);
  });

  test('not by a channel that failed as it took it', () => {
    const { host, peer } = hostOver();
    host.listenForLanes(() => host.destroy());
    peer.say({ kind: 'control', sequence: 0, message: { type: 'lanes', count: 1 } });
    vi.advanceTimersByTime(1_000);
    expect(peer.heard()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a lane', () => {
  test('of the dialler says first what is granted, and never again', async () => {
    const { host } = hostOver('dht');
    const { lane, peer } = laneOf(true);
    const counts = watch(host.addLane(lane, () => undefined));
    await until(() => peer.hasHeard, 'the first word of the dialler');
    expect(counts).toEqual({});
    peer.say(credit(0), credit(0));
    await until(() => 'value' in counts, 'the proof of the lane');
    await settle();
    expect(counts.value).toBe(true);
    expect(peer.heard()).toEqual(['credit 0']);
  });

  test('of the listener says nothing before the peer did, and the same then, once', async () => {
    const { host } = hostOver('dht');
    const { lane, peer } = laneOf(false);
    const counts = watch(host.addLane(lane, () => undefined));
    await settle();
    expect(peer.heard()).toEqual([]);
    peer.say(credit(0), credit(0));
    await until(() => 'value' in counts, 'the proof of the lane');
    await settle();
    expect(peer.heard()).toEqual(['credit 0']);
  });

  test('of the listener that proves itself after our end is told nothing', async () => {
    const { host } = hostOver('dht');
    const { lane, peer } = laneOf(false);
    const counts = watch(host.addLane(lane, () => undefined));
    await host.end();
    peer.say(credit(0));
    await until(() => 'value' in counts, 'the proof of the lane');
    await settle();
    expect(counts.value).toBe(true);
    expect(peer.heard()).toEqual([]);
  });

  test('is closed where nothing proves it within 5 s, and nobody is told that it is gone', async () => {
    const { host, wire } = hostOver('dht');
    const { lane, peer } = laneOf(false);
    const onGone = vi.fn();
    const counts = watch(host.addLane(lane, onGone));
    await vi.advanceTimersByTimeAsync(4_999);
    await settle();
    expect([counts, lane.socket.destroyed]).toEqual([{}, false]);
    await vi.advanceTimersByTimeAsync(1);
    await settle();
    expect([counts, lane.socket.destroyed]).toEqual([{ value: false }, true]);
    expect(onGone).not.toHaveBeenCalled();
    peer.say(credit(0));
    await settle();
    expect([host.laneCount, wire.error]).toEqual([0, undefined]);
  });

  test.each<[string, (host: SealedChannel) => unknown]>([
    ['ended', (host) => host.end()],
    ['failed', (host) => host.destroy()],
  ])('that comes after the channel %s is closed', async (_, finish) => {
    const { host } = hostOver('dht');
    await finish(host);
    const { lane, peer } = laneOf(true);
    const counts = watch(host.addLane(lane, () => undefined));
    await settle();
    expect([counts, lane.socket.destroyed]).toEqual([{ value: false }, true]);
    expect(peer.heard()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('may be closed when it is closed', async () => {
    const { host } = hostOver('dht');
    const { lane, onGone } = await addedLane(host);
    host.closeLane(lane);
    host.closeLane(lane);
    expect(onGone).toHaveBeenCalledOnce();
  });

  test('that was full takes what waits as soon as it has room', async () => {
    const { host } = hostOver('dht');
    const { lane, peer } = await addedLane(host);
    const letGo = holdWrites(lane);
    await host.send(chunk(2 ** 20));
    await host.send(chunk(2 ** 20));
    const sent = watch(host.send(chunk()));
    await settle();
    expect(sent).toEqual({});
    letGo();
    await until(() => 'value' in sent, 'what waits for room');
    await settle();
    expect(peer.heard()).toEqual(['credit 0', 'chunk 0', 'chunk 1', 'chunk 2']);
  });
});

describe('what was handled is granted', () => {
  test('by the next connection where there was none, with all that was widened', async () => {
    const { host, wire, peer } = hostOver();
    host.outlive(() => undefined);
    peer.say(data(0, 2 ** 17));
    wire.destroy();
    const { cost } = (await host.receive())!;
    host.release(cost);
    host.widen(2 ** 20);
    const next = new Wire();
    host.goOn(next.connection, { sessionKey: KEY, agreement: AGREEMENT }, () => undefined);
    expect(next.peer.heard()).toEqual(['credit 1']);
    expect(next.peer.granted).toBe(2 ** 20 + cost);
  });

  test('by another way where the lane was full, and is gone', async () => {
    const { host, peer } = hostOver('dht');
    const { lane } = await addedLane(host);
    holdWrites(lane);
    // Two of these are more than a lane takes at once.
    for (let sent = 0; sent < 2; sent++) await host.send(chunk(2 ** 20));
    peer.say(data(0, 2 ** 17));
    const { cost } = (await host.receive())!;
    host.release(cost);
    expect(peer.heard()).toEqual([]);
    host.closeLane(lane);
    expect(peer.granted).toBe(2 ** 18 + cost);
  });
});

describe('the end', () => {
  test.each<[string, (host: SealedChannel, peer: Peer) => unknown]>([
    [
      'of the peer came last',
      async (host, peer) => {
        await host.end();
        peer.say({ kind: 'end', items: 0 });
      },
    ],
    [
      'of the peer came first',
      (host, peer) => {
        peer.say({ kind: 'end', items: 0 });
        void host.end();
      },
    ],
  ])('%s: connection and lanes are closed', async (_, endBoth) => {
    const { host, wire, peer } = hostOver('dht');
    const { lane, far } = await addedLane(host);
    const ended = vi.fn();
    far.socket.on('end', ended);
    await endBoth(host, peer);
    await settle();
    expect(peer.heard()).toEqual(['credit 0', 'end 0']);
    // What is under way arrives.
    expect(ended).toHaveBeenCalledOnce();
    expect([wire.isClosing, wire.error]).toEqual([true, undefined]);
    wire.destroy();
    await settle();
    expect(lane.socket.destroyed).toBe(true);
  });

  test('of one side closes nothing', async () => {
    const { host, wire, peer } = hostOver('dht');
    const { lane } = await addedLane(host);
    peer.say({ kind: 'end', items: 0 });
    await settle();
    expect([wire.isClosing, wire.error, lane.socket.destroyed]).toEqual([false, undefined, false]);
  });

  test('is not there before everything has left', async () => {
    const { host, wire } = hostOver();
    const leaving = deferred<boolean>();
    wire.leaving = leaving.promise;
    const ended = watch(host.end());
    await settle();
    expect(ended).not.toHaveProperty('value');
    leaving.resolve(true);
    await until(() => 'value' in ended, 'the end');
  });

  test('leaves by the next connection where one is lost under it', async () => {
    const { host, wire } = hostOver();
    host.outlive(() => undefined);
    const leaving = deferred<boolean>();
    wire.leaving = leaving.promise;
    const ended = watch(host.end());
    await settle();
    wire.destroy();
    leaving.resolve(false);
    await settle();
    expect(ended).toEqual({});
    const next = new Wire();
    host.goOn(next.connection, { sessionKey: KEY, agreement: AGREEMENT }, () => undefined);
    await until(() => 'value' in ended, 'the end');
    expect(next.peer.heard()).toEqual(['credit 0', 'end 0']);
  });
});

describe('a channel that fails', () => {
  test('destroys its connection and all lanes, and tells nobody that these are gone', async () => {
    const { host, wire } = hostOver('dht');
    const [one, other] = [await addedLane(host), await addedLane(host)];
    const unproven = laneOf(false);
    void host.addLane(unproven.lane, () => undefined);
    const error = new XferError('disk-full');
    host.destroy(error);
    expect(wire.error).toBe(error);
    for (const { lane } of [one, other, unproven]) expect(lane.socket.destroyed).toBe(true);
    await settle();
    for (const { onGone } of [one, other]) expect(onGone).not.toHaveBeenCalled();
  });

  test('says why to everybody who waits, and the first reason only', async () => {
    const { host } = hostOver();
    const receiving = watch(host.receive());
    const sending = watch(host.send(chunk(2 ** 20)));
    const error = new XferError('disk-full');
    host.destroy(error);
    host.destroy(new XferError('interrupted'));
    await settle();
    expect([receiving, sending]).toEqual([{ error }, { error }]);
    await expect(host.receive()).rejects.toBe(error);
    await expect(host.send(VERIFIED)).rejects.toBe(error);
    await expect(host.end()).rejects.toBe(error);
  });
});

describe('a connection that is lost', () => {
  test('is not followed by another where the session came to its end meanwhile', async () => {
    const { host, wire } = hostOver('dht');
    host.outlive(() => undefined);
    wire.destroy();
    await settle();
    const error = new XferError('interrupted');
    host.destroy(error);
    const next = new Wire('direct');
    host.goOn(next.connection, { sessionKey: KEY, agreement: AGREEMENT }, () => undefined);
    await settle();
    expect(next.error).toBe(error);
    expect(next.peer.heard()).toEqual([]);
  });

  test.each<[string, (wire: Wire) => void]>([
    ['peer-gone', (wire) => wire.destroy()],
    ['integrity', (wire) => wire.garble()],
  ])('by %s takes its lanes with it, and not the session', async (code, lose) => {
    const { host, wire, peer } = hostOver('dht');
    const { lane, onGone } = await addedLane(host);
    const onLost = vi.fn();
    host.outlive(onLost);
    const receiving = watch(host.receive());
    lose(wire);
    expect(onLost).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code }));
    expect(onGone).toHaveBeenCalledOnce();
    expect([wire.error, lane.socket.destroyed]).toEqual([expect.objectContaining({ code }), true]);
    peer.say(control(0));
    await settle();
    expect(receiving).toEqual({});
    host.destroy();
  });

  test('is followed by one on which everything comes once more, and only once', async () => {
    const { host, wire } = hostOver('dht');
    host.outlive(() => undefined);
    const { peer } = await addedLane(host);
    await host.send(chunk());
    await until(() => peer.hasHeard, 'the chunk on the lane');
    wire.destroy();
    const next = new Wire('dht');
    const onConfirmed = vi.fn();
    host.goOn(next.connection, { sessionKey: KEY, agreement: AGREEMENT }, onConfirmed);
    await settle();
    // Not before the peer has said what it has.
    expect(next.peer.heard()).toEqual(['credit 0']);
    next.peer.say(credit(0));
    await settle();
    next.peer.say(credit(0));
    await settle();
    expect(next.peer.heard()).toEqual(['chunk 0']);
    expect(onConfirmed.mock.calls).toEqual([[1], [2]]);
  });

  test.each<[Path, Path, string]>([
    ['dht', 'direct', 'connection'],
    ['direct', 'dht', 'lane'],
  ])('by way of %s, followed by one by way of %s: data takes the %s', async (before, after, way) => {
    const { host, wire } = hostOver(before);
    host.outlive(() => undefined);
    wire.destroy();
    const next = new Wire(after);
    host.goOn(next.connection, { sessionKey: KEY, agreement: AGREEMENT }, () => undefined);
    const { peer } = await addedLane(host);
    next.peer.heard();
    peer.heard();
    await host.send(chunk());
    await settle();
    const heard = { connection: next.peer.heard(), lane: peer.heard() };
    expect(heard).toEqual({ connection: [], lane: [], [way]: ['chunk 0'] });
  });
});
