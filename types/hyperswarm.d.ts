declare module 'hyperswarm' {
  import type { EventEmitter } from 'node:events';
  import type HyperDHT from 'hyperdht';
  import type { KeyPair, Server } from 'hyperdht';
  import type SecretStream from '@hyperswarm/secret-stream';

  export interface Discovery {
    /** Resolves when the announcement went out; `false` where it failed. */
    flushed(): Promise<boolean>;
    refresh(): Promise<boolean>;
    /** Unannounces. Connections live on. */
    destroy(): Promise<void>;
  }

  export default class Hyperswarm extends EventEmitter<{ connection: [stream: SecretStream] }> {
    constructor(options: { readonly dht: HyperDHT; readonly keyPair: KeyPair });
    readonly server: Server;
    join(topic: Uint8Array, options: { readonly server: boolean; readonly client: boolean }): Discovery;
  }
}
