/**
 * Proof that somebody knows the password of a share's owner (protocol section 12): CPace with the stretched password. The share begins
 * and gets the only tag, so that a machine that poses as the share learns nothing but whether one guess of its own was right. Pure. Needs
 * `loadPairingSodium`.
 */
import {
  calculateGenerator,
  confirmationTag,
  G_I,
  intermediateSessionKey,
  macKey,
  sampleScalar,
  scalarMult,
  scalarMultVfy,
  transcriptIr,
} from './cpace.js';
import { equalBytes } from './digest.js';
import { Secret } from './secret.js';
import { argon2id } from './sodium.js';

export const OWNER_SALT_BYTES = 16;
export const OWNER_POINT_BYTES = 32;
export const OWNER_TAG_BYTES = 64;

const CI = ascii('xfer/1 owner');
const AD_SHARE = ascii('share');
const AD_USER = ascii('user');
/** RFC 9106, section 4, second choice: 64 MiB, 3 passes. */
const PASSES = 3;
const MEMORY_BYTES = 64 * 2 ** 20;

/** What takes a guesser long: a few hundred milliseconds for each, all of them blocking. `password` is UTF-8 in NFC. */
export function stretchPassword(password: Secret, salt: Uint8Array): Secret {
  return new Secret(argon2id(password.expose(), salt, PASSES, MEMORY_BYTES));
}

export interface OwnerProof {
  readonly point: Uint8Array;
  readonly tag: Uint8Array;
}

/** The share's side of one try. */
export class OwnerCheck {
  /** To be sent with the salt. */
  readonly point: Uint8Array;
  readonly #binding: Uint8Array;
  readonly #scalar: Secret;

  /** @param binding Of this session alone, and the same at both sides. */
  constructor(stretched: Secret, binding: Uint8Array) {
    this.#binding = binding;
    this.#scalar = new Secret(sampleScalar());
    this.point = share(stretched, binding, this.#scalar);
  }

  /** Whether the other side knows the password. Once. */
  accepts({ point, tag }: OwnerProof): boolean {
    const expected = tagOf(this.#binding, this.#scalar, point, this.point, point);
    this.#scalar.erase();
    return expected !== undefined && equalBytes(expected, tag);
  }
}

/** The other side: proves to the share that sent `point` that it knows the password; `undefined` where that is no point. */
export function proveOwner(
  stretched: Secret,
  binding: Uint8Array,
  point: Uint8Array,
): OwnerProof | undefined {
  const scalar = new Secret(sampleScalar());
  const own = share(stretched, binding, scalar);
  const tag = tagOf(binding, scalar, point, point, own);
  scalar.erase();
  return tag === undefined ? undefined : { point: own, tag };
}

function share(stretched: Secret, binding: Uint8Array, scalar: Secret): Uint8Array {
  const generator = calculateGenerator(stretched.expose(), CI, binding);
  const point = scalarMult(scalar.expose(), generator);
  generator.fill(0);
  return point;
}

/** The user's tag. */
function tagOf(
  sid: Uint8Array,
  scalar: Secret,
  theirs: Uint8Array,
  ofShare: Uint8Array,
  ofUser: Uint8Array,
): Uint8Array | undefined {
  const product = scalarMultVfy(scalar.expose(), theirs);
  if (equalBytes(product, G_I) || equalBytes(ofShare, ofUser)) return undefined;
  const isk = intermediateSessionKey(sid, product, transcriptIr(ofShare, AD_SHARE, ofUser, AD_USER));
  const tag = confirmationTag(macKey(sid, isk), ofUser, AD_USER);
  for (const secret of [product, isk]) secret.fill(0);
  return tag;
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'ascii');
}
