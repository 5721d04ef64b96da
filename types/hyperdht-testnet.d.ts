declare module 'hyperdht/testnet.js' {
  /** Nodes of a DHT of their own, in this process. */
  interface Testnet {
    readonly bootstrap: readonly { readonly host: string; readonly port: number }[];
    destroy(): Promise<void>;
  }

  /** `size` of at least 2; with `host` 127.0.0.1 the nodes listen on loopback only. */
  export default function createTestnet(size: number, options: { host: string }): Promise<Testnet>;
}
