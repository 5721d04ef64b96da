import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseCode, passwordOf, topicOf, type Topic } from '../../../src/crypto/code.js';
import { Admission } from '../../../src/peer/admission.js';
import { authenticateAsJoiner } from '../../../src/peer/authenticate.js';
import type { SealedChannel } from '../../../src/peer/channel.js';
import type { Connection } from '../../../src/peer/connection.js';
import { openDht, type DhtNode } from '../../../src/peer/dht.js';
import { dial, listen } from '../../../src/peer/direct.js';
import { freePort } from '../../support/direct.js';
import { dialFrom, forward } from '../../support/connections.js';
import { guessWrong, HARMLESS_JOINERS } from '../../support/hostile-peer.js';
import { host, join, meet, mistyped } from '../../support/meetings.js';
import { startPrivateDht, type PrivateDht } from '../../support/private-dht.js';
import { isSoak } from '../../support/soak.js';

const ANY_PORT = { host: '127.0.0.1', port: 0 };
const never = new AbortController().signal;
const WAIT = { timeout: 20_000, interval: 100 };

/** A loopback address of another prefix, as strangers on different networks have. */
function alias(index: number): string {
  return `127.0.${String(1 + index)}.1`;
}

describe('directly', () => {
  test('a host and a joiner meet, and close everything', async () => {
    const a = host({ listen: ANY_PORT });
    await meet(a, join(await a.code, { connect: await a.endpoint() }));
    expect(a.events.map(({ type }) => type)).toEqual(['code', 'listening']);
  });

  test('either side may listen, and either may start first', async () => {
    const port = await freePort();
    const a = host({ connect: { host: '127.0.0.1', port } });
    const code = await a.code;
    await new Promise((resolve) => setTimeout(resolve, 700));
    await meet(a, join(code, { listen: { host: '127.0.0.1', port } }));

    const later = await freePort();
    const waiting = join('417-apple-tiger', { connect: { host: '127.0.0.1', port: later } });
    await waiting.event('waiting');
    waiting.stop();
    expect(await waiting.outcome).toBe('interrupted');
  });

  test('row 1: a wrong code ends the joiner soon, and the right one works within 5 s', async () => {
    const a = host({ listen: ANY_PORT });
    const [code, connect] = [await a.code, await a.endpoint()];
    const started = performance.now();
    expect(await join(mistyped(code), { connect }).outcome).toBe('wrong-code');
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(await a.event('wrong-guess')).toEqual({ type: 'wrong-guess', left: 7 });
    const again = performance.now();
    await meet(a, join(code, { connect }));
    expect(performance.now() - again).toBeLessThan(5_000);
  });

  test('row 2: eight wrong guesses at once and the code is dead, the right one too', async () => {
    const a = host({ listen: ANY_PORT });
    const [code, { port }] = [await a.code, await a.endpoint()];
    const wrong = passwordOf(parseCode(mistyped(code)));
    const guesses = Array.from({ length: 24 }, async (_, index) => {
      const connection = await dialFrom(alias(index), port);
      await guessWrong(connection, wrong);
    });
    expect(await a.outcome).toBe('code-dead');
    await Promise.allSettled(guesses);
    expect(a.events.filter(({ type }) => type === 'wrong-guess')).toHaveLength(8);
    const late = join(code, { connect: { host: '127.0.0.1', port } });
    await late.event('waiting');
    late.stop();
  });

  test('row 3: a hundred strangers that hang up cost no guess', async () => {
    const a = host({ listen: ANY_PORT });
    const [code, endpoint] = [await a.code, await a.endpoint()];
    const strangers = Object.values(HARMLESS_JOINERS);
    const password = passwordOf(parseCode(code));
    for (let index = 0; index < (isSoak ? 100 : 40); index++) {
      const connection = await dial(endpoint, never);
      await strangers[index % strangers.length]!(connection, password);
    }
    await meet(a, join(code, { connect: endpoint }));
    expect(a.events.filter(({ type }) => type === 'wrong-guess')).toHaveLength(0);
  });

  test('row 4: who is chosen closes the door, and tells others who knew the code that it is used up', async () => {
    const a = host({ listen: ANY_PORT });
    const [code, connect] = [await a.code, await a.endpoint()];
    const second = await proveCode(await dial(connect, never), code);
    const first = join(code, { connect });
    const outcome = await a.outcome;
    if (typeof outcome === 'string') throw new Error(outcome);

    expect((await second.receive())?.item).toEqual({ type: 'error', code: 'code-used' });
    expect(await second.receive()).toBeUndefined();
    await expect(dialFrom('127.0.0.1', connect.port)).rejects.toMatchObject({ code: 'peer-gone' });
    const late = join(code, { connect });
    await late.event('waiting');
    late.stop();
    await meet(a, first);
  });

  test('row 9: a man in the middle with a Noise handshake on each leg pairs with nobody', async () => {
    const a = host({ listen: ANY_PORT });
    const [code, endpoint] = [await a.code, await a.endpoint()];
    const relayed: number[] = [];
    const middle = await listen(ANY_PORT, new Admission(), (near) => {
      void (async () => {
        const far = await dial(endpoint, never);
        await Promise.race([forward(near, far, relayed), forward(far, near, relayed)]);
        near.destroy();
        far.destroy();
      })();
    });
    const port = Number(middle.addresses[0]!.split(':')[1]);
    expect(await join(code, { connect: { host: '127.0.0.1', port } }).outcome).toBe('wrong-code');
    middle.close();
    // start, reply, confirm, and no accept.
    expect(relayed).toEqual([1, 2, 3]);
    expect(await a.event('wrong-guess')).toMatchObject({ left: 7 });
    a.stop();
    expect(await a.outcome).toBe('interrupted');
  });

  test('row 30: through a flood of the listener the honest joiner gets', async () => {
    const a = host({ listen: ANY_PORT });
    const [code, { port }] = [await a.code, await a.endpoint()];
    const floods = Array.from({ length: isSoak ? 2_000 : 300 }, (_, index) =>
      dialFrom(alias(index % 10), port).catch(() => undefined),
    );
    await meet(a, join(code, { connect: { host: '127.0.0.1', port } }));
    for (const connection of await Promise.all(floods)) connection?.destroy();
  });

  test('ends by itself: expiry, a port in use, a host name that does not exist', async () => {
    expect(await host({ listen: ANY_PORT, expireMs: 50 }).outcome).toBe('code-expired');
    const a = host({ listen: ANY_PORT });
    expect(await host({ listen: await a.endpoint() }).outcome).toBe('port-in-use');
    a.stop();
    expect(await a.outcome).toBe('interrupted');
  });

  test('a port that is not allowed to this user is named', async ({ skip }) => {
    const probe = createServer().listen(7, '127.0.0.1');
    const isAllowed = await Promise.race([
      once(probe, 'listening').then(() => true),
      once(probe, 'error').then(() => false),
    ]);
    probe.close();
    skip(isAllowed, 'this user may use every port');
    expect(await host({ listen: { host: '127.0.0.1', port: 7 } }).outcome).toBe('permission-denied');
  });

  test('an aborted signal ends it before it begins', async () => {
    const run = host({ listen: ANY_PORT });
    run.stop();
    expect(await run.outcome).toBe('interrupted');
  });
});

