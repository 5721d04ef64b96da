import * as nodeCrypto from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { XkInitiator, XkResponder } from '../../../src/crypto/noise-xk.js';
import { Secret } from '../../../src/crypto/secret.js';
import { generateKeyPair, keyPairOf, type KeyPair } from '../../../src/crypto/x25519.js';
import vector from '../../vectors/noise-xkpsk3.json' with { type: 'json' };
import { hex, toHex } from './reference.js';
import { codeThrownBy } from './thrown.js';

// Ephemeral keys of a vector come from here; otherwise it does what it always does.
vi.mock('node:crypto', async (importOriginal) => {
  const original = await importOriginal<typeof nodeCrypto>();
  return { ...original, randomBytes: vi.fn(original.randomBytes) };
});

afterEach(() => vi.mocked(nodeCrypto.randomBytes).mockClear());

const PROLOGUE = Buffer.from('prologue');
const PSK = Buffer.alloc(32, 9);
const psk = (): Secret => new Secret(Uint8Array.from(PSK));
const [alice, bob, mallory] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
const knowsAlice = (key: Uint8Array): Secret | undefined =>
  Buffer.from(alice.publicKey).equals(key) ? psk() : undefined;

/** The next ephemeral keys, in the order in which they are made. */
function nextEphemerals(...keys: readonly string[]): void {
  for (const key of keys) vi.mocked(nodeCrypto.randomBytes).mockImplementationOnce(() => hex(key) as never);
}

interface Sides {
  readonly initiator: XkInitiator;
  readonly responder: XkResponder;
}

function sides({ own = alice, meant = bob.publicKey, answers = bob, prologue = PROLOGUE } = {}): Sides {
  return {
    initiator: new XkInitiator(own, meant, PROLOGUE),
    responder: new XkResponder(answers, prologue),
  };
}

/** All three messages, each of which may be changed on its way. */
function talk(
  { initiator, responder }: Sides,
  change: (message: Uint8Array, place: number) => Uint8Array = (message) => message,
) {
  const first = responder.readStart(change(initiator.start(Buffer.from('one')), 0));
  const second = initiator.readReply(change(responder.reply(Buffer.from('two')), 1));
  const { message, outcome } = initiator.confirm(psk(), Buffer.from('three'));
  const third = responder.readConfirm(change(message, 2), knowsAlice);
  return { payloads: [first, second, third.payload].map(String), third, outcome };
}

