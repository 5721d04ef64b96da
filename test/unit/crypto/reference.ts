/**
 * A second, deliberately plain implementation of docs/protocol.md sections 3, 5 and 6, straight from the text and from
 * the primitives. It shares no code with src/crypto but the word list, and made the vectors in test/vectors.
 */
import { type CipherGCMTypes, createCipheriv, createHash, createHmac } from 'node:crypto';
import sumo from 'libsodium-wrappers-sumo';
import { WORDS } from '../../../src/crypto/wordlist.js';

export interface PairingInputs {
  readonly code: string;
  readonly purpose: string;
  readonly handshakeHash: string;
  readonly joinerKey: string;
  readonly hostKey: string;
  readonly joinerAd: string;
  readonly hostAd: string;
  readonly joinerScalar: string;
  readonly hostScalar: string;
  /** 32 bytes for the key pair (draft-connolly-cfrg-xwing-kem `GenerateKeyPairDerand`). */
  readonly kemKeySeed: string;
  /** 64 bytes for the ciphertext (`EncapsulateDerand`). */
  readonly kemCiphertextSeed: string;
}

export type PairingOutputs = ReturnType<typeof pair>;

/** Everything that follows from a pairing's inputs, step by step, in hex. */
export function pair(inputs: PairingInputs) {
  const { sid, joinerScalar, hostScalar, joinerAd, hostAd, joinerKey, hostKey, keySeed, ciphertextSeed } = {
    sid: hex(inputs.handshakeHash),
    joinerScalar: hex(inputs.joinerScalar),
    hostScalar: hex(inputs.hostScalar),
    joinerAd: hex(inputs.joinerAd),
    hostAd: hex(inputs.hostAd),
    joinerKey: hex(inputs.joinerKey),
    hostKey: hex(inputs.hostKey),
    keySeed: hex(inputs.kemKeySeed),
    ciphertextSeed: hex(inputs.kemCiphertextSeed),
  };

  const channelIdentifier = lv('xfer/1 pake', inputs.purpose, 'joiner', joinerKey, 'host', hostKey);
  const password = Buffer.from(inputs.code);
  const padding = Buffer.alloc(128 - 1 - lv(password).length - lv('CPaceRistretto255').length);
  const generator = sumo.crypto_core_ristretto255_from_hash(
    sha512(lv('CPaceRistretto255', password, padding, channelIdentifier, sid)),
  );
  const joinerPoint = sumo.crypto_scalarmult_ristretto255(joinerScalar, generator);
  const hostPoint = sumo.crypto_scalarmult_ristretto255(hostScalar, generator);
  const sharedPoint = sumo.crypto_scalarmult_ristretto255(joinerScalar, hostPoint);
  const transcript = Buffer.concat([lv(joinerPoint, joinerAd), lv(hostPoint, hostAd)]);
  const isk = sha512(lv('CPaceRistretto255_ISK', sid, sharedPoint), transcript);

  const macKey = sha512(Buffer.from('CPaceMac'), sid, isk);
  const joinerTag = hmac(macKey, lv(joinerPoint, joinerAd));
  const hostTag = hmac(macKey, lv(hostPoint, hostAd));

  const { publicKey } = sumo.crypto_kem_xwing_seed_keypair(keySeed);
  const kem = sumo.crypto_kem_xwing_enc_deterministic(publicKey, ciphertextSeed);

  const start = Buffer.concat([hex('01'), lv(joinerAd), joinerPoint]);
  const reply = Buffer.concat([hex('02'), lv(hostAd), hostPoint]);
  const confirm = Buffer.concat([hex('03'), joinerTag, publicKey]);
  const accept = Buffer.concat([hex('04'), hostTag, kem.ciphertext]);
  const messagesHash = sha512(lv(start, reply, confirm, accept));
  const sessionKey = hkdf(
    Buffer.concat([isk, kem.sharedSecret]),
    sid,
    Buffer.concat([Buffer.from('xfer/1 session'), messagesHash]),
    64,
  );

  return {
    channelIdentifier: toHex(channelIdentifier),
    generator: toHex(generator),
    joinerPoint: toHex(joinerPoint),
    hostPoint: toHex(hostPoint),
    sharedPoint: toHex(sharedPoint),
    isk: toHex(isk),
    joinerTag: toHex(joinerTag),
    hostTag: toHex(hostTag),
    kemSharedSecret: toHex(kem.sharedSecret),
    start: toHex(start),
    reply: toHex(reply),
    confirm: toHex(confirm),
    accept: toHex(accept),
    messagesHash: toHex(messagesHash),
    sessionKey: toHex(sessionKey),
  };
}

