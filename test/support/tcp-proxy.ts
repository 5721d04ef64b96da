import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Frames of the dialled side up to the end of its pairing. */
const PAIRING_FRAMES = 4;

/** Finds the records in what the dialled side of a direct connection sends (protocol section 4). */
class RecordFinder {
  #frames = PAIRING_FRAMES;
  #length: number[] = [];
  /** Bytes of the present frame or record that are still to come. */
  #rest = 0;

  /** Where in these bytes, which follow those of the last call, records begin. */
  startsIn(bytes: Uint8Array): number[] {
    const starts: number[] = [];
    for (let at = 0; at < bytes.length;) {
      const passed = Math.min(this.#rest, bytes.length - at);
      this.#rest -= passed;
      at += passed;
      const byte = bytes[at];
      if (byte === undefined) break;
      if (this.#frames === 0 && this.#length.length === 0) starts.push(at);
      at += 1;
      this.#takeLength(byte);
    }
    return starts;
  }

  #takeLength(byte: number): void {
    this.#length.push(byte);
    if (this.#length.length < (this.#frames > 0 ? 3 : 4)) return;
    const length = Buffer.from(this.#length);
    this.#rest = this.#frames > 0 ? length.readUIntLE(0, 3) : length.readUInt32BE();
    this.#frames = Math.max(0, this.#frames - 1);
    this.#length = [];
  }
}

/**
 * Stands between two programs on loopback, and holds or cuts the line after so many bytes, or changes one of them, so
 * that a test can act in the middle of a transfer however fast it is.
 */
export class TcpProxy {
  /** Bytes from the dialled side to the dialling one so far. */
  carried = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #holdAfter: number;
  readonly #muteAfter: number;
  /** Place of the byte from the dialled side of which a bit is changed on its way. */
  flipAt = Infinity;
  /** From so many bytes of the dialled side on, a bit in the length of its next record is changed on its way, once. */
  flipLengthAt = Infinity;
  #onHeld: () => void = () => {};
  /** Resolves when the line is held, in either direction. */
  readonly held = new Promise<void>((resolve) => (this.#onHeld = resolve));

  private constructor(targetPort: number, holdAfter: number, muteAfter: number) {
    this.#holdAfter = holdAfter;
    this.#muteAfter = muteAfter;
    this.#server = createServer((near) => {
      const far = connect(targetPort, '127.0.0.1');
      this.#join(near, far);
    });
  }

  /**
   * Forwards to `targetPort`; nothing comes from there any more once `holdAfter` bytes came, and nothing goes there
   * once `muteAfter` bytes went.
   */
  static async start(targetPort: number, holdAfter: number, muteAfter = Infinity): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort, holdAfter, muteAfter);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Lets through what was held, and all that follows. */
  release(): void {
    this.#holdAfter = Infinity;
    for (const socket of this.#sockets) socket.resume();
  }

  /** Ends every connection as a closed socket does: what was under way is lost. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** How many connections go through it now. */
  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Ends the connection that was made last. */
  cutNewest(): void {
    [...this.#sockets].at(-1)?.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(near: Socket, far: Socket): void {
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
    }
    near.on('close', () => {
      this.#sockets.delete(near);
      far.destroy();
    });
    far.on('close', () => {
      this.#sockets.delete(far);
      near.destroy();
    });
    let gone = 0;
    const records = new RecordFinder();
    near.on('end', () => far.end());
    near.on('data', (bytes) => {
      gone += bytes.length;
      far.write(bytes);
      if (gone < this.#muteAfter) return;
      near.pause();
      this.#onHeld();
    });
    far.on('data', (bytes) => {
      const flip = this.flipAt - this.carried;
      if (flip >= 0 && flip < bytes.length) bytes[flip] = (bytes[flip] ?? 0) ^ 1;
      for (const start of records.startsIn(bytes)) {
        if (this.carried + start < this.flipLengthAt) continue;
        bytes[start] = (bytes[start] ?? 0) ^ 1;
        this.flipLengthAt = Infinity;
      }
      this.carried += bytes.length;
      near.write(bytes);
      if (this.carried < this.#holdAfter) return;
      far.pause();
      this.#onHeld();
    });
  }
}