describe('Noise XKpsk3', () => {
  it('is what others make of the published values', () => {
    const own = keyPairOf(new Secret(hex(vector.initiatorStatic)));
    const responders = keyPairOf(new Secret(hex(vector.responderStatic)));
    nextEphemerals(vector.initiatorEphemeral, vector.responderEphemeral);
    const initiator = new XkInitiator(own, hex(vector.responderPublic), hex(vector.prologue));
    const responder = new XkResponder(responders, hex(vector.prologue));
    const [one, two, three, four] = vector.messages;

    expect(toHex(initiator.start(hex(one!.payload)))).toBe(one!.bytes);
    expect(toHex(responder.readStart(hex(one!.bytes)))).toBe(one!.payload);
    expect(toHex(responder.reply(hex(two!.payload)))).toBe(two!.bytes);
    expect(toHex(initiator.readReply(hex(two!.bytes)))).toBe(two!.payload);
    const confirmed = initiator.confirm(new Secret(hex(vector.psk)), hex(three!.payload));
    expect(toHex(confirmed.message)).toBe(three!.bytes);
    const read = responder.readConfirm(hex(three!.bytes), () => new Secret(hex(vector.psk)));
    expect(toHex(read.payload)).toBe(three!.payload);
    expect(toHex(read.staticKey)).toBe(toHex(own.publicKey));
    for (const { handshakeHash } of [confirmed.outcome, read.outcome]) {
      expect(toHex(handshakeHash)).toBe(vector.handshakeHash);
    }
    expect(toHex(read.outcome.answerKey.seal(hex(four!.payload)))).toBe(four!.bytes);
    expect(toHex(confirmed.outcome.answerKey.open(hex(four!.bytes)))).toBe(four!.payload);
  });

  it('gives both sides the payloads, the static key and the same secrets', () => {
    const { payloads, third, outcome } = talk(sides());
    expect(payloads).toEqual(['one', 'two', 'three']);
    expect(toHex(third.staticKey)).toBe(toHex(alice.publicKey));
    expect(third.outcome.handshakeHash).toEqual(outcome.handshakeHash);
    expect(third.outcome.chainingKey.expose()).toEqual(outcome.chainingKey.expose());
    expect(String(outcome.answerKey.open(third.outcome.answerKey.seal(Buffer.from('four'))))).toBe('four');
  });

  it('gives other secrets every time, and shows no static key', () => {
    const seen: string[] = [];
    const keys = Array.from({ length: 5 }, () => {
      const { outcome } = talk(sides(), (message) => {
        seen.push(toHex(message));
        return message;
      });
      return toHex(outcome.chainingKey.expose());
    });
    expect(new Set(keys).size).toBe(5);
    for (const { publicKey } of [alice, bob]) expect(seen.join()).not.toContain(toHex(publicKey));
  });

  it('any bit of any message that is changed on its way ends the run', () => {
    fc.assert(
      fc.property(fc.nat(2), fc.nat(), fc.nat(7), (place, at, bit) => {
        const change = (message: Uint8Array, index: number): Uint8Array => {
          const changed = Uint8Array.from(message);
          if (index === place) changed[at % changed.length]! ^= 1 << bit;
          return changed;
        };
        expect(['integrity', 'protocol']).toContain(codeThrownBy(() => talk(sides(), change)));
      }),
    );
  });

  it('a message that is cut anywhere ends the run', () => {
    fc.assert(
      fc.property(fc.nat(2), fc.nat(), (place, at) => {
        const change = (message: Uint8Array, index: number): Uint8Array =>
          index === place ? message.subarray(0, at % message.length) : message;
        expect(['integrity', 'protocol']).toContain(codeThrownBy(() => talk(sides(), change)));
      }),
    );
  });

  it('who is not the one that was meant cannot read the first message', () => {
    expect(codeThrownBy(() => talk(sides({ answers: mallory })))).toBe('integrity');
    expect(codeThrownBy(() => talk(sides({ meant: mallory.publicKey })))).toBe('integrity');
  });

  it('a prologue that differs ends the run', () => {
    expect(codeThrownBy(() => talk(sides({ prologue: Buffer.from('another') })))).toBe('integrity');
  });

  it('who is not known is refused, and who lacks the shared key as well', () => {
    expect(codeThrownBy(() => talk(sides({ own: mallory })))).toBe('device-refused');
    const { initiator, responder } = sides();
    responder.readStart(initiator.start(Buffer.of()));
    initiator.readReply(responder.reply(Buffer.of()));
    const { message } = initiator.confirm(new Secret(Buffer.alloc(32)), Buffer.of());
    expect(codeThrownBy(() => responder.readConfirm(message, knowsAlice))).toBe('integrity');
  });

  it('who knows the public key of another cannot speak for it', () => {
    const pretender: KeyPair = { publicKey: alice.publicKey, privateKey: mallory.privateKey };
    expect(codeThrownBy(() => talk(sides({ own: pretender })))).toBe('integrity');
  });

  it.each([
    ['zero', Buffer.alloc(32)],
    ['one', Buffer.concat([Buffer.of(1)], 32)],
    ['of order eight', hex('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800')],
  ])('a key with which everybody has the same secret is refused: %s', (_, weak) => {
    const change =
      (place: number) =>
      (message: Uint8Array, index: number): Uint8Array =>
        index === place ? Buffer.concat([weak, message.subarray(32)]) : message;
    expect(codeThrownBy(() => talk(sides(), change(0)))).toBe('protocol');
    expect(codeThrownBy(() => talk(sides(), change(1)))).toBe('protocol');
    expect(codeThrownBy(() => talk(sides({ meant: weak })))).toBe('protocol');
    const own = { publicKey: weak, privateKey: alice.privateKey };
    expect(codeThrownBy(() => talk(sides({ own })))).toBe('protocol');
  });

  it('a run that failed goes on nowhere, and steps out of order are bugs', () => {
    const { initiator, responder } = sides();
    expect(codeThrownBy(() => responder.reply(Buffer.of()))).toBe('internal');
    expect(codeThrownBy(() => responder.readStart(initiator.start(Buffer.of())))).toBe('internal');
    const other = sides();
    expect(codeThrownBy(() => other.initiator.confirm(psk(), Buffer.of()))).toBe('internal');
    const failed = sides();
    expect(codeThrownBy(() => failed.responder.readStart(Buffer.alloc(80, 1)))).toBe('integrity');
    expect(codeThrownBy(() => failed.responder.readStart(failed.initiator.start(Buffer.of())))).toBe(
      'internal',
    );
  });

  it('leaves the static key to its owner, and erases what it made', () => {
    const { initiator, responder } = sides();
    talk({ initiator, responder });
    expect(alice.privateKey.expose().some((byte) => byte !== 0)).toBe(true);
    expect(bob.privateKey.expose().some((byte) => byte !== 0)).toBe(true);
    expect(codeThrownBy(() => initiator.readReply(Buffer.alloc(80)))).toBe('internal');
    const made = vi
      .mocked(nodeCrypto.randomBytes)
      .mock.results.map(({ value }) => value as unknown as Buffer);
    expect(made.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
  });

  it('erases the shared key that it looked up, and uses the key of the answer once', () => {
    const { initiator, responder } = sides();
    responder.readStart(initiator.start(Buffer.of()));
    initiator.readReply(responder.reply(Buffer.of()));
    const { message, outcome } = initiator.confirm(psk(), Buffer.of());
    const lookedUp = psk();
    const theirs = responder.readConfirm(message, () => lookedUp).outcome;
    expect(codeThrownBy(() => lookedUp.expose())).toBe('internal');
    const answer = theirs.answerKey.seal(Buffer.from('four'));
    expect(codeThrownBy(() => theirs.answerKey.seal(Buffer.from('five')))).toBe('internal');
    outcome.answerKey.open(answer);
    expect(codeThrownBy(() => outcome.answerKey.open(answer))).toBe('internal');
  });

  it('forgets a run that is given up, at either side', () => {
    const { initiator, responder } = sides();
    const start = initiator.start(Buffer.of());
    initiator.erase();
    responder.erase();
    expect(codeThrownBy(() => responder.readStart(start))).toBe('internal');
    expect(codeThrownBy(() => initiator.start(Buffer.of()))).toBe('internal');
    const { outcome } = talk(sides());
    outcome.answerKey.erase();
    expect(codeThrownBy(() => outcome.answerKey.open(Buffer.alloc(16)))).toBe('internal');
    const made = vi
      .mocked(nodeCrypto.randomBytes)
      .mock.results.map(({ value }) => value as unknown as Buffer);
    expect(made.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
  });

  it.each([0, 31, 33])('a shared key of %d bytes is a bug', (length) => {
    const { initiator, responder } = sides();
    responder.readStart(initiator.start(Buffer.of()));
    initiator.readReply(responder.reply(Buffer.of()));
    const wrong = new Secret(Buffer.alloc(length));
    expect(codeThrownBy(() => initiator.confirm(wrong, Buffer.of()))).toBe('internal');
  });
});
