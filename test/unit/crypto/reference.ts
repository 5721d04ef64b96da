/**
 * A second, deliberately plain implementation of docs/protocol.md sections 3, 5, 6 and 11, straight from the text and from
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

export interface DeviceInputs {
  readonly joinerPrivate: string;
  readonly hostPrivate: string;
  readonly joinerEphemeral: string;
  readonly hostEphemeral: string;
  readonly secret: string;
  readonly handshakeHash: string;
  /** Of the connection. */
  readonly joinerKey: string;
  readonly hostKey: string;
  readonly joinerAd: string;
  readonly hostAd: string;
  readonly kemKeySeed: string;
  readonly kemCiphertextSeed: string;
}

/** A handshake of two devices, straight from section 11 and the Noise specification, in hex. */
export function deviceSession(inputs: DeviceInputs) {
  const privateKeys = {
    s: hex(inputs.joinerPrivate),
    e: hex(inputs.joinerEphemeral),
    rs: hex(inputs.hostPrivate),
    re: hex(inputs.hostEphemeral),
  };
  const publicOf = (key: Uint8Array): Uint8Array => sumo.crypto_scalarmult_base(key);
  const dh = (own: Uint8Array, peer: Uint8Array): Uint8Array => sumo.crypto_scalarmult(own, publicOf(peer));

  let h: Uint8Array = Buffer.from('Noise_XKpsk3_25519_ChaChaPoly_BLAKE2b'.padEnd(64, '\0'));
  let ck: Uint8Array = h;
  let k: Uint8Array = Buffer.alloc(0);
  let n = 0;
  const hmacBlake = (key: Uint8Array, message: Uint8Array): Buffer =>
    createHmac('blake2b512', key).update(message).digest();
  const expand = (input: Uint8Array): [Buffer, Buffer, Buffer] => {
    const extracted = hmacBlake(ck, input);
    const one = hmacBlake(extracted, Uint8Array.of(1));
    const two = hmacBlake(extracted, Buffer.concat([one, Uint8Array.of(2)]));
    return [one, two, hmacBlake(extracted, Buffer.concat([two, Uint8Array.of(3)]))];
  };
  const mixHash = (data: Uint8Array): void => {
    h = hex(blake2b(64, Buffer.concat([h, data])));
  };
  const mixKey = (input: Uint8Array): void => {
    const [first, second] = expand(input);
    [ck, k, n] = [first, second.subarray(0, 32), 0];
  };
  const encrypt = (plaintext: Uint8Array): Buffer => {
    const sealed = chacha(k, n++, h, plaintext);
    mixHash(sealed);
    return sealed;
  };

  mixHash(
    lv(
      'xfer/1 device',
      hex(inputs.handshakeHash),
      'joiner',
      hex(inputs.joinerKey),
      'host',
      hex(inputs.hostKey),
    ),
  );
  mixHash(publicOf(privateKeys.rs));
  mixHash(publicOf(privateKeys.e));
  mixKey(publicOf(privateKeys.e));
  mixKey(dh(privateKeys.e, privateKeys.rs));
  const start = Buffer.concat([hex('05'), publicOf(privateKeys.e), encrypt(hex(inputs.joinerAd))]);

  mixHash(publicOf(privateKeys.re));
  mixKey(publicOf(privateKeys.re));
  mixKey(dh(privateKeys.e, privateKeys.re));
  const reply = Buffer.concat([hex('06'), publicOf(privateKeys.re), encrypt(hex(inputs.hostAd))]);

  const { publicKey } = sumo.crypto_kem_xwing_seed_keypair(hex(inputs.kemKeySeed));
  const identity = encrypt(publicOf(privateKeys.s));
  mixKey(dh(privateKeys.s, privateKeys.re));
  const psk = hkdf(hex(inputs.secret), Buffer.alloc(0), Buffer.from('xfer/1 device psk'), 32);
  const [chaining, hash, key] = expand(psk);
  ck = chaining;
  mixHash(hash);
  [k, n] = [key.subarray(0, 32), 0];
  const confirm = Buffer.concat([hex('07'), identity, encrypt(publicKey)]);

  const kem = sumo.crypto_kem_xwing_enc_deterministic(publicKey, hex(inputs.kemCiphertextSeed));
  const [, answerKey] = expand(Buffer.alloc(0));
  const accept = Buffer.concat([
    hex('08'),
    chacha(answerKey.subarray(0, 32), 0, Buffer.alloc(0), kem.ciphertext),
  ]);
  const isk = hkdf(ck, h, Buffer.from('xfer/1 device session'), 64);
  const messagesHash = sha512(lv(start, reply, confirm, accept));
  const sessionKey = hkdf(
    Buffer.concat([isk, kem.sharedSecret]),
    hex(inputs.handshakeHash),
    Buffer.concat([Buffer.from('xfer/1 session'), messagesHash]),
    64,
  );
  return {
    start: toHex(start),
    reply: toHex(reply),
    confirm: toHex(confirm),
    accept: toHex(accept),
    sessionKey: toHex(sessionKey),
  };
}

/** What two devices agree on in the session in which they are paired, in hex. */
export function devicePairing(inputs: {
  readonly sessionKey: string;
  readonly joinerPrivate: string;
  readonly hostPrivate: string;
}) {
  const [joiner, host] = [hex(inputs.joinerPrivate), hex(inputs.hostPrivate)];
  const [joinerKey, hostKey] = [sumo.crypto_scalarmult_base(joiner), sumo.crypto_scalarmult_base(host)];
  const exported = hkdf(hex(inputs.sessionKey), Buffer.alloc(0), Buffer.from('xfer/1 devices'), 64);
  const input = Buffer.concat([exported, sumo.crypto_scalarmult(joiner, hostKey)]);
  const of = (...labels: readonly string[]): string =>
    toHex(hkdf(input, Buffer.alloc(0), lv(...labels, joinerKey, hostKey), 32));
  return {
    secret: of('xfer/1 pairing'),
    joinerProof: of('xfer/1 pairing proof', 'joiner'),
    hostProof: of('xfer/1 pairing proof', 'host'),
  };
}

export function deviceTopic(secret: string, waitingKey: string, day: number): string {
  const dayBytes = hex(day.toString(16).padStart(8, '0'));
  const info = lv('xfer/1 device topic', hex(waitingKey), dayBytes);
  return toHex(hkdf(hex(secret), Buffer.alloc(0), info, 32));
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

function chacha(key: Uint8Array, number: number, ad: Uint8Array, plaintext: Uint8Array): Buffer {
  const nonce = Buffer.concat([Buffer.alloc(4), Uint8Array.of(number), Buffer.alloc(7)]);
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
  cipher.setAAD(ad, { plaintextLength: plaintext.length });
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function blake2b(length: number, message: Uint8Array): string {
  return toHex(sumo.crypto_generichash(length, message, null));
}
