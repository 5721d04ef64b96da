/**
 * Devices that remember each other (protocol section 11): what two of them agree on when they are paired, under which
 * topics they find each other later, and the two sides of the handshake by which they then prove who they are.
 */
import { hkdfSync } from 'node:crypto';
import { XferError } from '../errors.js';
import { lvCat } from './cpace.js';
import type { Topic } from './code.js';
import { equalBytes } from './digest.js';
import { deriveSessionKey, type PairingMessages, type SessionKey, type Side } from './key-schedule.js';
import { XkInitiator, XkResponder, type XkOutcome } from './noise-xk.js';
import { Secret } from './secret.js';
import { XWING_PUBLIC_KEY_BYTES, xwingDecapsulate, xwingEncapsulate, xwingKeyPair } from './sodium.js';
import { sharedSecret, type KeyPair } from './x25519.js';

/** A paired device as the other one knows it. */
export interface KnownDevice {
  /** Its X25519 public key. */
  readonly publicKey: Uint8Array;
  /** What both have from their pairing, 32 bytes. */
  readonly secret: Secret;
}

const SECRET_BYTES = 32;
const EMPTY = new Uint8Array(0);
const DAY_MS = 86_400_000;
/** Clocks may differ by so much around midnight; each side allows it. */
const CLOCKS_DIFFER_MS = 7_200_000;

/** What follows from the key of a session in which two devices told each other their public keys. */
export interface DevicePairing {
  /** What both have from now on. The caller erases it. */
  readonly secret: Secret;
  /** Proves to the peer that this side has the key that it told. */
  readonly proof: Uint8Array;
  /** What the peer has to prove that with. */
  readonly peerProof: Uint8Array;
}

/**
 * Pairs two devices over a session. Throws `protocol` for a public key that is none, or our own.
 *
 * @param own Stays the caller's.
 */
export function pairDevices(
  sessionKey: SessionKey,
  side: Side,
  own: KeyPair,
  peerKey: Uint8Array,
): DevicePairing {
  if (equalBytes(own.publicKey, peerKey)) throw new XferError('protocol', { subject: 'own public key' });
  const shared = sharedSecret(own.privateKey, peerKey);
  const exported = sessionKey.forDevices();
  const input = new Secret(Buffer.concat([exported.expose(), shared.expose()]));
  const keys = side === 'joiner' ? [own.publicKey, peerKey] : [peerKey, own.publicKey];
  const proofOf = (prover: Side): Uint8Array =>
    derive(input, lvCat(ascii('xfer/1 pairing proof'), ascii(prover), ...keys));
  const pairing = {
    secret: new Secret(derive(input, lvCat(ascii('xfer/1 pairing'), ...keys))),
    proof: proofOf(side),
    peerProof: proofOf(side === 'joiner' ? 'host' : 'joiner'),
  };
  for (const used of [shared, exported, input]) used.erase();
  return pairing;
}

/** Under what a device waits for another one on one day, as the two of them alone know. `day` counts from 1970, in UTC. */
export function deviceTopic(secret: Secret, waitingKey: Uint8Array, day: number): Topic {
  const number = Buffer.alloc(4);
  number.writeUInt32BE(day);
  return derive(secret, lvCat(ascii('xfer/1 device topic'), waitingKey, number)) as Topic;
}

/** The days on which the other side may believe to be, at so many milliseconds since 1970. */
export function daysAround(nowMs: number): readonly number[] {
  const days = [nowMs - CLOCKS_DIFFER_MS, nowMs, nowMs + CLOCKS_DIFFER_MS].map((ms) =>
    Math.max(0, Math.floor(ms / DAY_MS)),
  );
  return [...new Set(days)];
}

/** The connection that a handshake is bound to. */
export interface DeviceContext {
  /** The key pair of this device. Stays the caller's. */
  readonly own: KeyPair;
  /** Handshake hash of the Noise connection: a man in the middle has two, and a replay an old one. */
  readonly handshakeHash: Uint8Array;
  /** Noise static public keys of the connection, which say nothing about the devices. */
  readonly joinerKey: Uint8Array;
  readonly hostKey: Uint8Array;
}

/**
 * The side that looks for a device: `start`, `readReply`, `confirm`, `finish`. Needs `loadPairingSodium`. Whatever throws has
 * erased all secrets of the run.
 */
export class DeviceJoiner {
  readonly #context: DeviceContext;
  readonly #peer: KnownDevice;
  readonly #noise: XkInitiator;
  #confirmed: { readonly outcome: XkOutcome; readonly kemPrivateKey: Secret } | undefined;

  /** `peer` stays the caller's. */
  constructor(context: DeviceContext, peer: KnownDevice) {
    this.#context = context;
    this.#peer = peer;
    this.#noise = new XkInitiator(context.own, peer.publicKey, prologueOf(context));
  }

  start(ad: Uint8Array): Uint8Array {
    return this.#noise.start(ad);
  }

