import { describe, expect, it } from 'vitest';
import { XferError, type ErrorCode } from '../../../src/errors.js';
import { conduct, interruption } from '../../../src/transfer/conduct.js';
import { MemoryChannel } from '../../support/memory-channel.js';

/** One side that fails with this error, and what it said of it. */
async function failing(code: ErrorCode, breaches: readonly ErrorCode[] = []): Promise<MemoryChannel> {
  const [channel, far] = MemoryChannel.pair();
  void far.end();
  const running = conduct(channel, new AbortController().signal, breaches, () =>
    Promise.reject(new XferError(code)),
  );
  await expect(running).rejects.toMatchObject({ code });
  return channel;
}

describe('one side of a transfer that cannot go on', () => {
  it('tells the peer why', async () => {
    const { sent, isEnded, isDestroyed } = await failing('disk-full');
    expect(sent).toEqual([{ type: 'error', code: 'disk-full' }]);
    expect([isEnded, isDestroyed]).toEqual([true, true]);
  });

  it.each(['peer-failed', 'peer-interrupted', 'peer-gone', 'stalled'] as const)(
    'says nothing to a peer that knows, or is not there: %s',
    async (code) => {
      const { sent, isEnded, isDestroyed } = await failing(code);
      expect(sent).toEqual([]);
      expect([isEnded, isDestroyed]).toEqual([false, true]);
    },
  );

  it('says nothing to a peer that broke the rules', async () => {
    const { sent, isEnded } = await failing('limit', ['protocol', 'limit']);
    expect(sent).toEqual([]);
    expect(isEnded).toBe(false);
  });

  it('says nothing more after a no', async () => {
    const { sent, isEnded } = await failing('declined');
    expect(sent).toEqual([]);
    expect(isEnded).toBe(true);
  });
});

describe('a signal', () => {
  it.each([
    ['while it runs', false],
    ['before it runs', true],
  ])('ends a side that waits for a person, %s', async (_when, isBefore) => {
    const [channel, far] = MemoryChannel.pair();
    const stop = new AbortController();
    if (isBefore) stop.abort();
    const running = conduct(channel, stop.signal, [], () => new Promise(() => undefined));
    stop.abort();
    await far.end();
    await expect(running).rejects.toMatchObject({ code: 'interrupted' });
    expect(channel.sent).toEqual([{ type: 'error', code: 'interrupted' }]);
  });

  it('says whether a device was removed, or somebody stopped it', () => {
    const removed = new XferError('device-removed', { subject: 'phone' });
    expect(interruption(AbortSignal.abort(removed))).toBe(removed);
    expect(interruption(AbortSignal.abort(new XferError('internal')))).toMatchObject({ code: 'interrupted' });
    expect(interruption(AbortSignal.abort('device-removed'))).toMatchObject({ code: 'interrupted' });
    expect(interruption(AbortSignal.abort())).toMatchObject({ code: 'interrupted' });
  });
});
