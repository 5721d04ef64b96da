import * as nodeCrypto from 'node:crypto';
import sumo from 'libsodium-wrappers-sumo';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { SessionKey, type Direction, type PairingMessages } from '../../../src/crypto/key-schedule.js';
import {
  HostPairing,
  JoinerPairing,
  type Acceptance,
  type Confirmation,
  type PairingContext,
  type Share,
} from '../../../src/crypto/pairing.js';
import { Secret } from '../../../src/crypto/secret.js';
import { loadPairingSodium } from '../../../src/crypto/sodium.js';
import cpaceVectors from '../../vectors/cpace-ristretto255.json' with { type: 'json' };
import vectors from '../../vectors/key-schedule.json' with { type: 'json' };
import * as reference from './reference.js';
import { hex, toHex } from './reference.js';
import { codeThrownBy } from './thrown.js';

// Only to see that the comparison is the constant-time one; it does what it always does.
vi.mock('node:crypto', async (importOriginal) => {
  const original = await importOriginal<typeof nodeCrypto>();
  return { ...original, timingSafeEqual: vi.fn(original.timingSafeEqual) };
});

beforeAll(loadPairingSodium);
afterEach(() => vi.restoreAllMocks());

const AD_J = Buffer.from('joiner speaks 1');
const AD_H = Buffer.from('host speaks 1');
const HANDSHAKE = Buffer.alloc(64, 1);
const JOINER_KEY = Buffer.alloc(32, 2);
const HOST_KEY = Buffer.alloc(32, 3);

const joiner = (changes?: Changes): JoinerPairing => new JoinerPairing(context(changes), AD_J);
const host = (changes?: Changes): HostPairing => new HostPairing(context(changes), AD_H);

interface Changes extends Partial<Omit<PairingContext, 'password'>> {
  readonly code?: string;
}

function context({ code = '417-apple-tiger', ...changes }: Changes = {}): PairingContext {
  const password = new Secret(Buffer.from(code));
  return { password, handshakeHash: HANDSHAKE, joinerKey: JOINER_KEY, hostKey: HOST_KEY, ...changes };
}

const MESSAGES: PairingMessages = {
  start: Buffer.from('start'),
  reply: Buffer.from('reply'),
  confirm: Buffer.from('confirm'),
  accept: Buffer.from('accept'),
};

function recordSecretOf(key: SessionKey, epoch = 0, direction: Direction = 'joiner to host'): string {
  return toHex(key.recordSecret(HANDSHAKE, epoch, direction).expose());
}

/** What the two sides say to each other with nobody between them, up to the host's check. */
function talk(joinerSide: JoinerPairing, hostSide: HostPairing): Confirmation {
  return joinerSide.confirm(hostSide.reply(joinerSide.start));
}

/** Expects a pairing in which neither side believes the other. */
function expectNoAgreement(joinerSide: JoinerPairing, hostSide: HostPairing): void {
  const confirm = talk(joinerSide, hostSide);
  expect(codeThrownBy(() => hostSide.verify(confirm))).toBe('wrong-code');
  expect(codeThrownBy(() => hostSide.accept())).toBe('internal');
  expect(codeThrownBy(() => joinerSide.finish(forged(confirm), MESSAGES))).toBe('wrong-code');
}

/** The best that somebody without the code can answer: the joiner's own tag and a proper X-Wing ciphertext. */
function forged({ tag, kemPublicKey }: Confirmation): Acceptance {
  return { tag, kemCiphertext: sumo.crypto_kem_xwing_enc(kemPublicKey).ciphertext };
}

