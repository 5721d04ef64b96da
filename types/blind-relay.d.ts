declare module 'blind-relay' {
  import type { EventEmitter } from 'node:events';
  import type SecretStream from '@hyperswarm/secret-stream';
  import type { RawStream } from '@hyperswarm/secret-stream';

  export interface ServerOptions {
    /** Makes a UDX stream that belongs to the node's sockets. */
    readonly createStream: (options: object) => RawStream;
  }

  /** Emits `pair` (isInitiator, token, stream, remoteId) for each of its two ends that are joined, `error` and `close`. */
  export interface Session extends EventEmitter {
    destroy(error?: Error): void;
  }

  export class Server {
    constructor(options: ServerOptions);
    accept(stream: SecretStream, options: { readonly id: Uint8Array }): Session;
    close(): Promise<void>;
  }
}
