import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { XferError, type ErrorCode } from '../../../src/errors.js';
import { conduct } from '../../../src/transfer/conduct.js';
import { deferred } from '../../../src/transfer/deferred.js';
import type { Inbox } from '../../../src/transfer/inbox.js';
import { MemoryChannel, ScriptedPeer } from '../../support/memory-channel.js';
import { settle } from '../../support/turns.js';

/** One side whose work is the test's, and the peer. */
function side(work: (inbox: Inbox) => Promise<string>, abort = new AbortController()) {
  const [channel, far] = MemoryChannel.pair();
  const outcome = conduct(channel, abort.signal, ['protocol'], work);
  outcome.catch(() => {});
  let isOver = false;
  outcome.then(
    () => (isOver = true),
    () => (isOver = true),
  );
  return { channel, peer: new ScriptedPeer(far), outcome, abort, isOver: () => isOver };
}

const failing = (code: ErrorCode) => side(() => Promise.reject(new XferError(code)));
const listeners = ({ signal }: AbortController): number => getEventListeners(signal, 'abort').length;

describe('a side of a transfer', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('that fails looks for nobody any more, from before it says so', async () => {
    const { channel, peer, outcome } = failing('disk-full');
    const said: string[] = [];
    Object.assign(channel, { giveUp: () => said.push(`after ${channel.sent.length} words`) });
    expect(await peer.hearAll()).toEqual([{ type: 'error', code: 'disk-full' }]);
    await peer.channel.end();
    await expect(outcome).rejects.toMatchObject({ code: 'disk-full' });
    expect(said).toEqual(['after 0 words']);
  });

  it('that goes well is left as it is, and its signal too', async () => {
    const work = deferred<string>();
    const { channel, outcome, abort } = side(() => work.promise);
    expect(listeners(abort)).toBe(1);
    work.resolve('all is there');
    expect(await outcome).toBe('all is there');
    expect(listeners(abort)).toBe(0);
    abort.abort();
    await settle();
    expect(channel).toMatchObject({ sent: [], isEnded: false, isDestroyed: false });
  });

  it('that fails says why, and waits a second for the end of the peer', async () => {
    const { channel, peer, outcome, isOver, abort } = failing('disk-full');
    expect(await peer.hearAll()).toEqual([{ type: 'error', code: 'disk-full' }]);
    await peer.say({ type: 'counting', transfer: 1, entries: 0, bytes: 0 });
    await vi.advanceTimersByTimeAsync(999);
    expect([channel.isDestroyed, isOver()]).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(1);
    await expect(outcome).rejects.toMatchObject({ code: 'disk-full' });
    expect([channel.isDestroyed, listeners(abort)]).toEqual([true, 0]);
  });

  describe('whose last word is behind what is under way', () => {
    /** Its word is said when the test says so; so many items arrived before, one of which took so long. */
    function waiting(waitedMs = 0) {
      const one = failing('disk-full');
      const word = deferred<undefined>();
      const delivery = { items: 0, waitedMs };
      Object.assign(one.channel, { end: () => word.promise, delivery: () => ({ ...delivery }) });
      return { ...one, word, delivery };
    }

    it('waits for it while that gets on, and then for the end of the peer', async () => {
      const { channel, delivery, word } = waiting();
      for (let each = 0; each < 10; each++) {
        await vi.advanceTimersByTimeAsync(1_900);
        delivery.items += 1;
      }
      expect(channel.isDestroyed).toBe(false);
      word.resolve(undefined);
      await vi.advanceTimersByTimeAsync(999);
      expect(channel.isDestroyed).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(channel.isDestroyed).toBe(true);
    });

    it.each([
      [0, 2_000],
      [4_000, 8_000],
    ])('goes where nothing arrives any more, though the last took %i ms', async (waitedMs, patienceMs) => {
      const { channel } = waiting(waitedMs);
      await vi.advanceTimersByTimeAsync(patienceMs - 1);
      expect(channel.isDestroyed).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(channel.isDestroyed).toBe(true);
    });

    it('is kept by no peer for more than half a minute', async () => {
      const { channel, delivery } = waiting(60_000);
      for (let each = 0; each < 29; each++) {
        await vi.advanceTimersByTimeAsync(1_000);
        delivery.items += 1;
      }
      expect(channel.isDestroyed).toBe(false);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(channel.isDestroyed).toBe(true);
    });

    it('goes at once where it cannot be said', async () => {
      const { channel, word, outcome } = waiting();
      word.reject(new XferError('peer-gone'));
      await expect(outcome).rejects.toMatchObject({ code: 'disk-full' });
      expect(channel.isDestroyed).toBe(true);
    });
  });

  it('that fails goes at once where the peer ended', async () => {
    const { channel, peer, outcome } = failing('disk-full');
    await peer.channel.end();
    await expect(outcome).rejects.toMatchObject({ code: 'disk-full' });
    expect(channel.isDestroyed).toBe(true);
  });

  it.each(['protocol', 'peer-failed', 'peer-interrupted', 'peer-gone', 'stalled'] as const)(
    'says nothing after %s',
    async (code) => {
      const { channel, outcome } = failing(code);
      await expect(outcome).rejects.toMatchObject({ code });
      expect(channel).toMatchObject({ sent: [], isEnded: false, isDestroyed: true });
    },
  );

  it('only ends after a no, which was said', async () => {
    const { channel, peer, outcome } = failing('declined');
    expect(await peer.hearAll()).toEqual([]);
    await peer.channel.end();
    await expect(outcome).rejects.toMatchObject({ code: 'declined' });
    expect(channel.isDestroyed).toBe(true);
  });

  it.each<[string, unknown, ErrorCode]>([
    ['somebody', undefined, 'interrupted'],
    ['another failure', new XferError('disk-full'), 'interrupted'],
    ['what only looks like the removal of a device', { code: 'device-removed' }, 'interrupted'],
    ['the removal of the device', new XferError('device-removed', { subject: 'desk' }), 'device-removed'],
  ])('is stopped by %s, and over when its work is', async (_, reason, code) => {
    const work = deferred<string>();
    const { channel, peer, outcome, abort, isOver } = side(() => work.promise);
    abort.abort(reason);
    expect(await peer.hearAll()).toEqual([{ type: 'error', code }]);
    await peer.channel.end();
    await settle();
    // Nothing of it is at work when whoever started it cleans up.
    expect([channel.isDestroyed, isOver()]).toEqual([true, false]);
    work.reject(new Error('its channel is gone'));
    const error: unknown = await outcome.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(error === reason).toBe(code === 'device-removed');
  });

  it('is stopped where its work never ends, and before it began', async () => {
    const stopped = new AbortController();
    stopped.abort();
    const { peer, outcome, isOver } = side(() => new Promise(() => {}), stopped);
    await peer.channel.end();
    await settle();
    await vi.advanceTimersByTimeAsync(999);
    expect(isOver()).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await expect(outcome).rejects.toMatchObject({ code: 'interrupted' });
  });
});
