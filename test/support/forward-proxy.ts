/** A proxy as a company has one, on loopback: CONNECT of HTTP, and SOCKS 4a and 5, at one port. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

export interface ForwardProxyOptions {
  /** Whom it serves; everybody if not given. */
  readonly login?: { readonly user: string; readonly password: string };
  /** Names that only it knows, and the addresses behind them. */
  readonly names?: Readonly<Record<string, string>>;
  /** What it answers instead of connecting: the status of HTTP, the reply of SOCKS. */
  readonly refuses?: { readonly http: number; readonly socks: number };
  /** Speaks inside TLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Takes connections and says nothing. */
  readonly isMute?: boolean;
}

const SOCKS_REPLY = { granted: 0, unreachable: 5 };
const SOCKS4_REPLY = { granted: 90, rejected: 91 };

/** What was asked for is to be read in several pieces. */
class Asker {
  #bytes = Buffer.alloc(0);
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  async take(length: number): Promise<Buffer> {
    while (this.#bytes.length < length) this.#bytes = Buffer.concat([this.#bytes, await this.#more()]);
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  /** Up to `end`, without it. */
  async takeUntil(end: string): Promise<Buffer> {
    while (!this.#bytes.includes(end)) this.#bytes = Buffer.concat([this.#bytes, await this.#more()]);
    const taken = await this.take(this.#bytes.indexOf(end));
    await this.take(end.length);
    return taken;
  }

  async #more(): Promise<Buffer> {
    const bytes = this.#socket.read() as Buffer | null;
    if (bytes !== null) return bytes;
    await Promise.race([
      once(this.#socket, 'readable'),
      once(this.#socket, 'close').then(() => Promise.reject(new Error('gone'))),
    ]);
    return Buffer.alloc(0);
  }
}

export class ForwardProxy {
  /** What it was asked to connect to, as `host:port`, in turn. */
  readonly asked: string[] = [];
  /** Bytes that went through it, both ways. */
  carried = 0;
  readonly #options: ForwardProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(options: ForwardProxyOptions) {
    this.#options = options;
    const serve = (socket: Socket): void => {
      this.#keep(socket);
      if (options.isMute !== true) this.#serve(socket).catch(() => socket.destroy());
    };
    this.#server = options.tls === undefined ? createServer(serve) : createTlsServer(options.tls, serve);
  }

  static async start(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
    const proxy = new ForwardProxy(options);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends every connection through it. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
  }

  async #serve(near: Socket): Promise<void> {
    const asker = new Asker(near);
    const first = await asker.take(1);
    if (first[0] === 5) await this.#socks5(asker, near);
    else if (first[0] === 4) await this.#socks4(asker, near);
    else await this.#http(first, asker, near);
  }

  async #http(first: Buffer, asker: Asker, near: Socket): Promise<void> {
    const [line = '', ...headers] =
      `${first.toString()}${(await asker.takeUntil('\r\n\r\n')).toString()}`.split('\r\n');
    const [method, authority = ''] = line.split(' ');
    const answer = (status: number): void => {
      near.end(`HTTP/1.1 ${status} No\r\nContent-Length: 5\r\n\r\nsorry`);
    };
    const { login, refuses } = this.#options;
    if (method !== 'CONNECT') {
      answer(400);
      return;
    }
    if (login !== undefined) {
      const pair = Buffer.from(`${login.user}:${login.password}`).toString('base64');
      const isKnown = headers.some(
        (header) => header.toLowerCase() === `proxy-authorization: basic ${pair}`.toLowerCase(),
      );
      if (!isKnown) {
        answer(407);
        return;
      }
    }
    this.asked.push(authority);
    if (refuses !== undefined) {
      answer(refuses.http);
      return;
    }
    const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(authority) ?? [];
    const far = await this.#reach(host, Number(port));
    if (far === undefined) {
      answer(503);
      return;
    }
    near.write('HTTP/1.1 200 Connection established\r\n\r\n');
    this.#join(near, far);
  }

  async #socks5(asker: Asker, near: Socket): Promise<void> {
    const { login, refuses } = this.#options;
    const methods = await asker.take((await asker.take(1))[0]!);
    const wanted = login === undefined ? 0 : 2;
    if (!methods.includes(wanted)) {
      near.end(Buffer.of(5, 0xff));
      return;
    }
    near.write(Buffer.of(5, wanted));
    if (login !== undefined) {
      await asker.take(1);
      const user = (await asker.take((await asker.take(1))[0]!)).toString();
      const password = (await asker.take((await asker.take(1))[0]!)).toString();
      const isKnown = user === login.user && password === login.password;
      near.write(Buffer.of(1, isKnown ? 0 : 1));
      if (!isKnown) return void near.end();
    }
    const [, , , kind] = await asker.take(4);
    const host =
      kind === 3
        ? (await asker.take((await asker.take(1))[0]!)).toString()
        : kind === 1
          ? [...(await asker.take(4))].join('.')
          : (await asker.take(16)).toString('hex').replace(/(.{4})(?!$)/g, '$1:');
    const port = (await asker.take(2)).readUInt16BE();
    const answer = (reply: number): Buffer => Buffer.of(5, reply, 0, 1, 0, 0, 0, 0, 0, 0);
    this.asked.push(`${host}:${port}`);
    const far = refuses === undefined ? await this.#reach(host, port) : undefined;
    if (far === undefined) {
      near.end(answer(refuses?.socks ?? SOCKS_REPLY.unreachable));
      return;
    }
    near.write(answer(SOCKS_REPLY.granted));
    this.#join(near, far);
  }

  async #socks4(asker: Asker, near: Socket): Promise<void> {
    const head = await asker.take(7);
    await asker.takeUntil('\0');
    const port = head.readUInt16BE(1);
    const address = [...head.subarray(3)].join('.');
    const host = address.startsWith('0.0.0.') ? (await asker.takeUntil('\0')).toString() : address;
    this.asked.push(`${host}:${port}`);
    const far = this.#options.refuses === undefined ? await this.#reach(host, port) : undefined;
    const reply = far === undefined ? SOCKS4_REPLY.rejected : SOCKS4_REPLY.granted;
    near.write(Buffer.of(0, reply, 0, 0, 0, 0, 0, 0));
    if (far === undefined) near.end();
    else this.#join(near, far);
  }

  async #reach(host: string, port: number): Promise<Socket | undefined> {
    const far = connect(port, this.#options.names?.[host] ?? host);
    this.#keep(far);
    try {
      await once(far, 'connect');
      return far;
    } catch {
      return undefined;
    }
  }

  #join(near: Socket, far: Socket): void {
    const count = (bytes: Buffer): void => {
      this.carried += bytes.length;
    };
    near
      .on('data', count)
      .pipe(far)
      .on('close', () => near.destroy());
    far
      .on('data', count)
      .pipe(near)
      .on('close', () => far.destroy());
  }
}
