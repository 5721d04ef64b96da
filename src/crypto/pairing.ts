/** The two sides of a pairing (protocol section 5): CPace bound to the connection, X-Wing, and proof of both. */
import * as cpace from './cpace.js';
import { XferError } from '../errors.js';
import { equalBytes } from './digest.js';
import { deriveSessionKey, type PairingMessages, type SessionKey } from './key-schedule.js';
import { Secret } from './secret.js';
import { xwingDecapsulate, xwingEncapsulate, xwingKeyPair } from './sodium.js';

/** What a code may be for. One that was made for something else is a wrong one. */
export type CodePurpose = 'transfer' | 'pair' | 'chat';

/** What a pairing is about. Both sides must have the same, or their tags do not fit. */
export interface PairingContext {
  /** The whole code. Stays the caller's: it may pair on several connections at once. */
  readonly password: Secret;
  /** Handshake hash of the Noise connection: a man in the middle has two, and a replay an old one. */
  readonly handshakeHash: Uint8Array;
  /** Noise static public keys. */
  readonly joinerKey: Uint8Array;
  readonly hostKey: Uint8Array;
  /** What the pairing is for; `transfer` if not given. */
  readonly purpose?: string;
  /** The key of the epoch before, of a session that goes on. Stays the caller's. */
  readonly previous?: SessionKey;
}

/** What one side says first: its associated data (versions, capabilities) and its public share, a point of 32 bytes. */
export interface Share {
  readonly ad: Uint8Array;
  readonly point: Uint8Array;
}

/** Joiner to host: proof that it knows the code, and its X-Wing key. */
export interface Confirmation {
  readonly tag: Uint8Array;
  readonly kemPublicKey: Uint8Array;
}

/** Host to joiner: proof that it knows the code, and a secret for the joiner's X-Wing key. */
export interface Acceptance {
  readonly tag: Uint8Array;
  readonly kemCiphertext: Uint8Array;
}

/**
 * The joiner's side of one pairing on one connection: send `start`, then `confirm`, then `finish`. Needs
 * `loadPairingSodium`. Whatever throws has erased all secrets of the run.
 */
export class JoinerPairing {
  readonly start: Share;
  readonly #context: PairingContext;
  readonly #exchange: Exchange;
  #confirmed: { readonly exchanged: Exchanged; readonly kemPrivateKey: Secret } | undefined;

