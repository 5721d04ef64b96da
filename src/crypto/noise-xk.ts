/**
 * `Noise_XKpsk3_25519_ChaChaPoly_BLAKE2b` (Noise specification, revision 34): a handshake in which the initiator knows the
 * responder's static key beforehand and tells its own under the seal; both prove theirs, and a key that they share besides.
 *
 *     <- s
 *     -> e, es
 *     <- e, ee
 *     -> s, se, psk
 *
 * What throws has erased every secret of the run.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto';
import { XferError } from '../errors.js';
import { Secret } from './secret.js';
import { generateKeyPair, sharedSecret, X25519_BYTES, type KeyPair } from './x25519.js';

const NAME = Buffer.from('Noise_XKpsk3_25519_ChaChaPoly_BLAKE2b', 'ascii');
const HASH_BYTES = 64;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const EMPTY = new Uint8Array(0);

/** What a finished handshake leaves. */
export interface XkOutcome {
  /** Noise's chaining key, 64 bytes: nobody else has it. The caller erases it. */
  readonly chainingKey: Secret;
  /** The handshake hash: all that was said. */
  readonly handshakeHash: Uint8Array;
  /** Seals the responder's first message behind the handshake, and opens it. Used once. */
  readonly answerKey: AnswerKey;
}

/** The initiator: `start`, `readReply`, `confirm`. */
export class XkInitiator {
  readonly #state: SymmetricState;
  readonly #own: KeyPair;
  readonly #responderKey: Uint8Array;
  readonly #ephemeral = generateKeyPair();
  #responderEphemeral: Uint8Array | undefined;

  /** `own` stays the caller's. */
  constructor(own: KeyPair, responderKey: Uint8Array, prologue: Uint8Array) {
    this.#own = own;
    this.#responderKey = responderKey;
    this.#state = new SymmetricState(prologue, responderKey);
  }

  /** Throws `protocol` where the responder's key is none. */
  start(payload: Uint8Array): Uint8Array {
    return this.#state.step(this.#ephemeral, () => {
      const { publicKey, privateKey } = this.#ephemeral;
      this.#state.mixEphemeral(publicKey);
      this.#state.mixShared(privateKey, this.#responderKey);
      return Buffer.concat([publicKey, this.#state.seal(payload)]);
    });
  }