  /** The host's associated data. Throws `device-refused` where it is not the device that was meant, or `protocol`. */
  readReply(reply: Uint8Array): Uint8Array {
    return orRefused(() => this.#noise.readReply(reply));
  }

  /** Says which device this is, and proves it. */
  confirm(): Uint8Array {
    const { publicKey, privateKey } = xwingKeyPair();
    const kemPrivateKey = new Secret(privateKey);
    const psk = pskOf(this.#peer.secret);
    try {
      const { message, outcome } = this.#noise.confirm(psk, publicKey);
      this.#confirmed = { outcome, kemPrivateKey };
      return message;
    } finally {
      psk.erase();
      if (this.#confirmed === undefined) kemPrivateKey.erase();
    }
  }

  /** The session key, once the host proved that it knows this device. Throws `device-refused`, or `protocol`. */
  finish(accept: Uint8Array, messages: PairingMessages): SessionKey {
    const { outcome, kemPrivateKey } = inOrder(this.#confirmed);
    try {
      const ciphertext = orRefused(() => outcome.answerKey.open(accept));
      const kemSecret = xwingDecapsulate(ciphertext, kemPrivateKey.expose());
      if (kemSecret === undefined) throw new XferError('protocol', { subject: 'X-Wing ciphertext' });
      return sessionKeyOf(outcome, new Secret(kemSecret), this.#context, messages);
    } finally {
      this.erase();
    }
  }

  /** Forgets the run, at whatever step it is. Again is harmless. */
  erase(): void {
    this.#noise.erase();
    this.#confirmed?.kemPrivateKey.erase();
    eraseOutcome(this.#confirmed?.outcome);
    this.#confirmed = undefined;
  }
}

/**
 * The side that waits for devices: `readStart`, `reply`, `verify`, and only after that `accept` and `sessionKey`. Needs
 * `loadPairingSodium`. Whatever throws has erased all secrets of the run.
 */
export class DeviceHost {
  readonly #context: DeviceContext;
  readonly #noise: XkResponder;
  #verified:
    { readonly outcome: XkOutcome; readonly kemSecret: Secret; readonly accept: Uint8Array } | undefined;

  constructor(context: DeviceContext) {
    this.#context = context;
    this.#noise = new XkResponder(context.own, prologueOf(context));
  }

  /** The joiner's associated data. Throws `device-refused` for who does not mean this device, or `protocol`. */
  readStart(start: Uint8Array): Uint8Array {
    return orRefused(() => this.#noise.readStart(start));
  }

  reply(ad: Uint8Array): Uint8Array {
    return this.#noise.reply(ad);
  }

  /**
   * Checks the joiner's proof, and says which device it is.
   *
   * @param find The pairing secret of a device, which stays the caller's; `undefined` where it is not remembered.
   * @throws XferError `device-refused`, or `protocol`
   */
  verify(confirm: Uint8Array, find: (publicKey: Uint8Array) => Secret | undefined): Uint8Array {
    const { payload, staticKey, outcome } = orRefused(() =>
      this.#noise.readConfirm(confirm, (publicKey) => {
        const secret = find(publicKey);
        return secret === undefined ? undefined : pskOf(secret);
      }),
    );
    const kem = payload.length === XWING_PUBLIC_KEY_BYTES ? xwingEncapsulate(payload) : undefined;
    if (kem === undefined) {
      eraseOutcome(outcome);
      throw new XferError('protocol', { subject: 'X-Wing public key' });
    }
    const accept = outcome.answerKey.seal(kem.ciphertext);
    this.#verified = { outcome, accept, kemSecret: new Secret(kem.sharedSecret) };
    return staticKey;
  }

  /** The host's own proof. There is none before the joiner's was right. */
  accept(): Uint8Array {
    return inOrder(this.#verified).accept;
  }

  sessionKey(messages: PairingMessages): SessionKey {
    const { outcome, kemSecret } = inOrder(this.#verified);
    try {
      return sessionKeyOf(outcome, kemSecret, this.#context, messages);
    } finally {
      this.erase();
    }
  }

  /** Forgets the run, at whatever step it is. Again is harmless. */
  erase(): void {
    this.#noise.erase();
    this.#verified?.kemSecret.erase();
    eraseOutcome(this.#verified?.outcome);
    this.#verified = undefined;
  }
}

/** Binds the handshake to one connection, with both ends of it in their roles. */
function prologueOf({ handshakeHash, joinerKey, hostKey }: DeviceContext): Uint8Array {
  return lvCat(ascii('xfer/1 device'), handshakeHash, ascii('joiner'), joinerKey, ascii('host'), hostKey);
}

/** What the handshake proves, so that the secret itself is used for nothing but deriving. */
function pskOf(secret: Secret): Secret {
  return new Secret(derive(secret, ascii('xfer/1 device psk')));
}

function sessionKeyOf(
  { chainingKey, handshakeHash }: XkOutcome,
  kemSecret: Secret,
  context: DeviceContext,
  messages: PairingMessages,
): SessionKey {
  const isk = hkdfSync('sha512', chainingKey.expose(), handshakeHash, ascii('xfer/1 device session'), 64);
  return deriveSessionKey(new Secret(new Uint8Array(isk)), kemSecret, context.handshakeHash, messages);
}

function eraseOutcome(outcome: XkOutcome | undefined): void {
  outcome?.chainingKey.erase();
  outcome?.answerKey.erase();
}

/** What does not open was said by somebody else than the device that was meant. */
function orRefused<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof XferError) || error.code !== 'integrity') throw error;
    throw new XferError('device-refused', { cause: error });
  }
}

function derive(secret: Secret, info: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha512', secret.expose(), EMPTY, info, SECRET_BYTES));
}

/** A step that was taken too early, or after an error, is a bug of the caller. */
function inOrder<T>(value: T | undefined): T {
  if (value === undefined) throw new XferError('internal', { subject: 'device step out of order' });
  return value;
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'ascii');
}
