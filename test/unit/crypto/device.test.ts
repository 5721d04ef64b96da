import * as nodeCrypto from 'node:crypto';
import fc from 'fast-check';
import sumo from 'libsodium-wrappers-sumo';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  daysAround,
  DeviceHost,
  DeviceJoiner,
  deviceTopic,
  pairDevices,
  type DeviceContext,
  type KnownDevice,
} from '../../../src/crypto/device.js';
import { lvCat } from '../../../src/crypto/cpace.js';
import { SessionKey, type PairingMessages } from '../../../src/crypto/key-schedule.js';
import { XkInitiator, XkResponder } from '../../../src/crypto/noise-xk.js';
import { Secret } from '../../../src/crypto/secret.js';
import { loadPairingSodium } from '../../../src/crypto/sodium.js';
import { generateKeyPair, keyPairOf } from '../../../src/crypto/x25519.js';
import vectors from '../../vectors/device.json' with { type: 'json' };
import * as reference from './reference.js';
import { hex, toHex } from './reference.js';
import { codeThrownBy } from './thrown.js';

vi.mock('node:crypto', async (importOriginal) => {
  const original = await importOriginal<typeof nodeCrypto>();
  return { ...original, randomBytes: vi.fn(original.randomBytes) };
});

beforeAll(loadPairingSodium);
afterEach(() => {
  vi.restoreAllMocks();
});

const HANDSHAKE = Buffer.alloc(64, 1);
const [laptop, pi, mallory] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
const shared = (byte = 7): Secret => new Secret(Buffer.alloc(32, byte));
const knownPi: KnownDevice = { publicKey: pi.publicKey, secret: shared() };
const MESSAGES: PairingMessages = {
  start: Buffer.from('start'),
  reply: Buffer.from('reply'),
  confirm: Buffer.from('confirm'),
  accept: Buffer.from('accept'),
};

function context(own = laptop, changes: Partial<DeviceContext> = {}): DeviceContext {
  const keys = { joinerKey: Buffer.alloc(32, 2), hostKey: Buffer.alloc(32, 3) };
  return { own, handshakeHash: HANDSHAKE, ...keys, ...changes };
}

/** Who pi remembers. */
const find =
  (known: Uint8Array = laptop.publicKey, secret = shared()) =>
  (key: Uint8Array): Secret | undefined =>
    Buffer.from(known).equals(key) ? secret : undefined;

type Change = (message: Uint8Array, place: number) => Uint8Array;

function talk(
  joiner: DeviceJoiner,
  host: DeviceHost,
  {
    remembers = find(),
    change = (message) => message,
  }: { remembers?: ReturnType<typeof find>; change?: Change } = {},
) {
  host.readStart(change(joiner.start(Buffer.from('joiner speaks 1')), 0));
  joiner.readReply(change(host.reply(Buffer.from('host speaks 1')), 1));
  const device = host.verify(change(joiner.confirm(), 2), remembers);
  const accept = change(host.accept(), 3);
  return { device, keys: [joiner.finish(accept, MESSAGES), host.sessionKey(MESSAGES)] as const };
}

const joiner = (changes?: Partial<DeviceContext>, peer = knownPi, own = laptop): DeviceJoiner =>
  new DeviceJoiner(context(own, changes), peer);
const host = (changes?: Partial<DeviceContext>, own = pi): DeviceHost =>
  new DeviceHost(context(own, changes));

describe('two devices that remember each other', () => {
  it('have one key, and the host knows which device it is', () => {
    const { device, keys } = talk(joiner(), host());
    expect(toHex(device)).toBe(toHex(laptop.publicKey));
    expect(keys[0].verifier()).toEqual(keys[1].verifier());
  });

  it('have another key every time', () => {
    const words = Array.from({ length: 5 }, () => talk(joiner(), host()).keys[0].verifier().join());
    expect(new Set(words).size).toBe(5);
  });

  it('have no key in common where a message was another', () => {
    for (const name of Object.keys(MESSAGES) as (keyof PairingMessages)[]) {
      const [ours, theirs] = [joiner(), host()];
      theirs.readStart(ours.start(Buffer.of()));
      ours.readReply(theirs.reply(Buffer.of()));
      theirs.verify(ours.confirm(), find());
      const changed = { ...MESSAGES, [name]: Buffer.from('changed') };
      const ourKey = ours.finish(theirs.accept(), MESSAGES);
      expect(ourKey.verifier()).not.toEqual(theirs.sessionKey(changed).verifier());
    }
  });

  it('row 74: show no public key of either on the way', () => {
    const seen: string[] = [];
    talk(joiner(), host(), { change: (message) => (seen.push(toHex(message)), message) });
    for (const { publicKey } of [laptop, pi]) expect(seen.join()).not.toContain(toHex(publicKey));
  });

  it('any bit of any message that is changed on its way is refused', () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(), fc.nat(7), (place, at, bit) => {
        const change: Change = (message, index) => {
          const changed = Uint8Array.from(message);
          if (index === place) changed[at % changed.length]! ^= 1 << bit;
          return changed;
        };
        expect(['device-refused', 'protocol']).toContain(
          codeThrownBy(() => talk(joiner(), host(), { change })),
        );
      }),
    );
  });
});

