/** X25519 (RFC 7748) over Node's own cryptography. Keys are 32 bytes. */
import { createPrivateKey, createPublicKey, diffieHellman, randomBytes, type KeyObject } from 'node:crypto';
import { XferError } from '../errors.js';
import { Secret } from './secret.js';

export const X25519_BYTES = 32;

/** What stands before the 32 bytes of a key in DER (RFC 8410). */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Secret;
}

/** A fresh key pair. */
export function generateKeyPair(): KeyPair {
  return keyPairOf(new Secret(randomBytes(X25519_BYTES)));
}

/** The key pair of a private key, which it takes over. Throws `internal` where that has not 32 bytes. */
export function keyPairOf(privateKey: Secret): KeyPair {
  const exported = createPublicKey(privateKeyObject(privateKey)).export({ format: 'der', type: 'spki' });
  return { privateKey, publicKey: Uint8Array.from(exported.subarray(PUBLIC_PREFIX.length)) };
}

/**
 * What both sides have of their keys. Throws `protocol` for a public key of another length, and for one of the few with which
 * everybody has the same secret.
 */
export function sharedSecret(privateKey: Secret, publicKey: Uint8Array): Secret {
  if (publicKey.length !== X25519_BYTES) throw new XferError('protocol', { subject: 'public key' });
  const der = Buffer.concat([PUBLIC_PREFIX, publicKey]);
  const peer = createPublicKey({ key: der, format: 'der', type: 'spki' });
  try {
    return new Secret(diffieHellman({ privateKey: privateKeyObject(privateKey), publicKey: peer }));
  } catch (cause) {
    throw new XferError('protocol', { subject: 'public key', cause });
  }
}

function privateKeyObject(privateKey: Secret): KeyObject {
  if (privateKey.expose().length !== X25519_BYTES)
    throw new XferError('internal', { subject: 'private key' });
  const der = Buffer.concat([PRIVATE_PREFIX, privateKey.expose()]);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}