describe('through a private DHT', () => {
  let dht: PrivateDht;
  beforeAll(async () => (dht = await startPrivateDht()));
  afterAll(() => dht.close());

  test('a host and a joiner meet', async () => {
    const { bootstrap } = dht;
    const a = host({ bootstrap });
    await meet(a, join(await a.code, { bootstrap }));
    expect(a.events.map(({ type }) => type)).toEqual(['code', 'dht-ready']);
  });

  test('with nobody there a joiner says so, and keeps looking until it is stopped', async () => {
    const joiner = join('417-apple-tiger', { bootstrap: dht.bootstrap });
    await joiner.event('waiting');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    joiner.stop();
    expect(await joiner.outcome).toBe('interrupted');
    const brief = join('417-apple-tiger', { bootstrap: dht.bootstrap, expireMs: 50 });
    expect(await brief.outcome).toBe('no-peer');
  });

  test('row 1: a wrong code ends the joiner soon, and the right one works within 5 s', async () => {
    const { bootstrap } = dht;
    const a = host({ bootstrap });
    const code = await a.code;
    await a.event('dht-ready');
    expect(await join(mistyped(code), { bootstrap }).outcome).toBe('wrong-code');
    const again = performance.now();
    await meet(a, join(code, { bootstrap }));
    expect(performance.now() - again).toBeLessThan(5_000);
  });

  test('row 4: after the pairing nobody is announced or let in any more', async () => {
    const { bootstrap } = dht;
    const a = host({ bootstrap });
    const code = await a.code;
    await a.event('dht-ready');
    const stranger = openDht(bootstrap);
    const topic = topicOf(parseCode(code));
    const [before] = await stranger.lookup(topic);
    expect(before).toBeDefined();

    const first = join(code, { bootstrap });
    await Promise.all([a.outcome, first.outcome]);
    // While the two are still connected.
    await vi.waitFor(async () => expect(await stranger.lookup(topic)).toEqual([]), WAIT);
    await expect(stranger.connect(before!, never)).rejects.toThrow();
    const late = join(code, { bootstrap });
    await late.event('waiting');
    late.stop();
    await meet(a, first);
    await stranger.close();
  });

  test('whichever way is first wins, and the other is closed', async () => {
    const { bootstrap } = dht;
    const a = host({ bootstrap, listen: ANY_PORT });
    const [code, connect] = [await a.code, await a.endpoint()];
    await meet(a, join(code, { bootstrap, connect }));
  });

  test('row 17: among fake announcers the guesses are few and the end is clear', async () => {
    const { bootstrap } = dht;
    const a = host({ bootstrap });
    const code = await a.code;
    await a.event('dht-ready');
    const fakes = await Promise.all(
      Array.from({ length: isSoak ? 300 : 12 }, () => announceFake(bootstrap, topicOf(parseCode(code)))),
    );
    const started = performance.now();
    const joiner = join(code, { bootstrap });
    const outcome = await joiner.outcome;
    expect(performance.now() - started).toBeLessThan(62_000);
    expect(fakes.reduce((sum, { proofs }) => sum + proofs(), 0)).toBeLessThanOrEqual(8);
    if (typeof outcome === 'string') {
      expect(['wrong-code', 'code-dead', 'no-peer']).toContain(outcome);
      a.stop();
    } else {
      await meet(a, joiner);
    }
    await Promise.all(fakes.map(({ node }) => node.close()));
  }, 120_000);
});

