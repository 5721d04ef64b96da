/**
 * The only door to libsodium. The plain build hashes; the larger one with ristretto255, Argon2 and X-Wing is loaded by
 * whoever pairs. Both are WebAssembly: fine for keys, far too slow for file bytes. To load them takes longer than to show a
 * code, so whoever needs one starts that early and waits late.
 */
import type plainBuild from 'libsodium-wrappers';
import type pairingBuild from 'libsodium-wrappers-sumo';
import { XferError } from '../errors.js';

let plain: typeof plainBuild | undefined;
let pairing: typeof pairingBuild | undefined;

/** Loads BLAKE2b. To be awaited before it is called; again is free. */
export async function loadHashing(): Promise<void> {
  const { default: sodium } = await import('libsodium-wrappers');
  await sodium.ready;
  plain = sodium;
}

/** Loads X-Wing, Argon2id and ristretto255. To be awaited before one of them is called; again is free. */
export async function loadPairingSodium(): Promise<void> {
  const { default: sodium } = await import('libsodium-wrappers-sumo');
  await sodium.ready;
  pairing = sodium;
}

/** BLAKE2b-256 of the parts, joined. */
export function blake2b256(...parts: readonly Uint8Array[]): Uint8Array {
  return hashing().crypto_generichash(32, Buffer.concat(parts), null);
}

/** BLAKE2b-128 of the parts, joined. */
export function blake2b128(...parts: readonly Uint8Array[]): Uint8Array {
  return hashing().crypto_generichash(16, Buffer.concat(parts), null);
}

export const XWING_PUBLIC_KEY_BYTES = 1216;
export const XWING_CIPHERTEXT_BYTES = 1120;

export interface XWingKeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

/** A fresh X-Wing key pair (draft-connolly-cfrg-xwing-kem: ML-KEM-768 and X25519 in one). */
export function xwingKeyPair(): XWingKeyPair {
  return libsodium().crypto_kem_xwing_keypair();
}

/** A shared secret for the owner of `publicKey`; `undefined` where that is no X-Wing key. */
export function xwingEncapsulate(
  publicKey: Uint8Array,
): { ciphertext: Uint8Array; sharedSecret: Uint8Array } | undefined {
  const sodium = libsodium();
  if (publicKey.length !== XWING_PUBLIC_KEY_BYTES) return undefined;
  return unlessRefused(() => sodium.crypto_kem_xwing_enc(publicKey));
}

/** The shared secret inside `ciphertext`; `undefined` where the ciphertext cannot be one. */
export function xwingDecapsulate(ciphertext: Uint8Array, privateKey: Uint8Array): Uint8Array | undefined {
  const sodium = libsodium();
  if (ciphertext.length !== XWING_CIPHERTEXT_BYTES) return undefined;
  return unlessRefused(() => sodium.crypto_kem_xwing_dec(ciphertext, privateKey));
}

/** Argon2id version 1.3 with 32 bytes of output. A few hundred milliseconds on purpose, all of them blocking. */
export function argon2id(
  password: Uint8Array,
  salt: Uint8Array,
  passes: number,
  memoryBytes: number,
): Uint8Array {
  const sodium = libsodium();
  return sodium.crypto_pwhash(32, password, salt, passes, memoryBytes, sodium.crypto_pwhash_ALG_ARGON2ID13);
}

/** The group ristretto255 (RFC 9496). Elements are 32 bytes, encoded; scalars 32 bytes, little endian. */
export const ristretto255 = {
  /** The one-way map from 64 uniform bytes to an element. */
  fromHash(hash: Uint8Array): Uint8Array {
    return libsodium().crypto_core_ristretto255_from_hash(hash);
  },

  /** A uniform scalar, never zero. */
  randomScalar(): Uint8Array {
    return libsodium().crypto_core_ristretto255_scalar_random();
  },

  /** Whether 32 bytes decode to an element. libsodium says yes to the identity. */
  isElement(encoded: Uint8Array): boolean {
    return libsodium().crypto_core_ristretto255_is_valid_point(encoded);
  },

  /** scalar × element; `undefined` where the element does not decode or the product is the identity. */
  multiply(scalar: Uint8Array, element: Uint8Array): Uint8Array | undefined {
    const sodium = libsodium();
    return unlessRefused(() => sodium.crypto_scalarmult_ristretto255(scalar, element));
  },
};

/** libsodium reports refused input by throwing a plain `Error`; wrong lengths are checked before. */
function unlessRefused<T>(operation: () => T): T | undefined {
  try {
    return operation();
  } catch {
    return undefined;
  }
}

function hashing(): typeof plainBuild {
  if (plain === undefined) throw new XferError('internal', { subject: 'libsodium is not loaded' });
  return plain;
}

function libsodium(): typeof pairingBuild {
  if (pairing === undefined) throw new XferError('internal', { subject: 'libsodium-sumo is not loaded' });
  return pairing;
}
