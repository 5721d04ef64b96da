/** Two sides that lost each other meet again in a DHT that is not all honest. */
import { afterEach, expect, test } from 'vitest';
import { loadHashing, loadPairingSodium } from '../../../src/crypto/sodium.js';
import { Reunion } from '../../../src/peer/reunion.js';
import { deferred } from '../../../src/transfer/deferred.js';
import { session } from '../../support/lanes.js';
import { LIES, lyingNodes } from '../../support/lying-dht.js';
import { startPrivateDht } from '../../support/private-dht.js';

/** Any scheme could in this time. */
const PATIENCE_MS = 15_000;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

test.each(Object.entries(LIES))('where half of all nodes %s', { timeout: 60_000 }, async (_, answer) => {
  await Promise.all([loadHashing(), loadPairingSodium()]);
  const dht = await startPrivateDht();
  cleanups.push(() => dht.close());
  const liars = await lyingNodes(dht.bootstrap, answer);
  cleanups.push(() => liars.close());
  const { sender, receiver, cut } = await session();
  const reunited = [sender, receiver].map(({ side, channel, key, close }) => {
    const met = deferred<undefined>();
    channel.widen(2 ** 20);
    const { bootstrap } = dht;
    const reunion = new Reunion(channel, key, {
      side,
      ways: { bootstrap, relays: undefined, lan: false, listen: undefined, connect: undefined },
      patienceMs: PATIENCE_MS,
      onEvent: () => undefined,
      onReunited: () => met.resolve(undefined),
    });
    cleanups.push(async () => {
      close();
      reunion.close();
      await reunion.closed();
    });
    return met.promise;
  });
  const heard = receiver.channel.receive();
  cut();
  // Rejects where the patience is over.
  await sender.channel.send({ type: 'counting', transfer: 1, entries: 7, bytes: 0 });
  expect((await heard)?.item).toMatchObject({ type: 'counting', entries: 7 });
  await Promise.all(reunited);
  expect(liars.lies()).toBeGreaterThan(0);
});