  /** The payload of the responder's answer. Throws `integrity` where it has not the key that was meant, `protocol`. */
  readReply(message: Uint8Array): Uint8Array {
    return this.#state.step(this.#ephemeral, () => {
      const [ephemeral, sealed] = split(message, X25519_BYTES);
      this.#state.mixEphemeral(ephemeral);
      this.#state.mixShared(this.#ephemeral.privateKey, ephemeral);
      this.#responderEphemeral = Uint8Array.from(ephemeral);
      return this.#state.open(sealed);
    });
  }

  /** Tells who this side is, and proves it. `psk` has 32 bytes and stays the caller's. */
  confirm(psk: Secret, payload: Uint8Array): { readonly message: Uint8Array; readonly outcome: XkOutcome } {
    return this.#state.step(this.#ephemeral, () => {
      const peer = inOrder(this.#responderEphemeral);
      const identity = this.#state.seal(this.#own.publicKey);
      this.#state.mixShared(this.#own.privateKey, peer);
      this.#state.mixPsk(psk);
      const message = Buffer.concat([identity, this.#state.seal(payload)]);
      this.#ephemeral.privateKey.erase();
      return { message, outcome: this.#state.finish() };
    });
  }

  /** Forgets the run, at whatever step it is. Again is harmless. */
  erase(): void {
    this.#state.erase();
    this.#ephemeral.privateKey.erase();
  }
}

/** The responder: `readStart`, `reply`, `readConfirm`. */
export class XkResponder {
  readonly #state: SymmetricState;
  readonly #own: KeyPair;
  readonly #ephemeral = generateKeyPair();
  #initiatorEphemeral: Uint8Array | undefined;

  /** `own` stays the caller's. */
  constructor(own: KeyPair, prologue: Uint8Array) {
    this.#own = own;
    this.#state = new SymmetricState(prologue, own.publicKey);
  }

  /** The payload. Throws `integrity` for who does not mean the key of this side, `protocol` for what is no start. */
  readStart(message: Uint8Array): Uint8Array {
    return this.#state.step(this.#ephemeral, () => {
      const [ephemeral, sealed] = split(message, X25519_BYTES);
      this.#state.mixEphemeral(ephemeral);
      this.#state.mixShared(this.#own.privateKey, ephemeral);
      this.#initiatorEphemeral = Uint8Array.from(ephemeral);
      return this.#state.open(sealed);
    });
  }

  reply(payload: Uint8Array): Uint8Array {
    return this.#state.step(this.#ephemeral, () => {
      const { publicKey, privateKey } = this.#ephemeral;
      this.#state.mixEphemeral(publicKey);
      this.#state.mixShared(privateKey, inOrder(this.#initiatorEphemeral));
      return Buffer.concat([publicKey, this.#state.seal(payload)]);
    });
  }

  /**
   * The initiator's proof.
   *
   * @param pskOf What is shared with the owner of a static key, 32 bytes, erased after use; `undefined` for who is not known.
   * @throws XferError `device-refused` for who is not known, `integrity` where a proof is wrong, `protocol`
   */
  readConfirm(
    message: Uint8Array,
    pskOf: (staticKey: Uint8Array) => Secret | undefined,
  ): { readonly payload: Uint8Array; readonly staticKey: Uint8Array; readonly outcome: XkOutcome } {
    return this.#state.step(this.#ephemeral, () => {
      const [sealedKey, sealed] = split(message, X25519_BYTES + TAG_BYTES);
      const staticKey = this.#state.open(sealedKey);
      this.#state.mixShared(this.#ephemeral.privateKey, staticKey);
      const psk = pskOf(staticKey);
      if (psk === undefined) throw new XferError('device-refused');
      try {
        this.#state.mixPsk(psk);
      } finally {
        psk.erase();
      }
      const payload = this.#state.open(sealed);
      this.#ephemeral.privateKey.erase();
      return { payload, staticKey, outcome: this.#state.finish() };
    });
  }

  /** Forgets the run, at whatever step it is. Again is harmless. */
  erase(): void {
    this.#state.erase();
    this.#ephemeral.privateKey.erase();
  }
}

/** The key of one message behind the handshake, from the responder to the initiator. */
export class AnswerKey {
  readonly #key: Secret;

  constructor(key: Secret) {
    this.#key = key;
  }

