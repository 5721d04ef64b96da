// @ts-check
/**
 * A long line in a process: forwards what comes in on one end to the other as a line of a certain rate and length
 * would, with a queue in front that drops what does not fit. It takes datagrams, so that two tunnels (see
 * `networks.js`) bring it every packet of two machines, TCP and UDP alike, and it also forwards TCP connections.
 *
 *     node bench/delay-line.js --mbit 100 --delay 50 --udp PORT,PORT   joins two sockets of 127.0.0.1; prints its ports
 *     node bench/delay-line.js --mbit 100 --delay 50 --tcp PORT        forwards connections to it; prints its port
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { parseArgs } from 'node:util';

const LOOPBACK = '127.0.0.1';
/** How much waits in front of a line, in time: so much that any kind of TCP fills a line of 100 ms without loss. */
const QUEUE_MS = 250;
/** What the kernel keeps while this process is busy. */
const SOCKET_BUFFER_BYTES = 2 ** 22;

/**
 * @typedef {object} LineOptions
 * @property {number} mbit what the line carries, in Mbit/s
 * @property {number} delayMs from one end to the other
 * @property {() => number} [now] milliseconds
 */

/**
 * One direction of a line. What is on it never exceeds what its rate, length and queue hold: then nothing more is
 * taken.
 */
export class DelayLine {
  #bytesPerMs;
  #delayMs;
  #now;
  /** When the last byte that was taken will be on the line. */
  #sentMs = 0;
  /** @type {{ readonly dueMs: number, readonly deliver: () => void }[]} */
  #underWay = [];
  #first = 0;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  /** @param {LineOptions} options */
  constructor({ mbit, delayMs, now = () => performance.now() }) {
    this.#bytesPerMs = mbit * 125;
    this.#delayMs = delayMs;
    this.#now = now;
  }

  /** Milliseconds until the queue in front has room again; 0 where it has. */
  get waitMs() {
    return Math.max(0, this.#sentMs - this.#now() - QUEUE_MS);
  }

  /**
   * Takes `length` bytes, and calls `deliver` when the last of them arrives. `false` where the queue is full: they
   * are lost.
   *
   * @param {number} length
   * @param {() => void} deliver
   */
  send(length, deliver) {
    if (this.waitMs > 0) return false;
    this.#sentMs = Math.max(this.#sentMs, this.#now()) + length / this.#bytesPerMs;
    this.#underWay.push({ dueMs: this.#sentMs + this.#delayMs, deliver });
    this.#timer ??= setTimeout(() => this.#arrive(), this.#sentMs + this.#delayMs - this.#now());
    return true;
  }

  #arrive() {
    const now = this.#now();
    let next = this.#underWay[this.#first];
    // A timer may be early by what it rounds.
    while (next !== undefined && next.dueMs <= now + 0.5) {
      next.deliver();
      next = this.#underWay[++this.#first];
    }
    if (this.#first > 4096 || next === undefined) {
      this.#underWay.splice(0, this.#first);
      this.#first = 0;
    }
    this.#timer = next === undefined ? undefined : setTimeout(() => this.#arrive(), next.dueMs - now);
  }
}

/**
 * Joins two sockets of loopback: what one sends to its entrance arrives at the other. Resolves with the ports of the
 * entrances and a way to close them.
 *
 * @param {readonly [number, number]} ports
 * @param {LineOptions} options
 */
export async function forwardDatagrams(ports, options) {
  const sockets = ports.map(() => createSocket({ type: 'udp4', recvBufferSize: SOCKET_BUFFER_BYTES }));
  for (const [index, socket] of sockets.entries()) {
    const line = new DelayLine(options);
    const exit = sockets[1 - index];
    const port = ports[1 - index];
    socket.on('message', (bytes, { port: from }) => {
      // Nobody else's datagrams.
      if (from === ports[index]) line.send(bytes.length, () => exit?.send(bytes, port, LOOPBACK));
    });
    // A far end that is not there yet, or any more: its datagrams are lost, as on any line.
    socket.on('error', () => {});
    socket.bind(0, LOOPBACK);
    await once(socket, 'listening');
  }
  return {
    entrances: sockets.map((socket) => socket.address().port),
    close: () => {
      for (const socket of sockets) socket.close();
    },
  };
}

/**
 * Forwards TCP connections to a port of loopback; all of them share one line. Resolves with the port to dial and a way
 * to close everything.
 *
 * @param {number} target
 * @param {LineOptions} options
 */
export async function forwardConnections(target, options) {
  const there = new DelayLine(options);
  const back = new DelayLine(options);
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: target, host: LOOPBACK, allowHalfOpen: true });
    for (const [from, to, line] of /** @type {const} */ ([
      [near, far, there],
      [far, near, back],
    ])) {
      sockets.add(from);
      from.once('close', (hadError) => {
        sockets.delete(from);
        // What ended well is still on its way.
        if (hadError) to.destroy();
      });
      carry(from, to, line).catch(() => {
        from.destroy();
        to.destroy();
      });
    }
  });
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  return {
    port: /** @type {import('node:net').AddressInfo} */ (server.address()).port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** @param {import('node:net').Socket} from @param {import('node:net').Socket} to @param {DelayLine} line */
async function carry(from, to, line) {
  from.on('error', () => {});
  // The other direction goes on when this one has ended.
  const pieces = /** @type {AsyncIterable<Buffer>} */ (from.iterator({ destroyOnReturn: false }));
  for await (const bytes of pieces) {
    // Who sends faster than the line waits, and so does who sends to one that does not read.
    while (line.waitMs > 0) await new Promise((resolve) => setTimeout(resolve, line.waitMs));
    if (to.writableNeedDrain) await once(to, 'drain');
    line.send(bytes.length, () => to.writable && to.write(bytes));
  }
  line.send(0, () => to.end());
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      mbit: { type: 'string', default: '100' },
      delay: { type: 'string', default: '50' },
      udp: { type: 'string' },
      tcp: { type: 'string' },
    },
  });
  const options = { mbit: Number(values.mbit), delayMs: Number(values.delay) };
  if (values.udp !== undefined) {
    const [one = 0, other = 0] = values.udp.split(',').map(Number);
    console.log(JSON.stringify((await forwardDatagrams([one, other], options)).entrances));
  } else {
    console.log((await forwardConnections(Number(values.tcp), options)).port);
  }
}
