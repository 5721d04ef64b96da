import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

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
      this.carried += bytes.length;
      near.write(bytes);
      if (this.carried < this.#holdAfter) return;
      far.pause();
      this.#onHeld();
    });
  }
}
