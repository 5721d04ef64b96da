import type { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Connection } from '../../../src/peer/connection.js';
import type { Listener, ReunionTaker, TakeLane } from '../../../src/peer/direct.js';
import { SharedListener } from '../../../src/peer/shared-listener.js';

/** A listener that the test hands sockets to. */
class FakeListener implements Listener {
  readonly addresses = ['127.0.0.1:7337'];
  readonly port = 7337;
  takeLane: TakeLane | undefined;
  expects: ((id: Uint8Array) => boolean) | undefined;
  takerOf: ReunionTaker | undefined;
  isClosed = false;

  endPairing(): void {}

  takeLanes(take: TakeLane, expects: (id: Uint8Array) => boolean): void {
    this.takeLane = take;
    this.expects = expects;
  }

  takeReunions(takerOf: ReunionTaker): void {
    this.takerOf = takerOf;
  }

  close(): void {
    this.isClosed = true;
  }

  /** Somebody dials for a lane of this id, and says something behind it. */
  lane(id: Uint8Array): { readonly taken: Promise<void>; readonly near: Socket; readonly far: Socket } {
    const [near, far] = duplexPair() as unknown as [Socket, Socket];
    for (const end of [near, far]) end.on('error', () => undefined);
    far.write(Buffer.concat([id, Buffer.from('behind')]));
    return { taken: this.takeLane!(near), near, far };
  }
}

const idOf = (byte: number): Buffer => Buffer.alloc(16, byte);
const expects =
  (byte: number) =>
  (id: Uint8Array): boolean =>
    idOf(byte).equals(id);

function shared(): { readonly fake: FakeListener; readonly listener: SharedListener } {
  const fake = new FakeListener();
  return { fake, listener: new SharedListener(fake) };
}

/** A session that notes what it is handed, from the id on. */
function session(
  listener: SharedListener,
  byte: number,
): { readonly heard: string[]; readonly view: Listener } {
  const heard: string[] = [];
  const view = listener.forSession();
  view.takeLanes(async (socket) => {
    for await (const data of socket) heard.push(String(data));
  }, expects(byte));
  return { heard, view };
}

describe('a listener for several sessions', () => {
  test('hands each lane, as if nobody had looked at it, to the session that expects it', async () => {
    const { fake, listener } = shared();
    const [one, other] = [session(listener, 1), session(listener, 2)];
    const lanes = [fake.lane(idOf(2)), fake.lane(idOf(1))];
    for (const { far } of lanes) far.end();
    await Promise.all(lanes.map(({ taken }) => taken));
    expect(one.heard.join('')).toBe(`${String(idOf(1))}behind`);
    expect(other.heard.join('')).toBe(`${String(idOf(2))}behind`);
  });

  test('is found where the listener is, and takes whatever comes to it', () => {
    const { fake, listener } = shared();
    for (const at of [listener, listener.forSession()])
      expect([at.addresses, at.port]).toEqual([fake.addresses, fake.port]);
    expect(fake.expects!(idOf(9))).toBe(true);
  });

  test('forgets a lane that found its session', async () => {
    const { fake, listener } = shared();
    const { taken, near } = fake.lane(idOf(3));
    await new Promise(setImmediate);
    const before = near.listenerCount('close');
    listener.forSession().takeLanes(async () => undefined, expects(3));
    await taken;
    expect(near.listenerCount('close')).toBe(before - 1);
    const asked: Uint8Array[] = [];
    listener.forSession().takeLanes(
      async () => undefined,
      (id) => asked.push(id) < 0,
    );
    expect(asked).toEqual([]);
  });

  test('keeps a lane that is there before its session is ready for it', async () => {
    const { fake, listener } = shared();
    const { taken, far } = fake.lane(idOf(3));
    await new Promise(setImmediate);
    session(listener, 1);
    const late = session(listener, 3);
    far.end();
    await taken;
    expect(late.heard.join('')).toBe(`${String(idOf(3))}behind`);
  });

  test('gives up a lane that nobody expects when its socket closes', async () => {
    const { fake, listener } = shared();
    session(listener, 1);
    const { taken, near } = fake.lane(idOf(9));
    await new Promise(setImmediate);
    near.destroy();
    await expect(taken).rejects.toMatchObject({ code: 'peer-gone' });
  });

  test('closes nothing for others where a session ends, and takes nothing for it any more', async () => {
    const { fake, listener } = shared();
    const [one, other] = [session(listener, 1), session(listener, 2)];
    one.view.close();
    expect(fake.isClosed).toBe(false);
    const lost = fake.lane(idOf(1));
    const { taken, far } = fake.lane(idOf(2));
    far.end();
    await taken;
    expect(other.heard.join('')).toContain('behind');
    lost.near.destroy();
    await expect(lost.taken).rejects.toMatchObject({ code: 'peer-gone' });
    listener.close();
    expect(fake.isClosed).toBe(true);
  });

  test('knows a lost session by its id for as long as it is looked for', async () => {
    const { fake, listener } = shared();
    const [over, other] = [new AbortController(), new AbortController()];
    const met: string[] = [];
    const takerOf =
      (byte: number): ReunionTaker =>
      (id) =>
        expects(byte)(id) ? () => met.push(String(byte)) : undefined;
    await listener.rendezvous(takerOf(1), over.signal);
    await listener.rendezvous(takerOf(2), other.signal);
    const connection = undefined as unknown as Connection;
    fake.takerOf!(idOf(2))!(connection);
    fake.takerOf!(idOf(1))!(connection);
    expect(met).toEqual(['2', '1']);
    expect(fake.takerOf!(idOf(3))).toBeUndefined();
    over.abort();
    expect(fake.takerOf!(idOf(1))).toBeUndefined();
    expect(fake.takerOf!(idOf(2))).toBeDefined();
    await listener.rendezvous(takerOf(1), over.signal);
    expect(fake.takerOf!(idOf(1))).toBeUndefined();
  });
});
