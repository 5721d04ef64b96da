/** Sealing and opening records (protocol section 6): the STREAM construction over one AEAD key per 2^16 records. */
import { type CipherGCMTypes, createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { XferError } from '../errors.js';
import { Secret } from './secret.js';

export type Aead = 'aes-256-gcm' | 'chacha20-poly1305';

/** What sealing adds to a plaintext: the flags and the tag, in bytes. */
export const SEAL_OVERHEAD_BYTES = 17;

const TAG_BYTES = 16;
const FLAG_LAST = 1;
const RECORDS_PER_KEY = 2 ** 16;

/**
 * Whether this machine would rather use AES: where every processor that runs Node has instructions for it. On
 * other machines ChaCha20 is never slow, AES may be.
 */
export function prefersAes(): boolean {
  return process.arch === 'x64' || (process.arch === 'arm64' && process.platform !== 'linux');
}

/** Seals the records of one direction of one connection, in order. */
export class RecordSealer {
  readonly #keys: RecordKeys;

  /** `secret` comes from `SessionKey.recordSecret` and belongs to the sealer from here on. */
  constructor(secret: Secret, aead: Aead) {
    this.#keys = new RecordKeys(secret, aead);
  }

  /**
   * The message for a record, in pieces to be sent one after the other: flags, ciphertext, tag. The parts make up
   * the plaintext and are neither kept nor joined. Throws `internal` after the last record.
   */
  seal(parts: readonly Uint8Array[], last: boolean): Uint8Array[] {
    const flags = last ? FLAG_LAST : 0;
    const { aead, key, nonce } = this.#keys.next(flags);
    // The types want one name at a time; both AEADs take the same arguments.
    const cipher = createCipheriv(aead as CipherGCMTypes, key, nonce, { authTagLength: TAG_BYTES });
    const pieces: Uint8Array[] = [Uint8Array.of(flags)];
    for (const part of parts) pieces.push(cipher.update(part));
    // Both AEADs are stream ciphers: nothing is left for `final` but the tag.
    cipher.final();
    pieces.push(cipher.getAuthTag());
    if (last) this.erase();
    return pieces;
  }

  /** Forgets the keys. Called by itself after the last record. */
  erase(): void {
    this.#keys.erase();
  }
}

/** Opens the records of one direction of one connection, in the order they were sealed. */
export class RecordOpener {
  readonly #keys: RecordKeys;
  #state: 'open' | 'ended' | 'broken' = 'open';

  /** `secret` comes from `SessionKey.recordSecret` and belongs to the opener from here on. */
  constructor(secret: Secret, aead: Aead) {
    this.#keys = new RecordKeys(secret, aead);
  }

  /**
   * The plaintext of the next message. Throws `integrity` for anything but the very bytes that the peer sealed as
   * its next record, and from then on for every message; `protocol` for a message after the last one.
   */
  open(message: Uint8Array): { readonly plaintext: Uint8Array; readonly last: boolean } {
    if (this.#state === 'ended') throw new XferError('protocol', { subject: 'record after the last' });
    const plaintext = this.#state === 'open' ? this.#opened(message) : undefined;
    if (plaintext === undefined) {
      this.#end('broken');
      throw new XferError('integrity');
    }
    const last = message[0] === FLAG_LAST;
    if (last) this.#end('ended');
    return { plaintext, last };
  }

  /** Forgets the keys. Called by itself after the last record or a broken one. */
  erase(): void {
    this.#end('broken');
  }

  #end(state: 'ended' | 'broken'): void {
    this.#state = state;
    this.#keys.erase();
  }

  #opened(message: Uint8Array): Uint8Array | undefined {
    const flags = message[0];
    if (flags === undefined || flags > FLAG_LAST || message.length < SEAL_OVERHEAD_BYTES) return undefined;
    const { aead, key, nonce } = this.#keys.next(flags);
    const decipher = createDecipheriv(aead as CipherGCMTypes, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(message.subarray(message.length - TAG_BYTES));
    const plaintext = decipher.update(message.subarray(1, message.length - TAG_BYTES));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return plaintext;
  }
}

/** Counts the records of one direction and knows the key and the nonce of each. */
class RecordKeys {
  readonly #secret: Secret;
  readonly #aead: Aead;
  #key = new Secret(new Uint8Array(0));
  #number = 0;

  constructor(secret: Secret, aead: Aead) {
    this.#secret = secret;
    this.#aead = aead;
  }

  next(flags: number): { readonly aead: Aead; readonly key: Uint8Array; readonly nonce: Uint8Array } {
    if (this.#number % RECORDS_PER_KEY === 0) {
      this.#key.erase();
      this.#key = recordKey(this.#secret, this.#number / RECORDS_PER_KEY);
    }
    const nonce = Buffer.alloc(12);
    nonce.writeBigUInt64BE(BigInt(this.#number), 3);
    nonce[11] = flags;
    this.#number += 1;
    return { aead: this.#aead, key: this.#key.expose(), nonce };
  }

  erase(): void {
    this.#key.erase();
    this.#secret.erase();
  }
}

function recordKey(secret: Secret, generation: number): Secret {
  const info = Buffer.alloc(21);
  info.write('xfer/1 record key', 'ascii');
  info.writeUInt32BE(generation, 17);
  return new Secret(new Uint8Array(hkdfSync('sha512', secret.expose(), '', info, 32)));
}
