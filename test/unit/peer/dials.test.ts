import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Topic } from '../../../src/crypto/code.js';
import { Candidates, type AttemptOutcome } from '../../../src/peer/candidates.js';
import type { Connection } from '../../../src/peer/connection.js';
import type { DhtNode, DhtPeer } from '../../../src/peer/dht.js';
import { Dials, lookUp } from '../../../src/peer/dials.js';
import { deferred, type Deferred } from '../../../src/transfer/deferred.js';
import { settle } from '../../support/turns.js';

/** As long as a dial may take before it makes room. */
const DIAL_MS = 5_000;

/** Who answered: what is done with it is not the dial's business. */
const CONNECTION = {} as unknown as Connection;

/** A dial under way, which the test lets end. */
interface Dial {
  readonly value: number;
  readonly signal: AbortSignal;
  readonly answer: Deferred<Connection>;
}

/** Dials whose every answer is the test's: who is dialled, and what the attempts with those who answer come to. */
class Place {
  readonly stop = new AbortController();
  readonly candidates = new Candidates<number>();
  readonly dialled: Dial[] = [];
  readonly attempts: Deferred<AttemptOutcome>[] = [];
  readonly tried: Connection[] = [];
  rooms = Infinity;
  readonly dials = new Dials(
    this.stop.signal,
    (connection) => {
      this.tried.push(connection);
      const outcome = deferred<AttemptOutcome>();
      this.attempts.push(outcome);
      return outcome.promise;
    },
    () => this.dialled.length < this.rooms,
  );

  /** Tells of so many, each by a teller of its own, or all by one. */
  tell(count: number, teller?: string): void {
    const from = this.candidates.size;
    for (let index = from; index < from + count; index++)
      this.candidates.add(String(index), index, teller ?? `teller ${index}`);
  }

  start(): void {
    this.dials.start(this.candidates, (value, signal) => {
      const answer = deferred<Connection>();
      signal.addEventListener('abort', () => answer.reject(new Error('given up')));
      this.dialled.push({ value, signal, answer });
      return answer.promise;
    });
  }

  /** How many dials were given up. */
  get givenUp(): number {
    return this.dialled.filter(({ signal }) => signal.aborted).length;
  }
}

