import createTestnet from 'hyperdht/testnet.js';

export interface PrivateDht {
  /** What a program or the library takes as its bootstrap nodes. */
  readonly bootstrap: readonly string[];
  close(): Promise<void>;
}

/**
 * A DHT on loopback. One node alone never answers an announcement, and with fewer than four hyperdht cannot find
 * out how its own address looks from outside: every connection then waits for its time-outs, some 20 s.
 */
export async function startPrivateDht(): Promise<PrivateDht> {
  const testnet = await createTestnet(6, { host: '127.0.0.1' });
  return {
    bootstrap: testnet.bootstrap.map(({ host, port }) => `${host}:${port}`),
    close: () => testnet.destroy(),
  };
}