export function recordSecret(
  sessionKey: string,
  handshakeHash: string,
  epoch: number,
  direction: string,
): string {
  const epochBytes = hex(epoch.toString(16).padStart(8, '0'));
  return toHex(hkdf(hex(sessionKey), hex(handshakeHash), lv('xfer/1 records', epochBytes, direction), 32));
}

export function verifier(sessionKey: string): string[] {
  const bytes = hkdf(hex(sessionKey), Buffer.alloc(0), Buffer.from('xfer/1 verifier'), 9);
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  return [0, 1, 2, 3, 4, 5].map((n) => WORDS[Number.parseInt(bits.slice(11 * n, 11 * n + 11), 2)]!);
}

export function topic(code: string): string {
  const [nameplate, ...words] = code.split('-');
  const label = Buffer.from('xfer/1 topic');
  if (words.length <= 4) return blake2b(32, Buffer.concat([label, hex('00'), Buffer.from(nameplate!)]));
  const stretched = sumo.crypto_pwhash(
    32,
    [nameplate, ...words.slice(0, -2)].join('-'),
    hex(blake2b(16, Buffer.from('xfer/1 topic salt'))),
    3,
    64 * 1024 * 1024,
    sumo.crypto_pwhash_ALG_ARGON2ID13,
  );
  return blake2b(32, Buffer.concat([label, hex('01'), stretched]));
}

/** Record `number` of a direction as one message. */
export function seal(
  aead: string,
  secret: string,
  number: number,
  flags: number,
  plaintext: Uint8Array,
): string {
  const generation = Math.floor(number / 65_536);
  const info = Buffer.from(`xfer/1 record key${String.fromCharCode(0, 0, 0, generation)}`, 'latin1');
  const key = hkdf(hex(secret), Buffer.alloc(0), info, 32);
  const nonce = hex(number.toString(16).padStart(22, '0') + flags.toString(16).padStart(2, '0'));
  const cipher = createCipheriv(aead as CipherGCMTypes, key, nonce, { authTagLength: 16 });
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return toHex(Buffer.concat([Uint8Array.of(flags), sealed]));
}

export function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** `lv_cat` of texts and bytes, for arguments of less than 16 KiB. */
function lv(...args: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(
    args.flatMap((arg) => {
      const bytes = Buffer.from(arg as Uint8Array);
      const { length } = bytes;
      return [length < 128 ? Uint8Array.of(length) : Uint8Array.of(128 | (length & 127), length >> 7), bytes];
    }),
  );
}

/** RFC 5869 with SHA-512, written out. */
function hkdf(key: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Buffer {
  const extracted = hmac(salt.length === 0 ? Buffer.alloc(64) : salt, key);
  return hmac(extracted, Buffer.concat([info, Uint8Array.of(1)])).subarray(0, length);
}

function hmac(key: Uint8Array, message: Uint8Array): Buffer {
  return createHmac('sha512', key).update(message).digest();
}

function sha512(...parts: readonly Uint8Array[]): Buffer {
  return createHash('sha512').update(Buffer.concat(parts)).digest();
}

function blake2b(length: number, message: Uint8Array): string {
  return toHex(sumo.crypto_generichash(length, message, null));
}