describe('dials', () => {
  let place: Place;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    place = new Place();
  });
  afterEach(() => void vi.useRealTimers());

  test('row 17: are eight at once, and more only to who has nobody dialled for it', async () => {
    place.tell(50, 'liar');
    place.start();
    expect(place.dialled).toHaveLength(8);
    // Each of others has one, up to a bound.
    place.tell(1, 'honest');
    place.start();
    expect(place.dialled.map(({ value }) => value)).toContain(50);
    expect(place.dialled).toHaveLength(9);
    place.tell(50);
    place.start();
    expect(place.dialled).toHaveLength(32);
    expect(place.dials.isBusy).toBe(true);
    // One that fails makes room for one, by itself.
    place.dialled[8]!.answer.reject(new Error('nobody there'));
    await settle(1);
    expect(place.dialled).toHaveLength(33);
  });

  test('end where nobody is left, and begin again for who failed when its time has come', async () => {
    expect(place.dials.isBusy).toBe(false);
    place.tell(1);
    place.start();
    place.start();
    expect(place.dialled).toHaveLength(1);
    place.dialled[0]!.answer.reject(new Error('nobody there'));
    await settle(1);
    expect(place.dials.isBusy).toBe(false);
    expect(place.dialled).toHaveLength(1);
    vi.advanceTimersByTime(1_000);
    place.start();
    expect(place.dialled.map(({ value }) => value)).toEqual([0, 0]);
    expect(place.tried).toEqual([]);
  });

  test('lead to attempts, during which others are dialled and after which who refused is not', async () => {
    place.tell(8, 'teller');
    place.rooms = 7;
    place.start();
    place.rooms = 8;
    place.dialled[0]!.answer.resolve(CONNECTION);
    await settle(1);
    expect(place.tried).toEqual([CONNECTION]);
    expect(place.dialled).toHaveLength(8);
    place.attempts[0]!.resolve('refused');
    for (const { answer } of place.dialled.slice(1)) answer.reject(new Error('nobody there'));
    await settle(1);
    expect(place.dials.isBusy).toBe(false);
    place.rooms = Infinity;
    vi.advanceTimersByTime(1_000_000);
    place.start();
    const again = place.dialled.slice(8).map(({ value }) => value);
    expect(again).toHaveLength(7);
    expect(again).not.toContain(place.dialled[0]!.value);
  });

  test('wait for an attempt where there is no room for another connection', async () => {
    place.tell(2);
    place.rooms = 1;
    place.start();
    place.dialled[0]!.answer.resolve(CONNECTION);
    await settle(1);
    expect(place.dialled).toHaveLength(1);
    place.rooms = 2;
    place.attempts[0]!.resolve('failed');
    await settle(1);
    expect(place.dialled).toHaveLength(2);
  });

  test('that are slow make room for others and go on, eight of them; more are given up', async () => {
    place.tell(100, 'teller');
    place.start();
    vi.advanceTimersByTime(DIAL_MS - 1);
    expect(place.dialled).toHaveLength(8);
    vi.advanceTimersByTime(1);
    expect([place.dialled.length, place.givenUp]).toEqual([16, 0]);
    // As many go on as may, so these end.
    vi.advanceTimersByTime(DIAL_MS);
    await settle(1);
    expect([place.dialled.length, place.givenUp]).toEqual([24, 8]);
    expect(place.dialled.slice(0, 8).map(({ signal }) => signal.aborted)).toEqual(Array(8).fill(false));
    // One of the slow ones answers after all; the next that is slow takes its place.
    place.dialled[0]!.answer.resolve(CONNECTION);
    await settle(1);
    expect(place.tried).toHaveLength(1);
    expect(place.dialled).toHaveLength(24);
    vi.advanceTimersByTime(DIAL_MS);
    await settle(1);
    expect([place.dialled.length, place.givenUp]).toEqual([32, 15]);
  });

  test('that ended are slow no more', async () => {
    place.tell(1);
    place.start();
    place.dialled[0]!.answer.resolve(CONNECTION);
    await settle(1);
    expect(vi.getTimerCount()).toBe(0);
    expect(place.dials.isBusy).toBe(false);
  });

  test('end with what they are for, and no more begin', async () => {
    place.tell(20, 'teller');
    place.start();
    place.stop.abort();
    expect(place.givenUp).toBe(8);
    await settle(1);
    place.start();
    expect(place.dialled).toHaveLength(8);
    expect(place.dials.isBusy).toBe(false);
  });

  test('have room for as many connections as they like where nothing else is said', () => {
    const dials = new Dials(new AbortController().signal, () => new Promise(() => undefined));
    place.tell(1);
    let count = 0;
    dials.start(place.candidates, () => {
      count += 1;
      return new Promise(() => undefined);
    });
    expect(count).toBe(1);
  });
});

describe('a look-up', () => {
  const peer = (byte: number): DhtPeer => ({ publicKey: Buffer.alloc(32, byte), relayAddresses: [] });
  const TOPIC = Buffer.alloc(32, 9) as Uint8Array as Topic;

  /** A node that tells this, and then fails. */
  function node(told: readonly { teller: string; peers: DhtPeer[] }[]): DhtNode {
    const telling = async function* (): AsyncGenerator<(typeof told)[number]> {
      yield* told;
      throw new Error('no network');
    };
    return { told: telling } as unknown as DhtNode;
  }

  test('tells of each that a node tells of at once, and a failure of it is no news', async () => {
    const candidates = new Candidates<DhtPeer>();
    const sizes: number[] = [];
    const dht = node([
      { teller: 'one', peers: [peer(1), peer(2)] },
      { teller: 'other', peers: [peer(2), peer(3)] },
    ]);
    await lookUp(dht, TOPIC, candidates, new AbortController().signal, () => sizes.push(candidates.size));
    expect(sizes).toEqual([2, 3]);
    expect(candidates.next(0, false, () => 0)).toEqual({ id: '01'.repeat(32), value: peer(1) });
  });

  test('that is over takes note of nobody', async () => {
    const candidates = new Candidates<DhtPeer>();
    const onTold = vi.fn();
    await lookUp(node([{ teller: 'one', peers: [peer(1)] }]), TOPIC, candidates, AbortSignal.abort(), onTold);
    expect(candidates.size).toBe(0);
    expect(onTold).not.toHaveBeenCalled();
  });
});
