import { randomBytes } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { SessionKey } from '../../src/crypto/key-schedule.js';
import { Secret } from '../../src/crypto/secret.js';
import { loadPairingSodium } from '../../src/crypto/sodium.js';
import type { PairedChannel } from '../../src/peer/connect.js';
import type { Reunion } from '../../src/peer/reunion.js';
import { withSession } from '../../src/session.js';
import { MemoryChannel, ScriptedPeer } from '../support/memory-channel.js';

test('leaves nothing behind at what could have ended it: a share would keep every session for ever', async () => {
  await loadPairingSodium();
  const [near, far] = MemoryChannel.pair();
  const reunion = { close: () => undefined, closed: async () => undefined };
  const paired: PairedChannel = {
    side: 'host',
    channel: Object.assign(near, { limitTo: () => undefined }),
    sessionKey: new SessionKey(new Secret(randomBytes(64))),
    path: 'direct',
    address: undefined,
    ended: new AbortController().signal,
    openLanes: () => undefined,
    // All of it that a session calls.
    keepTogether: async () => reunion as unknown as Reunion,
    closed: Promise.resolve(),
  };
  await new ScriptedPeer(far).say({ type: 'session', role: 'use', verify: false, limit: undefined });
  const meet = async (): Promise<PairedChannel> => paired;
  const signal = await withSession('share', {}, meet, async () => async ({ signal: ending }) => {
    expect(getEventListeners(ending, 'abort')).not.toEqual([]);
    return ending;
  });
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
