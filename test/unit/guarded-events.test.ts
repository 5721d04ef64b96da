import { describe, expect, it } from 'vitest';
import { withGuardedEvents } from '../../src/guarded-events.js';
import { aborted } from '../../src/transfer/deadline.js';
import { collectGarbage } from '../support/garbage.js';

describe('a session whose listener throws', () => {
  const onEvent = (): never => {
    throw new Error('no more');
  };

  it('is aborted, and ends with what was thrown', async () => {
    const session = withGuardedEvents({ onEvent }, async (say, signal) => {
      say({ type: 'waiting' });
      await aborted(signal);
      throw new Error('interrupted');
    });
    await expect(session).rejects.toMatchObject({ cause: { message: 'no more' } });
  });

  it('ends so too where it would have gone well', async () => {
    const session = withGuardedEvents({ onEvent }, async (say) => say({ type: 'waiting' }));
    await expect(session).rejects.toMatchObject({ cause: { message: 'no more' } });
  });
});

describe('a session with a signal', () => {
  it('is aborted with it, for its reason', async () => {
    const controller = new AbortController();
    const session = withGuardedEvents({ signal: controller.signal }, async (_say, signal) => {
      await aborted(signal);
      signal.throwIfAborted();
    });
    controller.abort(new Error('enough'));
    await expect(session).rejects.toThrow('enough');
  });

  it('is not begun as if nothing were where the signal is aborted already', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await withGuardedEvents({ signal }, async (_say, signal) =>
      expect(signal.reason).toEqual(new Error('enough')),
    );
  });

  it('is aborted by a timeout that nobody else refers to', async () => {
    const session = withGuardedEvents({ signal: AbortSignal.timeout(50) }, (_say, signal) => aborted(signal));
    await collectGarbage();
    await session;
  });
});