  seal(plaintext: Uint8Array): Uint8Array {
    try {
      return sealWith(this.#key, 0, EMPTY, plaintext);
    } finally {
      this.#key.erase();
    }
  }

  /** Throws `integrity`. */
  open(sealed: Uint8Array): Uint8Array {
    try {
      return openWith(this.#key, 0, EMPTY, sealed);
    } finally {
      this.#key.erase();
    }
  }

  erase(): void {
    this.#key.erase();
  }
}

/** `SymmetricState` and `CipherState` of the specification. */
class SymmetricState {
  #chainingKey: Secret;
  #hash: Uint8Array = Buffer.concat([NAME], HASH_BYTES);
  #key = new Secret(new Uint8Array(KEY_BYTES));
  #nonce = 0;

  constructor(prologue: Uint8Array, responderKey: Uint8Array) {
    this.#chainingKey = new Secret(Uint8Array.from(this.#hash));
    this.#mixHash(prologue);
    this.#mixHash(responderKey);
  }

  /** Runs a step; one that throws ends the run, and erases `ephemeral` as well. */
  step<T>(ephemeral: KeyPair, step: () => T): T {
    try {
      return step();
    } catch (error) {
      this.erase();
      ephemeral.privateKey.erase();
      throw error;
    }
  }

  /** The token `e`: with a psk in the handshake it goes into the key too, so that no key is used for two handshakes. */
  mixEphemeral(publicKey: Uint8Array): void {
    this.#mixHash(publicKey);
    this.#mixKey(publicKey);
  }

  /** The tokens `es`, `ee`, `se`. */
  mixShared(privateKey: Secret, publicKey: Uint8Array): void {
    const shared = sharedSecret(privateKey, publicKey);
    this.#mixKey(shared.expose());
    shared.erase();
  }

  /** The token `psk`. */
  mixPsk(psk: Secret): void {
    if (psk.expose().length !== KEY_BYTES) throw new XferError('internal', { subject: 'psk' });
    const [chainingKey, hash, key] = this.#derive(psk.expose());
    this.#mixHash(hash.expose());
    hash.erase();
    this.#replace(chainingKey, key);
  }

  seal(plaintext: Uint8Array): Uint8Array {
    const sealed = sealWith(this.#key, this.#nonce++, this.#hash, plaintext);
    this.#mixHash(sealed);
    return sealed;
  }

  open(sealed: Uint8Array): Uint8Array {
    const plaintext = openWith(this.#key, this.#nonce++, this.#hash, sealed);
    this.#mixHash(sealed);
    return plaintext;
  }

  /** The end of the handshake. */
  finish(): XkOutcome {
    const [initiatorKey, answerKey, unused] = this.#derive(EMPTY);
    initiatorKey.erase();
    unused.erase();
    const chainingKey = new Secret(Uint8Array.from(this.#chainingKey.expose()));
    const outcome = { chainingKey, handshakeHash: this.#hash, answerKey: new AnswerKey(cut(answerKey)) };
    this.erase();
    return outcome;
  }

  erase(): void {
    this.#chainingKey.erase();
    this.#key.erase();
  }

  #mixHash(data: Uint8Array): void {
    this.#hash = createHash('blake2b512').update(this.#hash).update(data).digest();
  }

  #mixKey(input: Uint8Array): void {
    const [chainingKey, key, unused] = this.#derive(input);
    unused.erase();
    this.#replace(chainingKey, key);
  }

  /** Noise's HKDF with the chaining key. */
  #derive(input: Uint8Array): [Secret, Secret, Secret] {
    const extracted = hmac(this.#chainingKey.expose(), input);
    const first = hmac(extracted, Uint8Array.of(1));
    const second = hmac(extracted, first, Uint8Array.of(2));
    const third = hmac(extracted, second, Uint8Array.of(3));
    extracted.fill(0);
    return [new Secret(first), new Secret(second), new Secret(third)];
  }

  #replace(chainingKey: Secret, key: Secret): void {
    this.erase();
    this.#chainingKey = chainingKey;
    this.#key = cut(key);
    this.#nonce = 0;
  }
}

/** What the cipher takes of what the hash gives. */
function cut(key: Secret): Secret {
  const first = new Secret(Uint8Array.from(key.expose().subarray(0, KEY_BYTES)));
  key.erase();
  return first;
}

function sealWith(key: Secret, number: number, ad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv('chacha20-poly1305', key.expose(), nonceOf(number), {
    authTagLength: TAG_BYTES,
  });
  cipher.setAAD(ad, { plaintextLength: plaintext.length });
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function openWith(key: Secret, number: number, ad: Uint8Array, sealed: Uint8Array): Uint8Array {
  if (sealed.length < TAG_BYTES) throw new XferError('protocol', { subject: 'handshake message' });
  const length = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('chacha20-poly1305', key.expose(), nonceOf(number), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(ad, { plaintextLength: length });
  decipher.setAuthTag(sealed.subarray(length));
  const plaintext = decipher.update(sealed.subarray(0, length));
  try {
    decipher.final();
  } catch (cause) {
    throw new XferError('integrity', { subject: 'handshake message', cause });
  }
  return plaintext;
}

/** Four zero bytes and the number, little endian. */
function nonceOf(number: number): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32LE(number, 4);
  return nonce;
}

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac('blake2b512', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** The first bytes of a message, and what follows. Throws `protocol` where it is shorter. */
function split(message: Uint8Array, length: number): [Uint8Array, Uint8Array] {
  if (message.length < length) throw new XferError('protocol', { subject: 'handshake message' });
  return [message.subarray(0, length), message.subarray(length)];
}

/** A step that was taken too early is a bug of the caller. */
function inOrder<T>(value: T | undefined): T {
  if (value === undefined) throw new XferError('internal', { subject: 'handshake step out of order' });
  return value;
}
