import { describe, expect, test } from 'vitest';
import { XferError } from '../../../src/errors.js';
import { Incoming, type LaneMessage } from '../../../src/peer/incoming.js';
import type { ControlMessage } from '../../../src/transfer/messages.js';
import type { Chunk } from '../../../src/transfer/ports.js';
import { RECORD_COST, type ItemRecord } from '../../../src/transfer/records.js';

const VERIFIED: ControlMessage = { type: 'verified' };
const LANES: LaneMessage = { type: 'lanes', count: 2 };
const NO_HINTS: LaneMessage = { type: 'hints', hints: [] };
const HINTS: LaneMessage = { type: 'hints', hints: [{ host: '192.0.2.1', port: 4000 }] };

const CHUNK: Chunk = {
  kind: 'chunk',
  transfer: 1,
  entry: 0,
  offset: 0,
  body: { compression: 'stored', rawLength: 100, bytes: Buffer.alloc(100) },
};

/** What the peer says, in the order it says it. */
class Saying {
  readonly incoming = new Incoming();
  #next = 0;

  say(...messages: ControlMessage[]): void {
    for (const message of messages) {
      this.incoming.take({ kind: 'control', sequence: this.#next, message }, 50);
      this.#next += 1;
    }
  }
}

const broken = (code: string, subject: string): Error => expect.objectContaining({ code, subject }) as Error;

describe('what comes in', () => {
  test('goes to who waits for it, and waits for who does not', async () => {
    const { incoming } = new Saying();
    const waiting = incoming.receive();
    incoming.take({ ...CHUNK, sequence: 0 }, 150);
    incoming.take({ kind: 'control', sequence: 1, message: VERIFIED }, 50);
    expect(await waiting).toEqual({ item: { ...CHUNK, sequence: 0 }, cost: 150 + RECORD_COST });
    expect((await incoming.receive())?.item).toEqual(VERIFIED);
    expect(incoming.arrived).toBe(2);
    expect(incoming.hasEnded).toBe(false);
  });

  test('is heard to its end before a failure, and the failure each time', async () => {
    const said = new Saying();
    said.say(VERIFIED);
    said.incoming.fail(new XferError('peer-gone'));
    expect((await said.incoming.receive())?.item).toEqual(VERIFIED);
    for (let time = 0; time < 2; time++)
      await expect(said.incoming.receive()).rejects.toMatchObject({ code: 'peer-gone' });
    const ended = new Saying();
    ended.incoming.end(0);
    ended.incoming.fail(new XferError('peer-gone'));
    expect(await ended.incoming.receive()).toBeUndefined();
    const waiting = new Saying();
    const received = waiting.incoming.receive();
    waiting.incoming.fail(new XferError('integrity'));
    await expect(received).rejects.toMatchObject({ code: 'integrity' });
  });

  test('is dropped where nobody is to receive it any more', async () => {
    const said = new Saying();
    said.say(VERIFIED, VERIFIED);
    said.incoming.discard();
    said.incoming.fail(new XferError('peer-gone'));
    await expect(said.incoming.receive()).rejects.toMatchObject({ code: 'peer-gone' });
  });

  test('row 19: over one path has no gap and no repetition', () => {
    const item = (sequence: number): ItemRecord => ({ ...CHUNK, sequence });
    const { incoming } = new Saying();
    expect(() => incoming.take(item(1), 150)).toThrow(broken('protocol', 'sequence'));
    incoming.take(item(0), 150);
    expect(() => incoming.take(item(0), 150)).toThrow(broken('protocol', 'sequence'));
    expect(incoming.arrived).toBe(1);
  });

  test('row 20: costs once however often it comes, and no more than was granted', async () => {
    const { incoming } = new Saying();
    incoming.mayOvertake = true;
    const half = incoming.credit.granted / 2 - RECORD_COST;
    for (let time = 0; time < 10; time++) incoming.take({ ...CHUNK, sequence: 1 }, half);
    for (let time = 0; time < 10; time++) incoming.take({ ...CHUNK, sequence: 0 }, half);
    expect([(await incoming.receive())?.item, (await incoming.receive())?.item]).toEqual([
      { ...CHUNK, sequence: 0 },
      { ...CHUNK, sequence: 1 },
    ]);
    expect(() => incoming.take({ ...CHUNK, sequence: 3 }, 100)).toThrow(broken('limit', 'credit'));
  });
});

describe('row 18: the end', () => {
  test('is told to who waits for more, and to who asks later', async () => {
    const said = new Saying();
    const waiting = said.incoming.receive();
    said.incoming.end(0);
    expect(await waiting).toBeUndefined();
    expect(await said.incoming.receive()).toBeUndefined();
    expect(said.incoming.hasEnded).toBe(true);
  });

  test('waits for what may still come over a lane, and for nothing else', async () => {
    const { incoming } = new Saying();
    incoming.mayOvertake = true;
    incoming.end(2);
    expect(incoming.hasEnded).toBe(false);
    incoming.take({ ...CHUNK, sequence: 1 }, 150);
    expect(incoming.hasEnded).toBe(false);
    incoming.take({ ...CHUNK, sequence: 0 }, 150);
    expect(incoming.hasEnded).toBe(true);
    for (let item = 0; item < 2; item++) expect(await incoming.receive()).toBeDefined();
    expect(await incoming.receive()).toBeUndefined();
    expect(() => incoming.take({ ...CHUNK, sequence: 2 }, 150)).toThrow(broken('protocol', 'end'));
  });

  test('is not before what came, nor after what did not come where nothing overtakes', () => {
    const said = new Saying();
    said.say(VERIFIED);
    expect(() => said.incoming.end(2)).toThrow(broken('protocol', 'end'));
    said.incoming.mayOvertake = true;
    expect(() => said.incoming.end(0)).toThrow(broken('protocol', 'end'));
  });
});

describe('what is said about lanes', () => {
  test('costs nothing, and waits for who listens, in its order', () => {
    const said = new Saying();
    const before = said.incoming.credit.grantAll();
    said.say(LANES, HINTS);
    expect(said.incoming.credit.grantAll()).toBeGreaterThan(before);
    const heard: LaneMessage[] = [];
    said.incoming.listenForLanes((message) => heard.push(message));
    expect(heard).toEqual([LANES, HINTS]);
    for (let time = 0; time < 5; time++) said.say(LANES, NO_HINTS);
    expect(heard.slice(2)).toEqual(Array.from({ length: 5 }, () => [LANES, NO_HINTS]).flat());
    expect(said.incoming.arrived).toBe(12);
    // What one heard no other one hears again.
    const again: LaneMessage[] = [];
    said.incoming.listenForLanes((message) => again.push(message));
    expect(again).toEqual([]);
  });

  test.each([
    ['hints', NO_HINTS],
    ['lanes', LANES],
  ])('is kept twice and no more where nobody listens: %s', (subject, message) => {
    const said = new Saying();
    said.say(message, message);
    expect(() => said.say(message)).toThrow(broken('protocol', subject));
  });

  test('names places to dial once for each connection', () => {
    const said = new Saying();
    const heard: LaneMessage[] = [];
    said.incoming.listenForLanes((message) => heard.push(message));
    said.say(NO_HINTS, HINTS, NO_HINTS);
    expect(() => said.say(HINTS)).toThrow(broken('protocol', 'hints'));
    expect(heard).toEqual([NO_HINTS, HINTS, NO_HINTS]);
  });

  test('begins anew with another connection, over which what was under way may come twice', () => {
    const said = new Saying();
    const old: LaneMessage[] = [];
    said.incoming.listenForLanes((message) => old.push(message));
    said.say(HINTS);
    said.incoming.beginEpoch();
    expect(said.incoming.mayOvertake).toBe(true);
    said.say(HINTS, LANES);
    expect(old).toEqual([HINTS]);
    // Nor does anybody hear what was said before over a connection that is gone.
    said.incoming.beginEpoch();
    const heard: LaneMessage[] = [];
    said.incoming.listenForLanes((message) => heard.push(message));
    expect(heard).toEqual([]);
    said.say(HINTS);
    expect(heard).toEqual([HINTS]);
  });

  test('is not heard in an epoch after its own, where it waited for what came before it', () => {
    const { incoming } = new Saying();
    incoming.beginEpoch();
    const say = (sequence: number, message: ControlMessage): void =>
      incoming.take({ kind: 'control', sequence, message }, 50);
    say(1, HINTS);
    say(2, LANES);
    incoming.beginEpoch();
    const heard: LaneMessage[] = [];
    incoming.listenForLanes((message) => heard.push(message));
    say(3, HINTS);
    const before = incoming.credit.grantAll();
    say(0, VERIFIED);
    expect(heard).toEqual([HINTS]);
    expect(incoming.arrived).toBe(4);
    // All three are dealt with.
    expect(incoming.credit.grantAll() - before).toBe(3 * (RECORD_COST + 50));
  });
});