describe('who is refused', () => {
  it('row 75: another machine in the place of the device', () => {
    expect(codeThrownBy(() => talk(joiner(), host({}, mallory)))).toBe('device-refused');
  });

  it('row 75: a device that is not remembered', () => {
    const own = { publicKey: mallory.publicKey, privateKey: mallory.privateKey };
    expect(codeThrownBy(() => talk(joiner({}, knownPi, own), host()))).toBe('device-refused');
    const nobody = (): undefined => undefined;
    expect(codeThrownBy(() => talk(joiner(), host(), { remembers: nobody }))).toBe('device-refused');
  });

  it('who knows the public key of a remembered device and not its private one', () => {
    const own = { publicKey: laptop.publicKey, privateKey: mallory.privateKey };
    expect(codeThrownBy(() => talk(joiner({}, knownPi, own), host()))).toBe('device-refused');
  });

  it('a device whose secret is of another pairing, at the host before it says anything about itself', () => {
    const host_ = host();
    expect(codeThrownBy(() => talk(joiner(), host_, { remembers: find(laptop.publicKey, shared(8)) }))).toBe(
      'device-refused',
    );
    expect(codeThrownBy(() => host_.accept())).toBe('internal');
  });

  it('row 5: what was said on another connection', () => {
    const other = { handshakeHash: Buffer.alloc(64, 9) };
    expect(codeThrownBy(() => host(other).readStart(joiner().start(Buffer.of())))).toBe('device-refused');
    const [ours, theirs, later] = [joiner(), host(), host()];
    const start = ours.start(Buffer.of());
    theirs.readStart(start);
    ours.readReply(theirs.reply(Buffer.of()));
    const confirm = ours.confirm();
    // The same start again on what looks like the same connection: the answer is another, and the proof does not fit.
    later.readStart(start);
    later.reply(Buffer.of());
    expect(codeThrownBy(() => later.verify(confirm, find()))).toBe('device-refused');
  });

  it('row 9: a man in the middle, whose two connections are not one', () => {
    for (const changes of [
      { handshakeHash: Buffer.alloc(64, 9) },
      { hostKey: Buffer.alloc(32, 9) },
      { joinerKey: Buffer.alloc(32, 9) },
      { joinerKey: Buffer.alloc(32, 3), hostKey: Buffer.alloc(32, 2) },
    ]) {
      expect(codeThrownBy(() => talk(joiner(), host(changes)))).toBe('device-refused');
    }
  });

  it('row 6: who sends back what it was told', () => {
    const ours = joiner();
    const start = ours.start(Buffer.from('ad'));
    expect(codeThrownBy(() => ours.readReply(start))).toBe('device-refused');
  });

  it('a host that knows the keys and makes up the X-Wing ciphertext, and one that sends none', () => {
    const change =
      (accept: Uint8Array): Change =>
      (message, place) =>
        place === 3 ? accept : message;
    for (const length of [0, 15, 16, 1136, 1137]) {
      const forged = change(new Uint8Array(length));
      expect(['device-refused', 'protocol']).toContain(
        codeThrownBy(() => talk(joiner(), host(), { change: forged })),
      );
    }
  });

  it('steps out of order, and a run that failed', () => {
    expect(codeThrownBy(() => host().accept())).toBe('internal');
    expect(codeThrownBy(() => host().sessionKey(MESSAGES))).toBe('internal');
    expect(codeThrownBy(() => joiner().finish(Buffer.alloc(1136), MESSAGES))).toBe('internal');
    const theirs = host();
    expect(codeThrownBy(() => talk(joiner(), theirs, { remembers: () => undefined }))).toBe('device-refused');
    expect(codeThrownBy(() => theirs.sessionKey(MESSAGES))).toBe('internal');
  });

  it('nobody keeps a secret of a run, and the pairing secret stays with its owner', () => {
    const keyPairs = vi.spyOn(sumo, 'crypto_kem_xwing_keypair');
    const secret = shared();
    talk(joiner(), host(), { remembers: find(laptop.publicKey, secret) });
    const [made] = keyPairs.mock.results.map(({ value }) => value as { privateKey: Uint8Array });
    expect(made?.privateKey).toEqual(new Uint8Array(32));
    expect(secret.expose()).toEqual(Buffer.alloc(32, 7));
    expect(laptop.privateKey.expose().some((byte) => byte !== 0)).toBe(true);
  });
});

