import { afterEach, describe, expect, test, vi } from 'vitest';
import { Paths } from '../../../src/peer/paths.js';
import type { RecordPath } from '../../../src/peer/record-path.js';
import { settle } from '../../support/turns.js';

/** As much of a path as the choice of one needs. */
function path(hasRoom = true): RecordPath & { hasRoom: boolean } {
  return { hasRoom } as unknown as RecordPath & { hasRoom: boolean };
}

/** Whether somebody who waits for room has it, as soon as nothing else is left to do. */
function waiter(paths: Paths): () => Promise<boolean> {
  let hasRoom = false;
  void paths.room().then(() => (hasRoom = true));
  return async () => {
    await settle(1);
    return hasRoom;
  };
}

afterEach(() => void vi.useRealTimers());

describe('data goes', () => {
  test('over lanes where there are some, and over the pairing connection where there are none', () => {
    const [pairing, one, other] = [path(), path(), path()];
    const paths = new Paths(pairing, false);
    expect([paths.next, paths.fastest, paths.laneCount]).toEqual([pairing, pairing, 0]);
    paths.addLane(one);
    paths.addLane(other);
    expect(paths.laneCount).toBe(2);
    expect(paths.next).toBe(one);
    one.hasRoom = false;
    expect(paths.next).toBe(other);
    other.hasRoom = false;
    // Not over the pairing connection, though there is room.
    expect(paths.next).toBe(one);
    expect(paths.fastest).toBe(one);
    paths.removeLane(one);
    expect(paths.fastest).toBe(other);
    paths.removeLane(other);
    expect([paths.next, paths.fastest, paths.pairing]).toEqual([pairing, pairing, pairing]);
  });

  test('over a fast pairing connection first, and over lanes beside it', () => {
    const [pairing, lane] = [path(), path()];
    const paths = new Paths(pairing, true);
    paths.addLane(lane);
    expect(paths.next).toBe(pairing);
    pairing.hasRoom = false;
    expect(paths.next).toBe(lane);
    expect(paths.fastest).toBe(pairing);
    lane.hasRoom = false;
    expect(paths.next).toBe(pairing);
  });

  test('over the pairing connection that took the place of a lost one', async () => {
    const [lost, lane, next] = [path(false), path(false), path()];
    const paths = new Paths(lost, false);
    paths.addLane(lane);
    const hasRoom = waiter(paths);
    expect(await hasRoom()).toBe(false);
    paths.replacePairing(next, true);
    expect(await hasRoom()).toBe(true);
    expect([paths.pairing, paths.next, paths.fastest]).toEqual([next, next, next]);
    paths.replacePairing(next, false);
    expect(paths.fastest).toBe(lane);
  });
});

describe('who has data', () => {
  test('waits while nothing takes it, and no longer', async () => {
    const pairing = path(false);
    const paths = new Paths(pairing, false);
    const both = [waiter(paths), waiter(paths)];
    const have = (): Promise<boolean[]> => Promise.all(both.map((has) => has()));
    expect(await have()).toEqual([false, false]);
    // Called for nothing, as where the room that there was is taken again.
    paths.wake();
    expect(await have()).toEqual([false, false]);
    pairing.hasRoom = true;
    paths.wake();
    expect(await have()).toEqual([true, true]);
    expect(await waiter(paths)()).toBe(true);
  });

  test.each<[string, (paths: Paths, full: RecordPath) => void]>([
    ['there is a lane with room', (paths) => paths.addLane(path())],
    ['a full lane is gone', (paths, full) => paths.removeLane(full)],
    ['all is over', (paths) => paths.close()],
  ])('goes on where %s', async (_, change) => {
    const full = path(false);
    const paths = new Paths(path(), false);
    paths.addLane(full);
    const hasRoom = waiter(paths);
    expect(await hasRoom()).toBe(false);
    change(paths, full);
    expect(await hasRoom()).toBe(true);
  });

  test('has the time counted that it waited', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const pairing = path(false);
    const paths = new Paths(pairing, false);
    for (const [waitMs, sumMs] of [
      [300, 300],
      [200, 500],
    ] as const) {
      pairing.hasRoom = false;
      const waiting = paths.room();
      vi.advanceTimersByTime(waitMs);
      pairing.hasRoom = true;
      paths.wake();
      await waiting;
      await paths.room();
      expect(paths.blockedMs).toBe(sumMs);
    }
  });
});
