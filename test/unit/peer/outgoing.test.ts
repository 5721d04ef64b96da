import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SEAL_OVERHEAD_BYTES } from '../../../src/crypto/record-cipher.js';
import { XferError } from '../../../src/errors.js';
import { Credit } from '../../../src/peer/credit.js';
import { Outgoing } from '../../../src/peer/outgoing.js';
import { Pacer } from '../../../src/peer/pacer.js';
import { Paths } from '../../../src/peer/paths.js';
import type { RecordPath } from '../../../src/peer/record-path.js';
import type { ControlMessage } from '../../../src/transfer/messages.js';
import type { Chunk } from '../../../src/transfer/ports.js';
import { decodeRecord, RECORD_COST, type WireRecord } from '../../../src/transfer/records.js';
import { settle } from '../../support/turns.js';

const VERIFIED: ControlMessage = { type: 'verified' };
const LANES: ControlMessage = { type: 'lanes', count: 2 };
const HINTS: ControlMessage = { type: 'hints', hints: [{ host: '192.0.2.1', port: 4000 }] };

/** A path that keeps what it is given, as it was at that moment. */
class FakePath {
  readonly sent: Buffer[] = [];
  hasRoom = true;
  isOver = false;
  readonly destroy = vi.fn((_error?: Error) => {
    this.isOver = true;
    this.hasRoom = false;
  });

  send(pieces: readonly Uint8Array[]): void {
    if (!this.isOver) this.sent.push(Buffer.concat(pieces));
  }

  get records(): WireRecord[] {
    return this.sent.map(decodeRecord);
  }

  get path(): RecordPath {
    return this as unknown as RecordPath;
  }
}

function chunk(fill: number, length = 1000): Chunk {
  const body = { compression: 'stored', rawLength: length, bytes: Buffer.alloc(length, fill) } as const;
  return { kind: 'chunk', transfer: 1, entry: 0, offset: 0, body };
}

