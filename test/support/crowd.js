// @ts-check
/**
 * A crowd of strangers, in a process of its own: node crowd.js PORT COUNT STRANGER
 *
 * Keeps so many connections to the port, from 200 prefixes: who is dropped comes back. Says a line once all of them were
 * connected.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import NoiseStream from '@hyperswarm/secret-stream';

const PREFIXES = 200;
const RETURN_MS = 500;

const PAIRING = Buffer.from('xfer\x01\x01', 'latin1');
const LANE = Buffer.from('xfer\x01\x02', 'latin1');

/** @param {import('node:net').Socket} socket */
const handshake = (socket) => {
  socket.write(PAIRING);
  const stream = new NoiseStream(true, socket);
  return stream.on('error', () => undefined);
};

/**
 * What one of them does as soon as it is connected.
 * @type {Record<string, (socket: import('node:net').Socket) => void>}
 */
const STRANGERS = {
  silent: () => undefined,
  slow: (socket) => {
    let at = 0;
    const drip = setInterval(() => socket.write(Buffer.from([PAIRING[at++] ?? 0])), 500);
    socket.once('close', () => clearInterval(drip));
  },
  large: (socket) =>
    socket.write(Buffer.concat([PAIRING, Buffer.from([0xff, 0xff, 0xff]), Buffer.alloc(4_000, 7)])),
  open: (socket) =>
    socket.write(Buffer.concat([PAIRING, Buffer.from([0xe0, 0x1f, 0]), Buffer.alloc(4_000, 7)])),
  lanes: (socket) => socket.write(Buffer.concat([LANE, Buffer.alloc(64, 7)])),
  noise: (socket) => void handshake(socket),
  talkative: (socket) => {
    const stream = handshake(socket);
    stream.once('connect', () => stream.write(Buffer.alloc(8_000, 7)));
  },
};

const [, , port, count, kind = ''] = process.argv;
const stranger = STRANGERS[kind];
if (stranger === undefined) throw new Error(`no stranger is ${kind}`);

let connected = 0;
/** @param {number} number */
async function keepUp(number) {
  for (;;) {
    const localAddress = `127.0.${1 + (number % PREFIXES)}.${1 + (number % 250)}`;
    const socket = connect({ host: '127.0.0.1', port: Number(port), localAddress });
    socket.on('error', () => undefined).resume();
    socket.once('connect', () => {
      if (++connected === Number(count)) process.stdout.write('all were connected\n');
      stranger?.(socket);
    });
    await once(socket, 'close').catch(() => undefined);
    await sleep(RETURN_MS);
  }
}
for (let number = 0; number < Number(count); number++) void keepUp(number);
