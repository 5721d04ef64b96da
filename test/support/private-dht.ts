import createTestnet from 'hyperdht/testnet.js';

export interface PrivateDht {
  /** What a program or the library takes as its bootstrap nodes. */
  readonly bootstrap: readonly string[];
  close(): Promise<void>;
}

/** A DHT of three nodes on loopback. One node alone never answers an announcement. */
export async function startPrivateDht(): Promise<PrivateDht> {
  const testnet = await createTestnet(3, { host: '127.0.0.1' });
  return {
    bootstrap: testnet.bootstrap.map(({ host, port }) => `${host}:${port}`),
    close: () => testnet.destroy(),
  };
}