describe('a pairing', () => {
  it('gives both sides the same key', () => {
    const [ours, theirs] = [joiner(), host()];
    theirs.verify(talk(ours, theirs));
    const accept = theirs.accept();
    const theirKey = theirs.sessionKey(MESSAGES);
    const ourKey = ours.finish(accept, MESSAGES);
    for (const direction of ['joiner to host', 'host to joiner'] as const) {
      expect(recordSecretOf(ourKey, 0, direction)).toBe(recordSecretOf(theirKey, 0, direction));
    }
    expect(ourKey.verifier()).toEqual(theirKey.verifier());
  });

  it('gives another key where one of the four messages was another', () => {
    for (const changed of Object.keys(MESSAGES) as (keyof PairingMessages)[]) {
      const [ours, theirs] = [joiner(), host()];
      theirs.verify(talk(ours, theirs));
      const ourKey = ours.finish(theirs.accept(), MESSAGES);
      const theirKey = theirs.sessionKey({ ...MESSAGES, [changed]: Buffer.from('changed') });
      expect(recordSecretOf(ourKey)).not.toBe(recordSecretOf(theirKey));
    }
  });

  it('gives another key every time', () => {
    const keys = Array.from({ length: 5 }, () => {
      const [ours, theirs] = [joiner(), host()];
      theirs.verify(talk(ours, theirs));
      return recordSecretOf(ours.finish(theirs.accept(), MESSAGES));
    });
    expect(new Set(keys).size).toBe(5);
  });

  it('row 1: a wrong code fails at the tag, and the host says nothing of its own', () => {
    for (const code of ['417-apple-lion', '418-apple-tiger', '417-tiger-apple', '417-apple-tiger-', '']) {
      expectNoAgreement(joiner({ code }), host());
    }
  });

  it('row 1: one run is one guess: a second proof on the same run is not looked at', () => {
    const [ours, theirs] = [joiner(), host()];
    const confirm = talk(ours, theirs);
    const wrong = { ...confirm, tag: Buffer.alloc(64) };
    expect(codeThrownBy(() => theirs.verify(wrong))).toBe('wrong-code');
    expect(codeThrownBy(() => theirs.verify(confirm))).toBe('internal');
    expect(codeThrownBy(() => theirs.accept())).toBe('internal');
    expect(codeThrownBy(() => theirs.sessionKey(MESSAGES))).toBe('internal');
  });

  it('row 1: every bit of both tags counts, and their length', () => {
    const [ours, theirs] = [joiner(), host()];
    const { tag, kemPublicKey } = talk(ours, theirs);
    for (const wrong of [
      ...flips(tag),
      Buffer.alloc(0),
      tag.subarray(1),
      Buffer.concat([tag, Buffer.alloc(1)]),
    ]) {
      const [again, other] = [joiner(), host()];
      const fresh = talk(again, other);
      expect(codeThrownBy(() => other.verify({ tag: wrong, kemPublicKey }))).toBe('wrong-code');
      expect(codeThrownBy(() => again.finish({ ...forged(fresh), tag: wrong }, MESSAGES))).toBe('wrong-code');
    }
  });

  it('another purpose is another password', () => {
    expectNoAgreement(joiner({ purpose: 'chat' }), host());
  });

  it('row 5: messages of one run are worth nothing in the next', () => {
    const [ours, theirs] = [joiner(), host()];
    const reply = theirs.reply(ours.start);
    const confirm = ours.confirm(reply);
    theirs.verify(confirm);
    const accept = theirs.accept();
    const nextConnection = { handshakeHash: Buffer.alloc(64, 9) };

    const nextHost = host(nextConnection);
    nextHost.reply(ours.start);
    expect(codeThrownBy(() => nextHost.verify(confirm))).toBe('wrong-code');

    const nextJoiner = joiner(nextConnection);
    nextJoiner.confirm(reply);
    expect(codeThrownBy(() => nextJoiner.finish(accept, MESSAGES))).toBe('wrong-code');
  });

  it('row 5: what is said on one connection is no proof on another, with the same keys and at the same time', () => {
    const [ours, theirs] = [joiner(), host({ handshakeHash: Buffer.alloc(64, 9) })];
    const confirm = ours.confirm(theirs.reply(ours.start));
    expect(codeThrownBy(() => theirs.verify(confirm))).toBe('wrong-code');
  });

  it('row 6: our own point sent back is refused, whatever is said with it', () => {
    const ours = joiner();
    expect(codeThrownBy(() => ours.confirm({ ad: AD_H, point: ours.start.point }))).toBe('protocol');
    // Nobody knows a host's point before it answers; let two have one scalar, so that one tells the other's point.
    const scalar = sumo.crypto_core_ristretto255_scalar_random();
    vi.spyOn(sumo, 'crypto_core_ristretto255_scalar_random').mockImplementation(
      () => Uint8Array.from(scalar) as never,
    );
    const [twin, theirs] = [host(), host()];
    vi.restoreAllMocks();
    const { point } = twin.reply(joiner().start);
    expect(codeThrownBy(() => theirs.reply({ ad: AD_J, point }))).toBe('protocol');
  });

  it('row 6: our own tag sent back is refused', () => {
    const [ours, theirs] = [joiner(), host()];
    const confirm = talk(ours, theirs);
    theirs.verify(confirm);
    expect(theirs.accept().tag).not.toEqual(confirm.tag);
    expect(codeThrownBy(() => ours.finish(forged(confirm), MESSAGES))).toBe('wrong-code');
  });

  it.each([
    ['each believing that it joined', { joinerKey: HOST_KEY, hostKey: JOINER_KEY }],
    ['even on one and the same identifier', {}],
  ])('row 7: two joiners never agree, %s', (_, changes) => {
    const [one, two] = [joiner(), joiner(changes)];
    const confirmOne = one.confirm(two.start);
    const confirmTwo = two.confirm(one.start);
    const answer = (to: Confirmation, from: Confirmation): Acceptance => ({ ...forged(to), tag: from.tag });
    expect(codeThrownBy(() => one.finish(answer(confirmOne, confirmTwo), MESSAGES))).toBe('wrong-code');
    expect(codeThrownBy(() => two.finish(answer(confirmTwo, confirmOne), MESSAGES))).toBe('wrong-code');
  });

  it.each([
    ['each believing that it hosts', { joinerKey: HOST_KEY, hostKey: JOINER_KEY }],
    ['even on one and the same identifier', {}],
  ])('row 7: two hosts never agree, %s', (_, changes) => {
    // A host shows its tag to nobody who has not proved himself, so there is nothing to relay; a host's point is
    // all that the other can be given, and no tag made of it fits.
    const [one, two, bystander] = [host(), host(changes), joiner(changes)];
    const shareOfTwo = two.reply(bystander.start);
    one.reply(shareOfTwo);
    const { kemPublicKey, tag } = bystander.confirm(shareOfTwo);
    expect(codeThrownBy(() => one.verify({ tag, kemPublicKey }))).toBe('wrong-code');
  });

  it('row 9: a man in the middle has two handshakes, and both legs fail', () => {
    expectNoAgreement(
      joiner({ handshakeHash: Buffer.alloc(64, 7) }),
      host({ handshakeHash: Buffer.alloc(64, 8) }),
    );
    expectNoAgreement(joiner({ hostKey: Buffer.alloc(32, 7) }), host({ joinerKey: Buffer.alloc(32, 8) }));
  });

  it('row 10: associated data that was changed on the way fails at the tag', () => {
    const [ours, theirs] = [joiner(), host()];
    const reply = theirs.reply({ ...ours.start, ad: Buffer.from('joiner speaks 0') });
    const confirm = ours.confirm(reply);
    expect(codeThrownBy(() => theirs.verify(confirm))).toBe('wrong-code');
  });

  it("row 10: the host's associated data that was changed on the way fails at both tags", () => {
    const [ours, theirs] = [joiner(), host()];
    const confirm = ours.confirm({ ...theirs.reply(ours.start), ad: Buffer.from('host speaks 0') });
    expect(codeThrownBy(() => theirs.verify(confirm))).toBe('wrong-code');
    expect(codeThrownBy(() => ours.finish(forged(confirm), MESSAGES))).toBe('wrong-code');
  });

  it.each(badPoints())('row 8: neither side goes on after %s', (_, point) => {
    const bad: Share = { ad: AD_H, point };
    const ours = joiner();
    expect(codeThrownBy(() => ours.confirm(bad))).toBe('protocol');
    const theirs = host();
    expect(codeThrownBy(() => theirs.reply(bad))).toBe('protocol');
    // No tag was made, and none can be made any more.
    expect(codeThrownBy(() => ours.confirm(joiner().start))).toBe('internal');
    expect(codeThrownBy(() => theirs.accept())).toBe('internal');
  });

  it('refuses an X-Wing key or ciphertext that is none', () => {
    for (const length of [0, 1215, 1216, 1217]) {
      const [ours, theirs] = [joiner(), host()];
      const { tag } = talk(ours, theirs);
      const kemPublicKey = new Uint8Array(length).fill(255);
      expect(codeThrownBy(() => theirs.verify({ tag, kemPublicKey }))).toBe('protocol');
    }
    for (const length of [0, 1119, 1121]) {
      const [ours, theirs] = [joiner(), host()];
      theirs.verify(talk(ours, theirs));
      const accept = { tag: theirs.accept().tag, kemCiphertext: new Uint8Array(length) };
      expect(codeThrownBy(() => ours.finish(accept, MESSAGES))).toBe('protocol');
    }
  });

  it('refuses steps out of order', () => {
    expect(codeThrownBy(() => host().accept())).toBe('internal');
    expect(codeThrownBy(() => host().sessionKey(MESSAGES))).toBe('internal');
    expect(
      codeThrownBy(() => host().verify({ tag: Buffer.alloc(64), kemPublicKey: Buffer.alloc(1216) })),
    ).toBe('internal');
    const early = { tag: Buffer.alloc(64), kemCiphertext: Buffer.alloc(1120) };
    expect(codeThrownBy(() => joiner().finish(early, MESSAGES))).toBe('internal');
  });

  it('row 12: takes a fresh scalar for every run and each only once', () => {
    const points = Array.from({ length: 50 }, () => toHex(joiner().start.point));
    expect(new Set(points).size).toBe(50);
    const ours = joiner();
    const reply = host().reply(ours.start);
    ours.confirm(reply);
    expect(codeThrownBy(() => ours.confirm(reply))).toBe('internal');
  });

  it('row 12: compares tags in constant time', () => {
    const compared = vi.mocked(nodeCrypto.timingSafeEqual);
    const [ours, theirs] = [joiner(), host()];
    const confirm = talk(ours, theirs);
    compared.mockClear();
    theirs.verify(confirm);
    expect(compared.mock.calls.map(([given]) => given)).toEqual([confirm.tag]);
    compared.mockClear();
    const accept = theirs.accept();
    ours.finish(accept, MESSAGES);
    expect(compared.mock.calls.map(([given]) => given)).toEqual([accept.tag]);
  });

  it('row 12: erases its scalar and its X-Wing key after use, and leaves the password to the caller', () => {
    const scalars = vi.spyOn(sumo, 'crypto_core_ristretto255_scalar_random');
    const keyPairs = vi.spyOn(sumo, 'crypto_kem_xwing_keypair');
    const shared = context();
    const ours = new JoinerPairing(shared, AD_J);
    const theirs = new HostPairing(shared, AD_H);
    theirs.verify(talk(ours, theirs));
    ours.finish(theirs.accept(), MESSAGES);
    const made = scalars.mock.results.map(({ value }) => value as Uint8Array);
    expect(made).toEqual([new Uint8Array(32), new Uint8Array(32)]);
    const [pair] = keyPairs.mock.results.map(({ value }) => value as { privateKey: Uint8Array });
    expect(pair?.privateKey).toEqual(new Uint8Array(32));
    expect(Buffer.from(shared.password.expose()).toString()).toBe('417-apple-tiger');
  });
});

