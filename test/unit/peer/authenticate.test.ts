import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { prefersAes } from '../../../src/crypto/record-cipher.js';
import { Secret } from '../../../src/crypto/secret.js';
import { loadPairingSodium } from '../../../src/crypto/sodium.js';
import { XferError } from '../../../src/errors.js';
import {
  authenticateAsHost,
  authenticateAsJoiner,
  pairAsHost,
  pairAsJoiner,
  receiveAnswer,
} from '../../../src/peer/authenticate.js';
import type { Guess } from '../../../src/peer/budget.js';
import type { Connection } from '../../../src/peer/connection.js';
import { decodeReply, encodeConfirm, encodeStart } from '../../../src/peer/pairing-messages.js';
import { connectionPair, recordOf } from '../../support/connections.js';
import {
  guessWrong,
  HARMLESS_JOINERS,
  HOSTILE_HOSTS,
  joiner as joinerPairing,
} from '../../support/hostile-peer.js';

const secret = (text = '417-apple-tiger'): Secret => new Secret(Buffer.from(text));

/** Counts what becomes of guesses. */
class Guesses {
  reserved = 0;
  spent = 0;
  givenBack = 0;

  readonly reserve = (): Promise<Guess> => {
    this.reserved += 1;
    let isSettled = false;
    return Promise.resolve({
      spend: () => {
        if (!isSettled) this.spent += 1;
        isSettled = true;
      },
      giveBack: () => {
        if (!isSettled) this.givenBack += 1;
        isSettled = true;
      },
    });
  };
}

/** What became of a run, as a code; `paired` where it went well. */
async function outcome(run: Promise<unknown>, connection: Connection): Promise<unknown> {
  try {
    await run;
    return 'paired';
  } catch (error) {
    connection.destroy();
    return (error as { code?: unknown }).code;
  }
}

beforeAll(loadPairingSodium);

