import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { XferError } from '../../../src/errors.js';
import { Outgoing } from '../../../src/peer/outgoing.js';
import { Pacer } from '../../../src/peer/pacer.js';
import { Paths } from '../../../src/peer/paths.js';
import type { RecordPath } from '../../../src/peer/record-path.js';
import type { Chunk } from '../../../src/transfer/ports.js';

/** A path that keeps what it is given, as it was at that moment. */
class FakePath {
  readonly sent: Buffer[] = [];
  hasRoom = true;
  isOver = false;
  readonly destroy = vi.fn(() => {
    this.isOver = true;
    this.hasRoom = false;
  });

  send(pieces: readonly Uint8Array[]): void {
    if (!this.isOver) this.sent.push(Buffer.concat(pieces));
  }

  get path(): RecordPath {
    return this as unknown as RecordPath;
  }
}

function chunk(fill: number, length = 1000): Chunk {
  const body = { compression: 'stored', rawLength: length, bytes: Buffer.alloc(length, fill) } as const;
  return { kind: 'chunk', transfer: 1, entry: 0, offset: 0, body };
}

function setUp(isPairingFast = false): {
  pairing: FakePath;
  lane: FakePath;
  paths: Paths;
  outgoing: Outgoing;
  lose: (lane: FakePath) => Promise<void>;
} {
  const [pairing, lane] = [new FakePath(), new FakePath()];
  const paths = new Paths(pairing.path, isPairingFast);
  paths.addLane(lane.path);
  const outgoing = new Outgoing(paths, () => undefined);
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
    expect(lane.destroy).not.toHaveBeenCalled();
    vi.advanceTimersByTime(10_000);
    expect(lane.destroy).toHaveBeenCalledOnce();
    expect(other.destroy).not.toHaveBeenCalled();
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
    expect(done).toHaveBeenCalledOnce();
  });

  test('is acknowledged at the end, or what is lost is told', async () => {
    const { outgoing } = setUp();
    await outgoing.send(chunk(5));
    const finished = outgoing.finish();
    outgoing.fail(new XferError('peer-gone'));
    await expect(finished).rejects.toMatchObject({ code: 'peer-gone' });
  });
});