test('with no DHT to be reached and no other way it says so within 15 s', async () => {
  const bootstrap = [`127.0.0.1:${String(await freePort())}`];
  const started = performance.now();
  const a = host({ bootstrap });
  const b = join('417-apple-tiger', { bootstrap });
  expect(await Promise.all([a.outcome, b.outcome])).toEqual(['no-network', 'no-network']);
  expect(performance.now() - started).toBeLessThan(15_000);
  expect(b.events).toEqual(expect.arrayContaining([{ type: 'dht-unreachable' }]));
});

test('with no DHT to be reached a direct way goes on', async () => {
  const bootstrap = [`127.0.0.1:${String(await freePort())}`];
  const a = host({ bootstrap, listen: ANY_PORT });
  const [code, connect] = [await a.code, await a.endpoint()];
  await a.event('dht-unreachable');
  await meet(a, join(code, { connect }));
});

/** Pairs with a host, and does not choose it. */
async function proveCode(connection: Connection, code: string): Promise<SealedChannel> {
  const guess = { spend: () => undefined, giveBack: () => undefined };
  const { channel } = await authenticateAsJoiner(connection, { password: passwordOf(parseCode(code)) }, () =>
    Promise.resolve(guess),
  );
  return channel;
}

/** A live stranger under the topic, which answers as a host with another code would, and counts the proofs it got. */
async function announceFake(
  bootstrap: readonly string[],
  topic: Topic,
): Promise<{ readonly node: DhtNode; readonly proofs: () => number }> {
  const { authenticateAsHost } = await import('../../../src/peer/authenticate.js');
  const node = openDht(bootstrap);
  const password = passwordOf(parseCode('1-apple-tiger'));
  let proofs = 0;
  await node.announce(topic, new Admission(), (connection) => {
    const guess = { spend: () => undefined, giveBack: () => undefined };
    const count = (): Promise<typeof guess> => {
      proofs += 1;
      return Promise.resolve(guess);
    };
    authenticateAsHost(connection, { password }, count).catch(() => {
      connection.destroy();
    });
  });
  return { node, proofs: () => proofs };
}