describe('pairing', () => {
  test('two sides with one code share a key, and nobody lost a guess', async () => {
    const [a, b] = await connectionPair();
    const guesses = new Guesses();
    const [joined, hosted] = await Promise.all([
      authenticateAsJoiner(a, { password: secret() }, guesses.reserve),
      authenticateAsHost(b, { password: secret() }, guesses.reserve),
    ]);
    expect(joined.sessionKey.verifier()).toEqual(hosted.sessionKey.verifier());
    expect(guesses).toMatchObject({ reserved: 2, spent: 0, givenBack: 2 });
    await joined.channel.send({ type: 'chosen' });
    expect(await hosted.channel.receive()).toMatchObject({ item: { type: 'chosen' } });
    a.destroy();
  });

  test('row 1: a wrong code is refused at the confirmation, and both sides lose a guess', async () => {
    let hostBytes = 0;
    const [b, a] = await connectionPair((bytes) => {
      hostBytes += bytes.length;
      return bytes;
    });
    const [atJoiner, atHost] = [new Guesses(), new Guesses()];
    const outcomes = await Promise.all([
      outcome(authenticateAsJoiner(a, { password: secret('417-apple-lion') }, atJoiner.reserve), a),
      outcome(authenticateAsHost(b, { password: secret() }, atHost.reserve), b),
    ]);
    expect(outcomes).toEqual(['wrong-code', 'wrong-code']);
    expect([atJoiner.spent, atHost.spent]).toEqual([1, 1]);
    // Noise, its header and `reply`: no byte that depends on the code but the point.
    expect(hostBytes).toBeLessThan(300);
  });

  test.each(Object.entries(HARMLESS_JOINERS))(
    'rows 3, 7, 8, 10, 11: a joiner that %s costs the host no guess',
    async (_, hostile) => {
      const [a, b] = await connectionPair();
      const guesses = new Guesses();
      const run = outcome(authenticateAsHost(b, { password: secret() }, guesses.reserve), b);
      await hostile(a, secret());
      expect(await run).not.toBe('paired');
      expect(await run).not.toBe('internal');
      expect(guesses).toMatchObject({ spent: 0, givenBack: guesses.reserved });
    },
  );

  test('row 3: a wrong tag costs one', async () => {
    const [a, b] = await connectionPair();
    const guesses = new Guesses();
    const run = outcome(authenticateAsHost(b, { password: secret() }, guesses.reserve), b);
    await guessWrong(a, secret());
    expect(await run).toBe('wrong-code');
    expect(guesses).toMatchObject({ reserved: 1, spent: 1 });
  });

  test('two machines with instructions for AES use it', async () => {
    const [a, b] = await connectionPair();
    const [{ agreement }] = await Promise.all([
      pairAsJoiner(a, { password: secret() }, new Guesses().reserve),
      pairAsHost(b, { password: secret() }, new Guesses().reserve),
    ]);
    expect(agreement.aead).toBe(prefersAes() ? 'aes-256-gcm' : 'chacha20-poly1305');
    a.destroy();
  });

  test.each(Object.entries(HOSTILE_HOSTS))(
    'rows 6, 8, 10, 11: a host that %s',
    async (_, { host, isGuess }) => {
      const [a, b] = await connectionPair();
      const guesses = new Guesses();
      const run = outcome(authenticateAsJoiner(a, { password: secret() }, guesses.reserve), a);
      await host(b, secret());
      expect(['wrong-code', 'protocol', 'version-unsupported']).toContain(await run);
      expect(guesses.spent).toBe(isGuess ? 1 : 0);
    },
  );

  test('row 5: what was said on one connection is worth nothing on another', async () => {
    const [a, b] = await connectionPair();
    const recorded = recordOf(a);
    await Promise.all([
      authenticateAsJoiner(a, { password: secret() }, new Guesses().reserve),
      authenticateAsHost(b, { password: secret() }, new Guesses().reserve),
    ]);
    a.destroy();
    const [c, d] = await connectionPair();
    const guesses = new Guesses();
    const run = outcome(authenticateAsHost(d, { password: secret() }, guesses.reserve), d);
    await c.send([recorded[0]!]);
    await c.receive();
    await c.send([recorded[1]!]);
    expect(await run).toBe('wrong-code');
    expect(guesses.spent).toBe(1);
  });

  test('row 7: two joiners never pair, nor two hosts', async () => {
    const [a, b] = await connectionPair();
    const guesses = new Guesses();
    const joiners = await Promise.all([
      outcome(authenticateAsJoiner(a, { password: secret() }, guesses.reserve), a),
      outcome(authenticateAsJoiner(b, { password: secret() }, guesses.reserve), b),
    ]);
    expect(joiners).not.toContain('paired');
    expect(guesses.spent).toBe(0);
  });

  test('row 11: of all orders of messages only the right one opens a channel', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('start', 'confirm', 'record', 'reply-like'), { minLength: 1, maxLength: 4 }),
        async (order) => {
          const [a, b] = await connectionPair();
          const run = outcome(authenticateAsHost(b, { password: secret() }, new Guesses().reserve), b);
          const pairing = joinerPairing(a, secret());
          const said: string[] = [];
          let reply: Uint8Array | undefined;
          for (const step of order) {
            const message = messageFor(step, pairing, reply);
            said.push(step);
            await a.send([message]).catch(() => undefined);
            // The host answers the first start, and nothing else.
            if (said.join() === 'start') reply = await a.receive().catch(() => undefined);
          }
          const isRight = order[0] === 'start' && order[1] === 'confirm';
          if (!isRight) void a.close();
          expect((await run) === 'paired').toBe(isRight);
          a.destroy();
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('the answer to a proof', () => {
  afterEach(() => vi.restoreAllMocks());

  /** What becomes of an answer that ends in `end`, so long after the proof. */
  const answerAfter = async (ms: number, end: () => Promise<Uint8Array | undefined>): Promise<unknown> => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(1_000);
    const receive = (): Promise<Uint8Array | undefined> => {
      now.mockReturnValue(1_000 + ms);
      return end();
    };
    const answer = receiveAnswer({ receive } as unknown as Connection);
    return answer.catch((error: unknown) => (error as XferError).code);
  };
  const hangUp = (): Promise<undefined> => Promise.resolve(undefined);

  test('a host that hangs up refuses, unless it was silent for so long that the line may be cut', async () => {
    expect(await answerAfter(7_999, hangUp)).toBe('wrong-code');
    expect(await answerAfter(8_000, hangUp)).toBe('peer-gone');
  });

  test('a host that breaks the rules does not refuse', async () => {
    expect(await answerAfter(1, () => Promise.reject(new XferError('limit')))).toBe('limit');
  });
});

function messageFor(
  step: string,
  pairing: ReturnType<typeof joinerPairing>,
  reply: Uint8Array | undefined,
): Uint8Array {
  switch (step) {
    case 'start':
      return encodeStart(pairing.start);
    case 'confirm':
      return reply === undefined
        ? encodeConfirm({ tag: new Uint8Array(64), kemPublicKey: new Uint8Array(1216) })
        : encodeConfirm(pairing.confirm(decodeReply(reply)));
    case 'record':
      return Buffer.alloc(64, 0);
    default:
      return Buffer.concat([Uint8Array.of(2), encodeStart(pairing.start).subarray(1)]);
  }
}