describe('a device that knows all keys and keeps to nothing else', () => {
  const lines = context();
  const prologue = lvCat(
    Buffer.from('xfer/1 device'),
    lines.handshakeHash,
    Buffer.from('joiner'),
    lines.joinerKey,
    Buffer.from('host'),
    lines.hostKey,
  );
  const psk = (): Secret => {
    const info = Buffer.from('xfer/1 device psk');
    const bytes = nodeCrypto.hkdfSync('sha512', shared().expose(), Buffer.of(), info, 32);
    return new Secret(new Uint8Array(bytes));
  };

  it.each([0, 1215, 1216, 1217])(
    'as joiner with an X-Wing key of %d bytes that is none is refused',
    (length) => {
      const [liar, theirs] = [new XkInitiator(laptop, pi.publicKey, prologue), host()];
      theirs.readStart(liar.start(Buffer.of()));
      liar.readReply(theirs.reply(Buffer.of()));
      const { message } = liar.confirm(psk(), new Uint8Array(length).fill(255));
      expect(codeThrownBy(() => theirs.verify(message, find()))).toBe('protocol');
      expect(codeThrownBy(() => theirs.accept())).toBe('internal');
    },
  );

  it.each([0, 1119, 1121])('as host with an X-Wing ciphertext of %d bytes is refused', (length) => {
    const [ours, liar] = [joiner(), new XkResponder(pi, prologue)];
    liar.readStart(ours.start(Buffer.of()));
    ours.readReply(liar.reply(Buffer.of()));
    const { outcome } = liar.readConfirm(ours.confirm(), psk);
    const accept = outcome.answerKey.seal(new Uint8Array(length));
    expect(codeThrownBy(() => ours.finish(accept, MESSAGES))).toBe('protocol');
  });

  it('gets one key of a run, at either side', () => {
    const [ours, theirs] = [joiner(), host()];
    talk(ours, theirs);
    expect(codeThrownBy(() => theirs.sessionKey(MESSAGES))).toBe('internal');
    expect(codeThrownBy(() => theirs.accept())).toBe('internal');
    expect(codeThrownBy(() => ours.finish(Buffer.alloc(1136), MESSAGES))).toBe('internal');
    expect(codeThrownBy(() => ours.confirm())).toBe('internal');
  });
});

describe('the pairing of two devices', () => {
  const session = (byte = 1): SessionKey => new SessionKey(new Secret(Buffer.alloc(64, byte)));

  it('gives both one secret, and each the proof that the other expects', () => {
    const ours = pairDevices(session(), 'joiner', laptop, pi.publicKey);
    const theirs = pairDevices(session(), 'host', pi, laptop.publicKey);
    expect(ours.secret.expose()).toEqual(theirs.secret.expose());
    expect(ours.proof).toEqual(theirs.peerProof);
    expect(ours.peerProof).toEqual(theirs.proof);
    expect(ours.proof).not.toEqual(ours.peerProof);
  });

  it('gives who told the key of another no proof, in another session no secret', () => {
    const pretender = { publicKey: laptop.publicKey, privateKey: mallory.privateKey };
    const ours = pairDevices(session(), 'joiner', pretender, pi.publicKey);
    const theirs = pairDevices(session(), 'host', pi, laptop.publicKey);
    expect(ours.proof).not.toEqual(theirs.peerProof);
    expect(ours.secret.expose()).not.toEqual(theirs.secret.expose());
    const later = pairDevices(session(2), 'host', pi, laptop.publicKey);
    expect(later.secret.expose()).not.toEqual(theirs.secret.expose());
    expect(later.peerProof).not.toEqual(theirs.peerProof);
  });

  it('is not with oneself, nor with a key that is none', () => {
    const pairWith = (key: Uint8Array): unknown =>
      codeThrownBy(() => pairDevices(session(), 'host', pi, key));
    expect(pairWith(pi.publicKey)).toBe('protocol');
    expect(pairWith(new Uint8Array(32))).toBe('protocol');
    for (const length of [0, 31, 33]) expect(pairWith(new Uint8Array(length).fill(9))).toBe('protocol');
  });

  it('erases what it made on the way, and leaves the key of the session', () => {
    const key = session();
    pairDevices(key, 'joiner', laptop, pi.publicKey);
    expect(key.verifier()).toHaveLength(6);
  });
});

