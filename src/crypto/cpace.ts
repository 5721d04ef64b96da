/**
 * CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21. Pure, with the draft's symbols, which stay in this file.
 * Party A is the initiator, B the responder. Needs `loadPairingSodium`.
 */
import { createHash, createHmac } from 'node:crypto';
import { ristretto255 } from './sodium.js';

const DSI = ascii('CPaceRistretto255');
const DSI_ISK = ascii('CPaceRistretto255_ISK');
/** Input block of SHA-512, in bytes. */
const S_IN_BYTES = 128;
const FIELD_SIZE_BYTES = 32;

/** The neutral element: also what `scalarMultVfy` gives for what is no element. */
export const G_I: Uint8Array = new Uint8Array(FIELD_SIZE_BYTES);

/** `s` behind its length in LEB128. */
export function prependLen(s: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = s.length;
  while (rest >= 0x80) {
    length.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  length.push(rest);
  return Buffer.concat([Uint8Array.from(length), s]);
}

/** Every argument behind its length, joined: no two different lists give the same bytes. */
export function lvCat(...args: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(args.map(prependLen));
}

/** Order of bytes where a longer string is larger than its own beginning. */
export function lexicographicallyLarger(bytes1: Uint8Array, bytes2: Uint8Array): boolean {
  return Buffer.compare(bytes1, bytes2) > 0;
}

/** Joins two strings so that the order of the arguments does not matter. */
export function oCat(bytes1: Uint8Array, bytes2: Uint8Array): Uint8Array {
  const ordered = lexicographicallyLarger(bytes1, bytes2) ? [bytes1, bytes2] : [bytes2, bytes1];
  return Buffer.concat([ascii('oc'), ...ordered]);
}

/** Transcript of the initiator/responder setting, the one that xfer uses. */
export function transcriptIr(Ya: Uint8Array, ADa: Uint8Array, Yb: Uint8Array, ADb: Uint8Array): Uint8Array {
  return Buffer.concat([lvCat(Ya, ADa), lvCat(Yb, ADb)]);
}

/** Transcript of the symmetric setting, which has no order of messages. */
export function transcriptOc(Ya: Uint8Array, ADa: Uint8Array, Yb: Uint8Array, ADb: Uint8Array): Uint8Array {
  return oCat(lvCat(Ya, ADa), lvCat(Yb, ADb));
}

/** The string that is mapped to the generator: DSI, PRS, padding to a block of the hash, CI, sid. */
export function generatorString(PRS: Uint8Array, CI: Uint8Array, sid: Uint8Array): Uint8Array {
  const lenZpad = Math.max(0, S_IN_BYTES - 1 - prependLen(PRS).length - prependLen(DSI).length);
  return lvCat(DSI, PRS, new Uint8Array(lenZpad), CI, sid);
}

/** g, the secret generator that only those who know PRS can make. */
export function calculateGenerator(PRS: Uint8Array, CI: Uint8Array, sid: Uint8Array): Uint8Array {
  const genStr = generatorString(PRS, CI, sid);
  const genStrHash = sha512(genStr);
  const g = ristretto255.fromHash(genStrHash);
  erase(genStr, genStrHash);
  return g;
}

/** A scalar for one run. Never to be used in a second. */
export function sampleScalar(): Uint8Array {
  return ristretto255.randomScalar();
}

/** y × g, the public share of a run. */
export function scalarMult(y: Uint8Array, g: Uint8Array): Uint8Array {
  return scalarMultVfy(y, g);
}

/** y × X, or `G_I` where X is not an encoded element or is the neutral one. Whoever gets `G_I` must abort. */
export function scalarMultVfy(y: Uint8Array, X: Uint8Array): Uint8Array {
  if (X.length !== FIELD_SIZE_BYTES || !ristretto255.isElement(X)) return G_I;
  return ristretto255.multiply(y, X) ?? G_I;
}

/** ISK, the key that both sides have when their passwords were equal. K ends here. */
export function intermediateSessionKey(sid: Uint8Array, K: Uint8Array, transcript: Uint8Array): Uint8Array {
  const input = Buffer.concat([lvCat(DSI_ISK, sid, K), transcript]);
  const ISK = sha512(input);
  erase(input);
  return ISK;
}

/** A public session id for runs that started without one. */
export function sidOutput(transcript: Uint8Array): Uint8Array {
  return sha512(ascii('CPaceSidOutput'), transcript);
}

/** Key of the confirmation tags. */
export function macKey(sid: Uint8Array, ISK: Uint8Array): Uint8Array {
  return sha512(ascii('CPaceMac'), sid, ISK);
}

/** Ta or Tb: proves to the peer that the side which sent Y and AD has the same ISK. */
export function confirmationTag(mac_key: Uint8Array, Y: Uint8Array, AD: Uint8Array): Uint8Array {
  return createHmac('sha512', mac_key).update(lvCat(Y, AD)).digest();
}

function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function erase(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0);
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'ascii');
}