/** Whether a promise is settled as soon as nothing else is left to do. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const done = (): void => void (settled = true);
  void promise.then(done, done);
  await settle(1);
  return settled;
}

const control = (sequence: number, message: ControlMessage): WireRecord => ({
  kind: 'control',
  sequence,
  message,
});

function setUp(
  isPairingFast = false,
  beforeControl: () => void = () => undefined,
): {
  pairing: FakePath;
  lane: FakePath;
  paths: Paths;
  outgoing: Outgoing;
  lose: (lane: FakePath) => Promise<void>;
} {
  const [pairing, lane] = [new FakePath(), new FakePath()];
  const paths = new Paths(pairing.path, isPairingFast);
  paths.addLane(lane.path);
  const outgoing = new Outgoing(paths, beforeControl);
  const lose = (lost: FakePath): Promise<void> => {
    lost.destroy();
    paths.removeLane(lost.path);
    return outgoing.sendAgain(lost.path);
  };
  return { pairing, lane, paths, outgoing, lose };
}

describe('records', () => {
  test('are an eighth of the most that the peer had open, and of content no less than 64 KiB', async () => {
    const { outgoing } = setUp();
    expect(outgoing.pieceBytes()).toBe(2 ** 16);
    outgoing.takeCredit(2 ** 21, 0);
    expect(outgoing.pieceBytes()).toBe(2 ** 18);
    await outgoing.send(chunk(1, 2 ** 20));
    // Much was granted in all by now, and no more is open.
    outgoing.takeCredit(2 ** 21 + 2 ** 19, 1);
    expect(outgoing.pieceBytes()).toBe(2 ** 18);
    outgoing.takeCredit(2 ** 24, 1);
    expect(outgoing.pieceBytes()).toBe(2 ** 20);
    outgoing.pacer = new Pacer(80_000);
    expect(outgoing.pieceBytes()).toBeLessThan(2 ** 14);
  });
});

describe('what goes out', () => {
  test('is numbered, messages by the pairing connection and data over lanes, and counted', async () => {
    const before: number[] = [];
    const { pairing, lane, outgoing } = setUp(false, () => before.push(pairing.sent.length));
    await Promise.all([outgoing.send(VERIFIED), outgoing.send(chunk(1)), outgoing.send(LANES)]);
    expect(pairing.records).toEqual([control(0, VERIFIED), control(2, LANES)]);
    expect(lane.records).toMatchObject([{ kind: 'chunk', sequence: 1 }]);
    expect(before).toEqual([0, 1]);
    expect(outgoing.items).toBe(3);
    await outgoing.send(chunk(2));
    const lengths = lane.sent.map(({ length }) => length + SEAL_OVERHEAD_BYTES);
    expect(outgoing.dataBytes).toBe(lengths[0]! + lengths[1]!);
  });

  test('is within the credit, to its last byte', async () => {
    const { lane, outgoing } = setUp();
    await outgoing.send(chunk(0, 100));
    const more = lane.sent[0]!.length - 100 + SEAL_OVERHEAD_BYTES + RECORD_COST;
    // Each chunk's header is as long, but for what its length takes.
    const rest = Credit.FIRST_BYTES - 100 - more;
    const last = outgoing.send(chunk(1, rest - more - 2));
    expect(await isSettled(last)).toBe(true);
    expect(lane.sent[1]!.length + SEAL_OVERHEAD_BYTES + RECORD_COST).toBe(rest);
    const next = outgoing.send(chunk(2, 100));
    expect(await isSettled(next)).toBe(false);
    outgoing.takeCredit(Credit.FIRST_BYTES + 100 + more - 1, 0);
    expect(await isSettled(next)).toBe(false);
    outgoing.takeCredit(Credit.FIRST_BYTES + 100 + more, 0);
    expect(await isSettled(next)).toBe(true);
    expect(lane.sent).toHaveLength(3);
  });

  test('is never acknowledged before it was sent', async () => {
    const { outgoing } = setUp();
    await outgoing.send(VERIFIED);
    expect(() => outgoing.takeCredit(0, 2)).toThrow(
      expect.objectContaining({ code: 'protocol', subject: 'acknowledged' }) as Error,
    );
    outgoing.takeCredit(0, 1);
  });

  test('waits for a limit', async () => {
    const { lane, outgoing } = setUp();
    // A clock that stands: what was sent already takes one millisecond more.
    outgoing.pacer = new Pacer(1_000_000, () => 0);
    outgoing.pacer.take(101_000);
    const sending = outgoing.send(chunk(1));
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    expect(lane.sent).toEqual([]);
    await sending;
    expect(lane.sent).toHaveLength(1);
  });

  test('fails with the channel: what waits for credit, and all after it', async () => {
    const { pairing, lane, outgoing } = setUp();
    const waiting = outgoing.send(chunk(1, 2 ** 20));
    const behind = outgoing.send(VERIFIED);
    expect(await isSettled(waiting)).toBe(false);
    outgoing.fail(new XferError('integrity'));
    for (const sent of [waiting, behind, outgoing.send(VERIFIED), outgoing.finish()])
      await expect(sent).rejects.toMatchObject({ code: 'integrity' });
    expect([...pairing.sent, ...lane.sent]).toEqual([]);
  });

  test('does not go where the channel failed while it waited for room', async () => {
    const { lane, paths, outgoing } = setUp();
    lane.hasRoom = false;
    const sending = outgoing.send(chunk(1));
    expect(await isSettled(sending)).toBe(false);
    outgoing.fail(new XferError('integrity'));
    paths.close();
    await expect(sending).rejects.toMatchObject({ code: 'integrity' });
    expect(lane.sent).toEqual([]);
  });
});

describe('a side that gives up', () => {
  test('sends no content that waits for credit or comes after it, and its word at once', async () => {
    const { pairing, lane, outgoing } = setUp();
    // Words have credit where this has not.
    const waiting = outgoing.send(chunk(1, Credit.FIRST_BYTES));
    const word = outgoing.send(VERIFIED);
    expect(await isSettled(word)).toBe(false);
    outgoing.giveUp();
    await word;
    for (const content of [waiting, outgoing.send(chunk(2))])
      await expect(content).rejects.toMatchObject({ code: 'interrupted' });
    expect(pairing.records).toEqual([control(0, VERIFIED)]);
    expect(lane.sent).toEqual([]);
    outgoing.takeCredit(0, 1);
    await outgoing.finish();
  });

  test('sends no content that waits for room, which costs it no credit', async () => {
    const { pairing, lane, outgoing } = setUp();
    await outgoing.send(chunk(1));
    lane.hasRoom = false;
    const waiting = outgoing.send(chunk(2, Credit.FIRST_BYTES - 2_000));
    expect(await isSettled(waiting)).toBe(false);
    outgoing.giveUp();
    await expect(waiting).rejects.toMatchObject({ code: 'interrupted' });
    for (let word = 0; word < 2; word++) await outgoing.send(VERIFIED);
    expect(pairing.records).toEqual([control(1, VERIFIED), control(2, VERIFIED)]);
    expect(lane.sent).toHaveLength(1);
  });

  test('is told what arrives, and how long each is waited for', async () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    const { outgoing } = setUp();
    expect(outgoing.delivery).toEqual({ items: 0, waitedMs: 0 });
    for (let sent = 1; sent <= 3; sent++) await outgoing.send(chunk(sent));
    now.mockReturnValue(400);
    outgoing.takeCredit(0, 1);
    expect(outgoing.delivery).toEqual({ items: 1, waitedMs: 400 });
    now.mockReturnValue(1_000);
    outgoing.takeCredit(0, 1);
    outgoing.takeCredit(0, 3);
    expect(outgoing.delivery).toEqual({ items: 3, waitedMs: 600 });
    now.mockReturnValue(60_000);
    await outgoing.send(chunk(4));
    now.mockReturnValue(60_100);
    outgoing.takeCredit(0, 4);
    expect(outgoing.delivery).toEqual({ items: 4, waitedMs: 100 });
    now.mockRestore();
  });
});

describe('the end', () => {
  test('waits until all has arrived, and nothing goes after it', async () => {
    const { pairing, lane, outgoing } = setUp();
    await outgoing.send(VERIFIED);
    await outgoing.send(chunk(1));
    const finished = outgoing.finish();
    expect(await isSettled(finished)).toBe(false);
    await expect(outgoing.send(VERIFIED)).rejects.toMatchObject({ code: 'internal' });
    outgoing.takeCredit(0, 1);
    expect(await isSettled(finished)).toBe(false);
    outgoing.takeCredit(0, 2);
    await finished;
    expect([pairing.sent.length, lane.sent.length]).toEqual([1, 1]);
  });

  test('waits for nothing where nothing is under way', async () => {
    await setUp().outgoing.finish();
    const { outgoing } = setUp();
    await outgoing.send(VERIFIED);
    outgoing.takeCredit(0, 1);
    await outgoing.finish();
  });

  test('waits no longer than the peer is there, and repeats nothing that took the same way', async () => {
    const { pairing, outgoing } = setUp();
    await outgoing.send(VERIFIED);
    await outgoing.send(chunk(1));
    const finished = outgoing.finish();
    expect(await isSettled(finished)).toBe(false);
    outgoing.peerEnded();
    await finished;
    expect(pairing.records).toMatchObject([control(0, VERIFIED), { kind: 'chunk', sequence: 1 }]);
  });
});

describe('over another connection', () => {
  /** A session that said all there is to say, and lost its ways. */
  async function lost(): Promise<ReturnType<typeof setUp> & { next: FakePath }> {
    const session = setUp();
    await session.outgoing.send(HINTS);
    await session.outgoing.send(VERIFIED);
    await session.outgoing.send(chunk(7));
    await session.outgoing.send(LANES);
    session.paths.removeLane(session.lane.path);
    const next = new FakePath();
    session.paths.replacePairing(next.path, true);
    return { ...session, next };
  }
  const NOTHING: ControlMessage = { type: 'hints', hints: [] };

  test('all goes again that did not arrive, as it was, but for what was said of lanes', async () => {
    const { pairing, lane, next, outgoing } = await lost();
    const before = [pairing.sent.length, lane.sent.length];
    await outgoing.sendAllAgain();
    expect(next.records).toEqual([
      control(0, NOTHING),
      control(1, VERIFIED),
      lane.records[0],
      control(3, NOTHING),
    ]);
    expect([pairing.sent.length, lane.sent.length]).toEqual(before);
  });

  test('all goes before our end where the peer has ended, and nothing behind it', async () => {
    const { next, outgoing } = await lost();
    outgoing.peerEnded();
    await outgoing.finish();
    const all = [
      control(0, NOTHING),
      control(1, VERIFIED),
      expect.objectContaining({ sequence: 2 }),
      control(3, NOTHING),
    ];
    expect(next.records).toEqual(all);
    outgoing.repeat();
    // Behind the end nothing comes.
    outgoing.takeCredit(0, 1);
    await outgoing.sendAllAgain();
    expect(next.records).toEqual(all);
  });

  test('what was said of lanes and did not leave before does not go, and what it cost is there for others', async () => {
    const { lane, paths, outgoing } = setUp();
    await outgoing.send(chunk(1, Credit.FIRST_BYTES - 2000));
    const length = lane.sent[0]!.length + SEAL_OVERHEAD_BYTES;
    const data = outgoing.send(chunk(2, 2000));
    const talk = [outgoing.send(HINTS), outgoing.send(LANES)];
    paths.removeLane(lane.path);
    const next = new FakePath();
    paths.replacePairing(next.path, true);
    talk.push(outgoing.send(HINTS));
    expect(await isSettled(data)).toBe(false);
    outgoing.takeCredit(2 ** 20, 1);
    await Promise.all([data, ...talk]);
    expect(next.records.map(({ kind }) => kind)).toEqual(['chunk', 'control']);
    expect(next.records[1]).toEqual(control(2, HINTS));
    expect(outgoing.items).toBe(3);
    // Everything that was granted and not used is for this.
    const cost = next.sent.map((sent) => sent.length + SEAL_OVERHEAD_BYTES + RECORD_COST);
    const rest = 2 ** 20 - length - RECORD_COST - cost[0]! - cost[1]!;
    const more = next.sent[0]!.length - 2000 + SEAL_OVERHEAD_BYTES + RECORD_COST;
    expect(await isSettled(outgoing.send(chunk(3, rest - more - 1)))).toBe(true);
  });

  test('what arrives meanwhile does not go', async () => {
    const { next, paths, outgoing } = await lost();
    next.hasRoom = false;
    const again = outgoing.sendAllAgain();
    outgoing.takeCredit(0, 3);
    next.hasRoom = true;
    paths.wake();
    await again;
    expect(next.records).toEqual([control(3, NOTHING)]);
  });

  test.each<[string, (outgoing: Outgoing, paths: Paths, third: FakePath) => void]>([
    ['that one is lost too', (_, paths, third) => paths.replacePairing(third.path, true)],
    ['the channel fails', (outgoing) => outgoing.fail(new XferError('integrity'))],
  ])('nothing goes any more where %s', async (_, end) => {
    const { next, paths, outgoing } = await lost();
    const third = new FakePath();
    next.hasRoom = false;
    const again = outgoing.sendAllAgain();
    end(outgoing, paths, third);
    next.hasRoom = true;
    paths.wake();
    await again;
    expect([...next.sent, ...third.sent]).toEqual([]);
  });
});

