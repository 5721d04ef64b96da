/** What cannot be had of the DHT is told to who wants it, and is no error of the program. */
import Hyperswarm from 'hyperswarm';
import HyperDHT from 'hyperdht';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { parseCode, topicOf } from '../../../src/crypto/code.js';
import { loadHashing } from '../../../src/crypto/sodium.js';
import { Admission } from '../../../src/peer/admission.js';
import { openDht } from '../../../src/peer/dht.js';
import { openDiscreetDht } from '../../../src/peer/discreet-dht.js';
import { startPrivateDht, type PrivateDht } from '../../support/private-dht.js';
import { settle } from '../../support/turns.js';

let dht: PrivateDht;
beforeAll(async () => {
  await loadHashing();
  dht = await startPrivateDht();
});
afterAll(() => dht.close());

const stray: unknown[] = [];
const note = (error: unknown): void => void stray.push(error);
beforeEach(() => {
  process.on('uncaughtException', note);
  process.on('unhandledRejection', note);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await settle();
  process.off('uncaughtException', note);
  process.off('unhandledRejection', note);
  expect(stray.splice(0)).toEqual([]);
});

test('relays of which none can be found', async () => {
  const keys = [1, 2, 3].map(() => Buffer.from(HyperDHT.keyPair().publicKey).toString('hex'));
  const node = openDiscreetDht({ bootstrap: dht.bootstrap, relays: keys });
  await node.fullyBootstrapped();
  await expect(node.aRelay(new AbortController().signal)).rejects.toMatchObject({ code: 'peer-gone' });
  await settle(20);
  await node.destroy({ force: true });
});

test('a port for announcements that cannot be bound', async () => {
  // As the system says where no descriptor is left.
  const none = Object.assign(new Error('too many open files'), { code: 'EMFILE' });
  // What hyperswarm does first, and does not tell of.
  const swarm = Hyperswarm.prototype as unknown as { listen(): Promise<void>; listening?: Promise<void> };
  vi.spyOn(swarm, 'listen').mockImplementation(function (this: typeof swarm) {
    this.listening = Promise.reject(none);
    return this.listening;
  });
  const node = openDht(dht.bootstrap);
  const announced = node.announce(topicOf(parseCode('417-apple-tiger')), new Admission(), () => undefined);
  // Who waits for the DHT first does not look.
  await settle(20);
  expect(stray).toEqual([]);
  expect(await announced).toBe(false);
  await node.close();
});