describe('the topic of a device', () => {
  it('row 74: is another on each day, for each side that waits, and for each pairing', () => {
    const topics = [
      deviceTopic(shared(), pi.publicKey, 20_000),
      deviceTopic(shared(), pi.publicKey, 20_001),
      deviceTopic(shared(), laptop.publicKey, 20_000),
      deviceTopic(shared(8), pi.publicKey, 20_000),
    ].map(toHex);
    expect(new Set(topics).size).toBe(4);
    expect(deviceTopic(shared(), pi.publicKey, 20_000)).toHaveLength(32);
  });

  it('is that of the day, and around midnight also that of the day that it may be elsewhere', () => {
    const at = (time: string): readonly number[] => daysAround(Date.parse(time));
    const day = Date.parse('2026-11-26T00:00:00Z') / 86_400_000;
    expect(at('2026-11-26T12:00:00Z')).toEqual([day]);
    expect(at('2026-11-26T02:00:00Z')).toEqual([day]);
    expect(at('2026-11-26T01:59:59Z')).toEqual([day - 1, day]);
    expect(at('2026-11-26T00:00:00Z')).toEqual([day - 1, day]);
    expect(at('2026-11-26T21:59:59Z')).toEqual([day]);
    expect(at('2026-11-26T22:00:00Z')).toEqual([day, day + 1]);
    expect(daysAround(0)).toEqual([0]);
  });

  it('clocks that differ by less than four hours always have a day in common', () => {
    fc.assert(
      fc.property(fc.nat(4e12), fc.nat(4 * 3_600_000 - 1), (nowMs, apartMs) => {
        const other = new Set(daysAround(nowMs + apartMs));
        expect(daysAround(nowMs).some((day) => other.has(day))).toBe(true);
      }),
    );
  });
});

describe('the vectors', () => {
  it.each(vectors.pairings)('of a pairing', ({ inputs, outputs }) => {
    expect(reference.devicePairing(inputs)).toEqual(outputs);
    const key = new SessionKey(new Secret(hex(inputs.sessionKey)));
    const one = keyPairOf(new Secret(hex(inputs.joinerPrivate)));
    const other = keyPairOf(new Secret(hex(inputs.hostPrivate)));
    const { secret, proof, peerProof } = pairDevices(key, 'joiner', one, other.publicKey);
    expect([secret.expose(), proof, peerProof].map(toHex)).toEqual(Object.values(outputs));
  });

  it.each(vectors.topics)('of the topic on day $day', ({ secret, waitingKey, day, topic }) => {
    expect(reference.deviceTopic(secret, waitingKey, day)).toBe(topic);
    expect(toHex(deviceTopic(new Secret(hex(secret)), hex(waitingKey), day))).toBe(topic);
  });

  it.each(vectors.sessions)('of a session', ({ inputs, outputs }) => {
    expect(reference.deviceSession(inputs)).toEqual(outputs);
    vi.mocked(nodeCrypto.randomBytes)
      .mockImplementationOnce(() => hex(inputs.joinerEphemeral) as never)
      .mockImplementationOnce(() => hex(inputs.hostEphemeral) as never);
    vi.spyOn(sumo, 'crypto_kem_xwing_keypair').mockImplementationOnce(
      () => sumo.crypto_kem_xwing_seed_keypair(hex(inputs.kemKeySeed)) as never,
    );
    vi.spyOn(sumo, 'crypto_kem_xwing_enc').mockImplementationOnce(
      (key: Uint8Array) =>
        sumo.crypto_kem_xwing_enc_deterministic(key, hex(inputs.kemCiphertextSeed)) as never,
    );
    const [one, other] = [inputs.joinerPrivate, inputs.hostPrivate].map((key) =>
      keyPairOf(new Secret(hex(key))),
    );
    const connection = {
      handshakeHash: hex(inputs.handshakeHash),
      joinerKey: hex(inputs.joinerKey),
      hostKey: hex(inputs.hostKey),
    };
    const secret = new Secret(hex(inputs.secret));
    const ours = new DeviceJoiner({ own: one!, ...connection }, { publicKey: other!.publicKey, secret });
    const theirs = new DeviceHost({ own: other!, ...connection });
    const start = ours.start(hex(inputs.joinerAd));
    expect(`05${toHex(start)}`).toBe(outputs.start);
    expect(toHex(theirs.readStart(start))).toBe(inputs.joinerAd);
    const reply = theirs.reply(hex(inputs.hostAd));
    expect(`06${toHex(reply)}`).toBe(outputs.reply);
    expect(toHex(ours.readReply(reply))).toBe(inputs.hostAd);
    const confirm = ours.confirm();
    expect(`07${toHex(confirm)}`).toBe(outputs.confirm);
    theirs.verify(confirm, find(one!.publicKey, secret));
    expect(`08${toHex(theirs.accept())}`).toBe(outputs.accept);
    const messages = {
      start: hex(outputs.start),
      reply: hex(outputs.reply),
      confirm: hex(outputs.confirm),
      accept: hex(outputs.accept),
    };
    const expected = reference.verifier(outputs.sessionKey);
    expect(ours.finish(theirs.accept(), messages).verifier()).toEqual(expected);
    expect(theirs.sessionKey(messages).verifier()).toEqual(expected);
  });
});
