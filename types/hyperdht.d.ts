declare module 'hyperdht' {
  import type { EventEmitter } from 'node:events';
  import type SecretStream from '@hyperswarm/secret-stream';
  import type { KeyPair, RawStream, SecretStreamOptions } from '@hyperswarm/secret-stream';

  export type { KeyPair };

  export interface Address {
    readonly host: string;
    readonly port: number;
  }

  export interface PeerRecord {
    readonly publicKey: Uint8Array;
    readonly relayAddresses: readonly Address[];
  }

  export interface LookupReply {
    readonly from: Address;
    readonly peers: readonly PeerRecord[];
  }

  export interface Query<T> extends AsyncIterable<T> {
    finished(): Promise<void>;
    destroy(): void;
    /** Requests without an answer yet. */
    readonly inflight: number;
    /** Of these, those that were sent again because the first answer was due. */
    readonly _slow: number;
    /** Nodes to ask. */
    readonly _pending: readonly Address[];
    readonly closestReplies: readonly unknown[];
    /** Asks more nodes, or ends where there is nothing to wait for. */
    _readMore(): void;
    /** Ends, with what is to be done at the closest nodes. */
    _flush(): void;
  }

  export interface QueryOptions {
    readonly target: Uint8Array;
    readonly command: number;
    readonly value?: Uint8Array | null;
  }

  export type CreateSecretStream = (
    isInitiator: boolean,
    rawStream: RawStream | null,
    options: SecretStreamOptions,
  ) => SecretStream;

  /** What the dialling side put into the encrypted handshake. */
  export interface HandshakePayload {
    readonly relayThrough?: { readonly publicKey: Uint8Array } | null;
  }

  export interface ServerOptions {
    /** `true` refuses. */
    readonly firewall?: (
      remotePublicKey: Uint8Array,
      payload: HandshakePayload,
      clientAddress: Address,
    ) => boolean | Promise<boolean>;
    readonly shareLocalAddress?: boolean;
    readonly createSecretStream?: CreateSecretStream;
  }

  export interface ConnectOptions {
    readonly keyPair?: KeyPair;
    readonly relayAddresses?: readonly Address[];
    readonly localConnection?: boolean;
    readonly reusableSocket?: boolean;
    readonly createSecretStream?: CreateSecretStream;
    /** The key of a relay to pass bytes on until a hole is punched. */
    readonly relayThrough?: Uint8Array | null;
  }

  /** What came of the first message of a handshake. */
  export interface Handshake {
    /** What a connection will go by; `null` where there is none to come, or one is there and goes by no relay. */
    readonly rawStream: (RawStream & { readonly destroying: boolean }) | null;
    /** To a relay, until it is given up. */
    readonly relaySocket: SecretStream | null;
    /** The connection. */
    readonly encryptedSocket: SecretStream | null;
  }

  /** The first message of a handshake: its name, itself, who is said to have sent it, how it came, and whether straight from there. */
  type FirstMessage = [name: string, noise: Uint8Array, client: Address, request: object, isDirect: boolean];

  export interface Server extends EventEmitter {
    /** Begins a handshake, once for each name; `null` where it is refused. */
    _addHandshake(...message: FirstMessage): Promise<Handshake | null>;
    readonly publicKey: Uint8Array | null;
    listen(keyPair?: KeyPair): Promise<Server>;
    close(): Promise<void>;
  }

  export interface HyperDHTOptions {
    /** Anything falsy means the PUBLIC network. */
    readonly bootstrap?: readonly (string | Address)[];
    readonly host?: string;
    readonly ephemeral?: boolean;
    /** `false` where others can reach this machine unasked. */
    readonly firewalled?: boolean;
    readonly keyPair?: KeyPair;
    readonly port?: number;
    /** Whether another port will do where that one is taken. */
    readonly anyPort?: boolean;
  }

  export default class HyperDHT extends EventEmitter {
    constructor(options?: HyperDHTOptions);
    /** The first node of a network, or one of several that begin it; `host` is its address as others see it. */
    static bootstrapper<T extends HyperDHT>(
      this: new (options: HyperDHTOptions) => T,
      port: number,
      host: string,
      options?: HyperDHTOptions,
    ): T;
    static keyPair(seed?: Uint8Array): KeyPair;
    /** The address of this machine as other nodes see it; `null` until they agree. */
    readonly host: string | null;
    /** Whether the router of this machine draws a port for every connection; `false` while too little is known. */
    readonly randomized: boolean;
    readonly nodes: { readonly length: number };
    readonly destroyed: boolean;
    /** Rejects with the system's error where the port cannot be had. */
    bind(): Promise<void>;
    fullyBootstrapped(): Promise<void>;
    createServer(options: ServerOptions, onconnection?: (stream: SecretStream) => void): Server;
    connect(publicKey: Uint8Array, options?: ConnectOptions): SecretStream;
    lookup(topic: Uint8Array): Query<LookupReply>;
    findNode(target: Uint8Array, options?: object): Query<unknown>;
    /** What all look-ups and announcements begin with. */
    query(request: QueryOptions, options?: object): Query<unknown>;
    /** What begins with the first nodes, and finds out now and then who is there. */
    _backgroundQuery(target: Uint8Array): Query<unknown>;
    announce(topic: Uint8Array, keyPair: KeyPair, relayAddresses?: readonly Address[]): Query<LookupReply>;
    createRawStream(options: object): RawStream;
    /** Those that are open. */
    readonly rawStreams: { readonly size: number };
    destroy(options?: { readonly force?: boolean }): Promise<void>;
  }
}
