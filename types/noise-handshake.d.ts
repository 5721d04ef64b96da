declare module 'noise-handshake' {
  export interface NoiseOptions {
    readonly psk?: Uint8Array;
  }

  /** A handshake of the Noise framework over X25519, ChaCha20-Poly1305 and BLAKE2b-512. */
  export default class NoiseState {
    /** `null` for a static key pair makes a fresh one, which patterns without static keys do not use. */
    constructor(pattern: 'NNpsk0', isInitiator: boolean, staticKeyPair: null, options: NoiseOptions);
    initialise(prologue: Uint8Array): void;
    send(payload?: Uint8Array): Uint8Array;
    /** Gives the payload. Erases parts of `message` when the handshake is complete. */
    recv(message: Uint8Array): Uint8Array;
    readonly complete: boolean;
    /** The handshake hash, once complete. */
    readonly hash: Uint8Array | null;
    /** Transport keys, once complete. */
    readonly tx: Uint8Array | null;
    readonly rx: Uint8Array | null;
  }
}
