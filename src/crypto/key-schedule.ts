/** From what a pairing agreed on to keys (protocol sections 5 and 6). */
import { createHash, hkdfSync } from 'node:crypto';
import { inspect } from 'node:util';
import { lvCat } from './cpace.js';
import { HIDDEN, Secret } from './secret.js';
import { WORDS } from './wordlist.js';

/** The four messages of a pairing as they were sent. All of them go into the session key. */
export interface PairingMessages {
  readonly start: Uint8Array;
  readonly reply: Uint8Array;
  readonly confirm: Uint8Array;
  readonly accept: Uint8Array;
}

/** SK, from the key that CPace or a device handshake gave and the secret that X-Wing gave, which are erased; after a reconnect from the key before as well. */
export function deriveSessionKey(
  isk: Secret,
  kemSecret: Secret,
  handshakeHash: Uint8Array,
  { start, reply, confirm, accept }: PairingMessages,
  previous?: SessionKey,
): SessionKey {
  const messagesHash = createHash('sha512')
    .update(lvCat(start, reply, confirm, accept))
    .digest();
  const before = previous?.forNext();
  const secrets = [...(before === undefined ? [] : [before]), isk, kemSecret];
  const input = new Secret(Buffer.concat(secrets.map((secret) => secret.expose())));
  const key = hkdf(input, handshakeHash, Buffer.concat([ascii('xfer/1 session'), messagesHash]), 64);
  for (const used of [input, ...secrets]) used.erase();
  return new SessionKey(key);
}

/** The sides of a pairing. */
export type Side = 'joiner' | 'host';

export interface LaneKeys {
  readonly id: Uint8Array;
  readonly psk: Secret;
}

const EMPTY: Uint8Array = new Uint8Array(0);

/** Which way records go. Each direction has its own secret. */
export type Direction = 'joiner to host' | 'host to joiner';

/** The key of a session (SK). Everything that is sealed comes from it; it never leaves this class. */
export class SessionKey {
  readonly #key: Secret;

  /** Takes over 64 bytes. Pairings make session keys; only a test has another reason to. */
  constructor(key: Secret) {
    this.#key = key;
  }

  /**
   * The secret of the records that go one way on one connection (protocol section 6), for a `RecordSealer` or a
   * `RecordOpener`, which takes it over. `handshakeHash` is that connection's.
   */
  recordSecret(handshakeHash: Uint8Array, epoch: number, direction: Direction): Secret {
    const info = lvCat(ascii('xfer/1 records'), u32(epoch), ascii(direction));
    return hkdf(this.#key, handshakeHash, info, 32);
  }

  /**
   * What a lane is called in clear (16 bytes) and the key that its handshake proves (32 bytes): protocol section 4.
   * Both are for one lane of one epoch, dialled by one side.
   */
  laneKeys(epoch: number, lane: number, dialler: Side): LaneKeys {
    const info = (label: string): Uint8Array => lvCat(ascii(label), u32(epoch), u32(lane), ascii(dialler));
    const id = hkdf(this.#key, EMPTY, info('xfer/1 lane id'), 16);
    return { id: id.expose(), psk: hkdf(this.#key, EMPTY, info('xfer/1 lane'), 32) };
  }

  /**
   * What two sides prove to each other that meet again, in place of a code; the number under which they look for each other; and
   * what the session is called where one of them dials the other (16 bytes).
   */
  reunionSecrets(): { readonly password: Secret; readonly topic: Uint8Array; readonly id: Uint8Array } {
    return {
      password: hkdf(this.#key, EMPTY, ascii('xfer/1 reconnect'), 32),
      topic: hkdf(this.#key, EMPTY, ascii('xfer/1 reconnect topic'), 32).expose(),
      id: hkdf(this.#key, EMPTY, ascii('xfer/1 reconnect id'), 16).expose(),
    };
  }

  /** What goes into the key of the next epoch: who does not know this one cannot have that one. */
  forNext(): Secret {
    return hkdf(this.#key, EMPTY, ascii('xfer/1 next session'), 64);
  }

  /** What goes into the secret of two devices that are paired in this session (64 bytes). */
  forDevices(): Secret {
    return hkdf(this.#key, EMPTY, ascii('xfer/1 devices'), 64);
  }

  /** What ties a proof of the owner of a share to this session (32 bytes). */
  forOwner(): Uint8Array {
    return hkdf(this.#key, EMPTY, ascii('xfer/1 owner'), 32).expose();
  }

  /** Six words (66 bits) that two people may compare: they are equal exactly where the keys are. */
  verifier(): readonly string[] {
    const secret = hkdf(this.#key, EMPTY, ascii('xfer/1 verifier'), 9);
    const bits = BigInt(`0x${Buffer.from(secret.expose()).toString('hex')}`) >> 6n;
    secret.erase();
    return [55n, 44n, 33n, 22n, 11n, 0n].map((shift) => WORDS[Number((bits >> shift) & 0x7ffn)] ?? '');
  }

  erase(): void {
    this.#key.erase();
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

function hkdf(key: Secret, salt: Uint8Array, info: Uint8Array, length: number): Secret {
  return new Secret(new Uint8Array(hkdfSync('sha512', key.expose(), salt, info, length)));
}

function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'ascii');
}