describe('what goes out over lanes', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  test('is sent again as it was, and not at all once it arrived', async () => {
    const { pairing, lane, paths, outgoing, lose } = setUp();
    const [first, second] = [chunk(1), chunk(2)];
    await outgoing.send(first, () => (first.body.bytes as Buffer).fill(0xff));
    await outgoing.send(second);
    pairing.hasRoom = false;
    const again = lose(lane);
    // Over the lane, before it was gone.
    outgoing.takeCredit(0, 1);
    pairing.hasRoom = true;
    paths.wake();
    await again;
    expect(pairing.sent.map((sent) => sent.at(-1))).toEqual([2]);
  });

  test('is not given to a path that is gone when its turn comes', async () => {
    for (let hops = 0; hops < 12; hops++) {
      const { pairing, lane, outgoing, lose } = setUp();
      const sending = outgoing.send(chunk(7));
      for (let hop = 0; hop < hops; hop++) await Promise.resolve();
      void lose(lane);
      await sending;
      await vi.waitFor(() => expect([...pairing.sent, ...lane.sent]).not.toEqual([]));
      // What the lane took before it was lost goes twice.
      await vi.waitFor(() => expect(pairing.sent, `after ${String(hops)}`).toHaveLength(1));
    }
  });

  test('row 52: is bounded where the peer grants without end and acknowledges nothing', async () => {
    const { lane, outgoing } = setUp();
    outgoing.takeCredit(Number.MAX_SAFE_INTEGER, 0);
    const sends = Array.from({ length: 60 }, (_, index) => outgoing.send(chunk(index, 2 ** 20)));
    for (let turn = 0; turn < 1000; turn++) await Promise.resolve();
    expect(lane.sent.length).toBeLessThan(40);
    outgoing.takeCredit(0, lane.sent.length);
    await Promise.all(sends.slice(0, 50));
    outgoing.takeCredit(0, lane.sent.length);
    await Promise.all(sends);
    expect(lane.sent).toHaveLength(60);
  });

  test('row 28: leaves a lane that lives and delivers nothing', async () => {
    const { lane, paths, outgoing } = setUp();
    const other = new FakePath();
    await outgoing.send(chunk(1));
    lane.hasRoom = false;
    paths.addLane(other.path);
    await outgoing.send(chunk(2));
    vi.advanceTimersByTime(55_000);
    outgoing.takeCredit(0, 0);
    await outgoing.send(chunk(3));
    expect(lane.destroy).not.toHaveBeenCalled();
    vi.advanceTimersByTime(10_000);
    expect(lane.destroy).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'peer-gone' }));
    expect(other.destroy).not.toHaveBeenCalled();
  });

  test('leaves the pairing connection to who watches that', async () => {
    const { pairing, outgoing } = setUp();
    await outgoing.send(VERIFIED);
    vi.advanceTimersByTime(200_000);
    expect(pairing.destroy).not.toHaveBeenCalled();
  });

  test('is not sent again where the channel failed', async () => {
    const { pairing, lane, paths, outgoing, lose } = setUp();
    await outgoing.send(chunk(1));
    pairing.hasRoom = false;
    const again = lose(lane);
    outgoing.fail(new XferError('integrity'));
    paths.close();
    await again;
    expect(pairing.sent).toEqual([]);
    // Nor is anything watched.
    expect(vi.getTimerCount()).toBe(0);
  });

  test('leaves no lane that delivers, however slowly', async () => {
    const { lane, outgoing } = setUp();
    for (let sent = 1; sent <= 4; sent++) await outgoing.send(chunk(sent));
    for (let arrived = 1; arrived <= 4; arrived++) {
      vi.advanceTimersByTime(55_000);
      outgoing.takeCredit(0, arrived);
    }
    vi.advanceTimersByTime(100_000);
    expect(lane.destroy).not.toHaveBeenCalled();
  });

  test('keeps to the limit a second time as well', async () => {
    const { lane, outgoing, lose } = setUp();
    await outgoing.send(chunk(1));
    const pacer = new Pacer(1_000_000);
    const take = vi.spyOn(pacer, 'take');
    outgoing.pacer = pacer;
    await lose(lane);
    expect(take).toHaveBeenCalledOnce();
    expect(take.mock.calls[0]?.[0]).toBeGreaterThan(1000);
  });

  test('goes once more by the pairing connection where the peer ended before it said what arrived', async () => {
    const { pairing, outgoing } = setUp();
    const done = vi.fn();
    await outgoing.send(chunk(5), done);
    outgoing.peerEnded();
    await outgoing.finish();
    expect(pairing.sent.map((sent) => sent.at(-1))).toEqual([5]);
    // It may be lost there too.
    expect(done).not.toHaveBeenCalled();
  });

  test('is acknowledged at the end, or what is lost is told', async () => {
    const { outgoing } = setUp();
    await outgoing.send(chunk(5));
    const finished = outgoing.finish();
    outgoing.fail(new XferError('peer-gone'));
    await expect(finished).rejects.toMatchObject({ code: 'peer-gone' });
  });
});
