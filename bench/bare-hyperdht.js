// @ts-check
/**
 * Moves a file over a HyperDHT connection and does nothing else: no code, no pairing, no records, no digest. What xfer
 * needs over the same kind of connection is compared with it.
 *
 *     node bench/bare-hyperdht.js send FILE BOOTSTRAP           prints the key that the receiver needs
 *     node bench/bare-hyperdht.js receive KEY FILE BOOTSTRAP    BOOTSTRAP: host:port,… of a private DHT
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import HyperDHT from 'hyperdht';

/** What is read at once, and one message of the connection: as much as goes furthest, by trial. */
const PIECE_BYTES = 2 ** 20;

const [command, ...args] = process.argv.slice(2);
const bootstrap = args.at(-1)?.split(',') ?? [];
if (bootstrap.length === 0 || bootstrap.includes('')) throw new Error('nodes of a private DHT are needed');
const dht = new HyperDHT({ bootstrap });
if (command === 'send') await send(args[0] ?? '');
else await receive(args[0] ?? '', args[1] ?? '');
await dht.destroy();

/** @param {string} file */
async function send(file) {
  /** @type {Promise<import('@hyperswarm/secret-stream').default>} */
  const connected = new Promise((resolve) => {
    const server = dht.createServer({ shareLocalAddress: false }, resolve);
    void server.listen().then(() => console.log(Buffer.from(server.publicKey ?? []).toString('hex')));
  });
  const connection = await connected;
  const closed = once(connection, 'close');
  for await (const piece of createReadStream(file, { highWaterMark: PIECE_BYTES })) {
    if (!connection.write(piece)) await once(connection, 'drain');
  }
  connection.end();
  // The other side ends when it has everything.
  connection.resume();
  await closed;
}

/** @param {string} key @param {string} file */
async function receive(key, file) {
  const connection = dht.connect(Buffer.from(key, 'hex'), { localConnection: false });
  const closed = once(connection, 'close');
  const handle = await open(file, 'wx');
  let written = Promise.resolve();
  let waiting = 0;
  connection.on('data', (/** @type {Buffer} */ piece) => {
    waiting += piece.length;
    if (waiting > 8 * PIECE_BYTES) connection.pause();
    written = written.then(async () => {
      await handle.write(piece);
      waiting -= piece.length;
      if (waiting <= 4 * PIECE_BYTES) connection.resume();
    });
  });
  await once(connection, 'end');
  await written;
  await handle.close();
  connection.end();
  await closed;
}
