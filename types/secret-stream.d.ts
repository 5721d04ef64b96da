declare module '@hyperswarm/secret-stream' {
  import type { EventEmitter } from 'node:events';

  /** What a secret stream runs over: a TCP socket or a UDX stream. */
  export interface RawStream extends EventEmitter {
    pause(): unknown;
    resume(): unknown;
    destroy(error?: Error): unknown;
    /** Bytes that a UDX stream took in. */
    readonly bytesReceived?: number;
    /** Where a UDX stream goes to. It says `remote-changed` where that changes. */
    readonly remoteHost?: string | null | undefined;
    readonly remotePort?: number | undefined;
  }

  export interface KeyPair {
    readonly publicKey: Uint8Array;
    readonly secretKey: Uint8Array;
  }

  export interface SecretStreamOptions {
    /** `false` waits for `start`. */
    readonly autoStart?: boolean;
    readonly keyPair?: KeyPair;
    readonly publicKey?: Uint8Array;
    readonly remotePublicKey?: Uint8Array;
    /** `false` takes no unordered datagrams: their key is public. */
    readonly enableSend?: boolean;
    /** Milliseconds of own silence after which an empty message is sent; received ones are dropped. */
    readonly keepAlive?: number;
    /** Keys of a handshake that already took place. */
    readonly handshake?: { readonly remotePublicKey: Uint8Array };
  }

  /** A Noise duplex that keeps the boundaries of messages. */
  export default class SecretStream extends EventEmitter {
    constructor(isInitiator: boolean, rawStream: RawStream | null, options?: SecretStreamOptions);
    /** Resolves when the handshake is done (`true`) or the stream closed before (`false`). Never rejects. */
    readonly opened: Promise<boolean>;
    readonly isInitiator: boolean;
    readonly rawStream: RawStream | null;
    readonly publicKey: Uint8Array | null;
    readonly remotePublicKey: Uint8Array | null;
    readonly handshakeHash: Uint8Array | null;
    readonly destroying: boolean;
    readonly destroyed: boolean;
    /** Bytes that the next `write` encrypts in place. */
    alloc(length: number): Uint8Array;
    /** `false` where `drain` is to be awaited. */
    write(message: Uint8Array): boolean;
    end(): void;
    pause(): this;
    resume(): this;
    destroy(error?: Error | null): void;
    /** Resolves when everything written was handed on, for UDX: acknowledged; `false` if the stream closed before. */
    flush(): Promise<boolean>;
    /** Destroys the stream when nothing came for that many milliseconds. */
    setTimeout(ms: number): void;
    /** Takes in bytes of the raw stream. Not part of the documented interface. */
    protected _onrawdata(data: Uint8Array): void;
  }
}
