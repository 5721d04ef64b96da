/** The four messages of a pairing as bytes (protocol section 5). */
import type { Side } from '../crypto/key-schedule.js';
import type { Acceptance, Confirmation, Share } from '../crypto/pairing.js';
import type { Aead } from '../crypto/record-cipher.js';
import { XferError } from '../errors.js';
import type { Compression } from '../transfer/ports.js';
import { ByteReader, ByteWriter, malformed } from '../transfer/wire.js';

export const PROTOCOL_VERSION = 1;

const START = 1;
const REPLY = 2;
const CONFIRM = 3;
const ACCEPT = 4;

const POINT_BYTES = 32;
const TAG_BYTES = 64;
const KEM_PUBLIC_KEY_BYTES = 1216;
const KEM_CIPHERTEXT_BYTES = 1120;
const MAX_AD_BYTES = 256;
const MAX_ROLE_BYTES = 16;
const MAX_VERSIONS = 16;

const PREFERS_AES = 1 << 0;
const OPENS_ZSTD = 1 << 1;

/** What one side brings to a pairing. Says nothing about the machine that an observer could not guess. */
export interface Terms {
  readonly versions: readonly number[];
  /** Bits; see protocol section 5. Unknown ones are ignored. */
  readonly capabilities: number;
}

/** What follows from both sides' terms, the same at both. */
export interface Agreement {
  readonly aead: Aead;
  /** What the peer can decompress. */
  readonly compressions: ReadonlySet<Compression>;
}

export function termsOf({ aes, zstd }: { readonly aes: boolean; readonly zstd: boolean }): Terms {
  return {
    versions: [PROTOCOL_VERSION],
    capabilities: (aes ? PREFERS_AES : 0) | (zstd ? OPENS_ZSTD : 0),
  };
}

/** Throws `version-unsupported` where the sides share no version. There is no older one to fall back to. */
export function agree(ours: Terms, theirs: Terms): Agreement {
  if (!ours.versions.some((version) => theirs.versions.includes(version))) {
    throw new XferError('version-unsupported');
  }
  return {
    aead: (ours.capabilities & theirs.capabilities & PREFERS_AES) === 0 ? 'chacha20-poly1305' : 'aes-256-gcm',
    compressions: new Set<Compression>(
      (theirs.capabilities & OPENS_ZSTD) === 0 ? ['stored', 'brotli'] : ['stored', 'brotli', 'zstd'],
    ),
  };
}

/** AD: authenticated by the key, so that nobody can talk the sides down. */
export function encodeTerms(side: Side, terms: Terms): Uint8Array {
  const to = new ByteWriter(16);
  to.string(side);
  to.list(terms.versions, (version) => {
    to.varint(version);
  });
  to.u32(terms.capabilities);
  return to.finish();
}

/** Throws `protocol` unless they are the terms of `side`. */
export function decodeTerms(side: Side, ad: Uint8Array): Terms {
  const from = new ByteReader(ad);
  if (from.string(MAX_ROLE_BYTES) !== side) throw malformed('not the terms of the other side');
  const terms = { versions: from.list(MAX_VERSIONS, () => from.varint()), capabilities: from.u32() };
  from.end();
  return terms;
}

export function encodeStart(share: Share): Uint8Array {
  return encodeShare(START, share);
}

export function decodeStart(message: Uint8Array): Share {
  return decodeShare(START, message);
}

export function encodeReply(share: Share): Uint8Array {
  return encodeShare(REPLY, share);
}

export function decodeReply(message: Uint8Array): Share {
  return decodeShare(REPLY, message);
}

export function encodeConfirm({ tag, kemPublicKey }: Confirmation): Uint8Array {
  return Buffer.concat([Uint8Array.of(CONFIRM), tag, kemPublicKey]);
}

export function decodeConfirm(message: Uint8Array): Confirmation {
  const [tag, kemPublicKey] = decodeTagAnd(CONFIRM, message, KEM_PUBLIC_KEY_BYTES);
  return { tag, kemPublicKey };
}

export function encodeAccept({ tag, kemCiphertext }: Acceptance): Uint8Array {
  return Buffer.concat([Uint8Array.of(ACCEPT), tag, kemCiphertext]);
}

export function decodeAccept(message: Uint8Array): Acceptance {
  const [tag, kemCiphertext] = decodeTagAnd(ACCEPT, message, KEM_CIPHERTEXT_BYTES);
  return { tag, kemCiphertext };
}

/** The four messages of a handshake of devices (protocol section 11), which hide what is in them. */
export type DeviceMessage = 'start' | 'reply' | 'confirm' | 'accept';

const DEVICE_MESSAGES: Readonly<Record<DeviceMessage, number>> = {
  start: 5,
  reply: 6,
  confirm: 7,
  accept: 8,
};

export function encodeDeviceMessage(type: DeviceMessage, hidden: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(DEVICE_MESSAGES[type]), hidden]);
}

export function decodeDeviceMessage(type: DeviceMessage, message: Uint8Array): Uint8Array {
  return readerOf(DEVICE_MESSAGES[type], message).rest();
}

function encodeShare(type: number, { ad, point }: Share): Uint8Array {
  const to = new ByteWriter(64);
  to.u8(type);
  to.bytes(ad);
  to.raw(point);
  return to.finish();
}

function decodeShare(type: number, message: Uint8Array): Share {
  const from = readerOf(type, message);
  const share = { ad: from.bytes(MAX_AD_BYTES), point: from.raw(POINT_BYTES) };
  from.end();
  return share;
}

function decodeTagAnd(type: number, message: Uint8Array, length: number): [Uint8Array, Uint8Array] {
  const from = readerOf(type, message);
  const fields: [Uint8Array, Uint8Array] = [from.raw(TAG_BYTES), from.raw(length)];
  from.end();
  return fields;
}

function readerOf(type: number, message: Uint8Array): ByteReader {
  const from = new ByteReader(message);
  if (from.u8() !== type) throw malformed('pairing message out of place');
  return from;
}