  constructor(context: PairingContext, ad: Uint8Array) {
    this.#context = context;
    this.#exchange = new Exchange(context);
    this.start = { ad, point: this.#exchange.point };
  }

  /**
   * Proves that this side knows the code: from here on the host, if it is none, has had one guess. Throws
   * `protocol` for a point that is none, the neutral one or our own.
   */
  confirm(reply: Share): Confirmation {
    const exchanged = this.#exchange.complete(this.start, reply, reply);
    const { publicKey, privateKey } = xwingKeyPair();
    this.#confirmed = { exchanged, kemPrivateKey: new Secret(privateKey) };
    return { tag: exchanged.joinerTag, kemPublicKey: publicKey };
  }

  /** The session key, once the host proved that it knows the code. Throws `wrong-code`, or `protocol`. */
  finish(accept: Acceptance, messages: PairingMessages): SessionKey {
    const { exchanged, kemPrivateKey } = inOrder(this.#confirmed);
    try {
      if (!equalBytes(accept.tag, exchanged.hostTag)) throw new XferError('wrong-code');
      const kemSecret = xwingDecapsulate(accept.kemCiphertext, kemPrivateKey.expose());
      if (kemSecret === undefined) throw new XferError('protocol', { subject: 'X-Wing ciphertext' });
      const { handshakeHash, previous } = this.#context;
      return deriveSessionKey(exchanged.isk, new Secret(kemSecret), handshakeHash, messages, previous);
    } finally {
      this.erase();
    }
  }

  /** Forgets the run, at whatever step it is. Again is harmless. */
  erase(): void {
    this.#exchange.erase();
    this.#confirmed?.exchanged.isk.erase();
    this.#confirmed?.kemPrivateKey.erase();
    this.#confirmed = undefined;
  }
}

/**
 * The host's side of one pairing on one connection: `reply`, then `verify`, and only after that `accept` and
 * `sessionKey`. Needs `loadPairingSodium`. Whatever throws has erased all secrets of the run.
 */
export class HostPairing {
  readonly #context: PairingContext;
  readonly #ad: Uint8Array;
  readonly #exchange: Exchange;
  #exchanged: Exchanged | undefined;
  #verified: { readonly kemSecret: Secret; readonly acceptance: Acceptance } | undefined;

  constructor(context: PairingContext, ad: Uint8Array) {
    this.#context = context;
    this.#ad = ad;
    this.#exchange = new Exchange(context);
  }

  /** Throws `protocol` for a point that is none, the neutral one or our own. */
  reply(start: Share): Share {
    const reply = { ad: this.#ad, point: this.#exchange.point };
    this.#exchanged = this.#exchange.complete(start, reply, start);
    return reply;
  }

  /** Checks the joiner's proof. Throws `wrong-code`, which is a guess used up, or `protocol`. */
  verify(confirm: Confirmation): void {
    const { joinerTag, hostTag } = inOrder(this.#exchanged);
    try {
      if (!equalBytes(confirm.tag, joinerTag)) throw new XferError('wrong-code');
      const kem = xwingEncapsulate(confirm.kemPublicKey);
      if (kem === undefined) throw new XferError('protocol', { subject: 'X-Wing public key' });
      this.#verified = {
        kemSecret: new Secret(kem.sharedSecret),
        acceptance: { tag: hostTag, kemCiphertext: kem.ciphertext },
      };
    } catch (error) {
      this.erase();
      throw error;
    }
  }

  /** The host's own proof. There is none before the joiner's was right. */
  accept(): Acceptance {
    return inOrder(this.#verified).acceptance;
  }

  sessionKey(messages: PairingMessages): SessionKey {
    const { kemSecret } = inOrder(this.#verified);
    const { isk } = inOrder(this.#exchanged);
    try {
      const { handshakeHash, previous } = this.#context;
      return deriveSessionKey(isk, kemSecret, handshakeHash, messages, previous);
    } finally {
      this.erase();
    }
  }

  /** Forgets the run, at whatever step it is. Again is harmless. */
  erase(): void {
    this.#exchange.erase();
    this.#exchanged?.isk.erase();
    this.#verified?.kemSecret.erase();
    this.#exchanged = undefined;
    this.#verified = undefined;
  }
}

/** What both sides have once they know each other's points: the same three values if the code was the same. */
interface Exchanged {
  readonly isk: Secret;
  readonly joinerTag: Uint8Array;
  readonly hostTag: Uint8Array;
}

/** One run of CPace, of either side: a fresh scalar, used once. */
class Exchange {
  readonly point: Uint8Array;
  readonly #scalar: Secret;
  readonly #sessionId: Uint8Array;

  constructor(context: PairingContext) {
    this.#sessionId = context.handshakeHash;
    this.#scalar = new Secret(cpace.sampleScalar());
    const generator = new Secret(
      cpace.calculateGenerator(context.password.expose(), channelIdentifier(context), this.#sessionId),
    );
    this.point = cpace.scalarMult(this.#scalar.expose(), generator.expose());
    generator.erase();
  }

  complete(start: Share, reply: Share, peer: Share): Exchanged {
    const shared = new Secret(this.#multiply(peer.point));
    const transcript = cpace.transcriptIr(start.point, start.ad, reply.point, reply.ad);
    const isk = new Secret(cpace.intermediateSessionKey(this.#sessionId, shared.expose(), transcript));
    const macKey = new Secret(cpace.macKey(this.#sessionId, isk.expose()));
    const joinerTag = cpace.confirmationTag(macKey.expose(), start.point, start.ad);
    const hostTag = cpace.confirmationTag(macKey.expose(), reply.point, reply.ad);
    shared.erase();
    macKey.erase();
    return { isk, joinerTag, hostTag };
  }

  erase(): void {
    this.#scalar.erase();
  }

  #multiply(peerPoint: Uint8Array): Uint8Array {
    const shared = cpace.scalarMultVfy(this.#scalar.expose(), peerPoint);
    this.#scalar.erase();
    // A peer that sends our own point back would otherwise confirm us with our own tag.
    if (equalBytes(shared, cpace.G_I) || equalBytes(peerPoint, this.point)) {
      throw new XferError('protocol', { subject: 'CPace point' });
    }
    return shared;
  }
}

/** CI: the purpose and both sides' keys, each in its role, so that two joiners or two hosts never agree. */
function channelIdentifier({ purpose = 'transfer', joinerKey, hostKey }: PairingContext): Uint8Array {
  return cpace.lvCat(
    ascii('xfer/1 pake'),
    ascii(purpose),
    ascii('joiner'),
    joinerKey,
    ascii('host'),
    hostKey,
  );
}

/** A step of a pairing that was taken too early, or after an error, is a bug of the caller. */
function inOrder<T>(value: T | undefined): T {
  if (value === undefined) throw new XferError('internal', { subject: 'pairing step out of order' });
  return value;
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'ascii');
}