describe.each(vectors.pairings)('key schedule vector for $inputs.code', (vector) => {
  const { inputs, outputs } = vector;

  it('is what the reference makes', () => {
    expect(reference.pair(inputs)).toEqual(outputs);
    expect(reference.verifier(outputs.sessionKey)).toEqual(vector.verifier);
  });

  it('is what a pairing makes with these random values', () => {
    vi.spyOn(sumo, 'crypto_core_ristretto255_scalar_random')
      .mockImplementationOnce(() => hex(inputs.joinerScalar) as never)
      .mockImplementationOnce(() => hex(inputs.hostScalar) as never);
    vi.spyOn(sumo, 'crypto_kem_xwing_keypair').mockImplementationOnce(
      () => sumo.crypto_kem_xwing_seed_keypair(hex(inputs.kemKeySeed)) as never,
    );
    vi.spyOn(sumo, 'crypto_kem_xwing_enc').mockImplementationOnce(
      (key: Uint8Array) =>
        sumo.crypto_kem_xwing_enc_deterministic(key, hex(inputs.kemCiphertextSeed)) as never,
    );
    const shared: PairingContext = {
      password: new Secret(Buffer.from(inputs.code)),
      handshakeHash: hex(inputs.handshakeHash),
      joinerKey: hex(inputs.joinerKey),
      hostKey: hex(inputs.hostKey),
      purpose: inputs.purpose,
    };
    const ours = new JoinerPairing(shared, hex(inputs.joinerAd));
    const theirs = new HostPairing(shared, hex(inputs.hostAd));

    const reply = theirs.reply(ours.start);
    expect(toHex(ours.start.point)).toBe(outputs.joinerPoint);
    expect(toHex(reply.point)).toBe(outputs.hostPoint);
    const confirm = ours.confirm(reply);
    expect(`03${toHex(confirm.tag)}${toHex(confirm.kemPublicKey)}`).toBe(outputs.confirm);
    theirs.verify(confirm);
    const accept = theirs.accept();
    expect(`04${toHex(accept.tag)}${toHex(accept.kemCiphertext)}`).toBe(outputs.accept);

    const messages = {
      start: hex(outputs.start),
      reply: hex(outputs.reply),
      confirm: hex(outputs.confirm),
      accept: hex(outputs.accept),
    };
    const keys = [
      ours.finish(accept, messages),
      theirs.sessionKey(messages),
      new SessionKey(new Secret(hex(outputs.sessionKey))),
    ];
    for (const key of keys) {
      expect(key.verifier()).toEqual(vector.verifier);
      for (const { handshakeHash, epoch, direction, secret } of vector.recordSecrets) {
        expect(reference.recordSecret(outputs.sessionKey, handshakeHash, epoch, direction)).toBe(secret);
        expect(toHex(key.recordSecret(hex(handshakeHash), epoch, direction as Direction).expose())).toBe(
          secret,
        );
      }
    }
  });

  it('has another record secret for each connection, epoch and direction', () => {
    expect(new Set(vector.recordSecrets.map(({ secret }) => secret)).size).toBe(vector.recordSecrets.length);
  });
});

describe('SessionKey', () => {
  it('gives nothing after it was erased', () => {
    const key = new SessionKey(new Secret(new Uint8Array(64).fill(1)));
    key.erase();
    expect(codeThrownBy(() => key.verifier())).toBe('internal');
  });
});

function* flips(bytes: Uint8Array): Generator<Uint8Array> {
  for (let bit = 0; bit < bytes.length * 8; bit += 37) {
    const flipped = Uint8Array.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    yield flipped;
  }
}

function badPoints(): [why: string, point: Uint8Array][] {
  const valid = hex(cpaceVectors.protocol.Ya);
  return [
    ...cpaceVectors.scalar_mult.must_abort.map(({ why, Y }): [string, Uint8Array] => [why, hex(Y)]),
    ...cpaceVectors.rfc9496_invalid_encodings.list.map((Y, index): [string, Uint8Array] => [
      `RFC 9496 A.3 invalid encoding ${index + 1}`,
      hex(Y),
    ]),
    ...[0, 31, 33, 64].map((length): [string, Uint8Array] => [
      `${length} bytes`,
      Buffer.alloc(length, valid),
    ]),
  ];
}
