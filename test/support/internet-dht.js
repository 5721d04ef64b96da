// @ts-check
/** Nodes of a DHT on addresses of their own, all on this machine: node internet-dht.js HOST… */
import DHT from 'hyperdht';

const PORT = 49737;
const [, , first = '', ...others] = process.argv;

const bootstrap = DHT.bootstrapper(PORT, first, { host: first });
await bootstrap.fullyBootstrapped();
for (const host of others) {
  const node = new DHT({
    bootstrap: [`${first}:${PORT}`],
    host,
    port: PORT,
    anyPort: false,
    ephemeral: false,
    firewalled: false,
  });
  await node.fullyBootstrapped();
}
process.stdout.write('ready\n');
