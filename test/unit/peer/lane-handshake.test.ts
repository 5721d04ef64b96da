import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import type { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { SessionKey } from '../../../src/crypto/key-schedule.js';
import { Secret } from '../../../src/crypto/secret.js';
import { acceptLane, dialLane } from '../../../src/peer/lane-handshake.js';
import type { Lane } from '../../../src/peer/lane.js';

const HELLO = Buffer.from('xfer\x01\x02', 'latin1');
const key = new SessionKey(new Secret(randomBytes(64)));

/** Ends of a line in memory, which do all that the handshake asks of a socket. */
function sockets(): [Socket, Socket] {
  const ends = duplexPair();
  for (const end of ends) end.on('error', () => undefined);
  return ends as unknown as [Socket, Socket];
}

/** The next bytes on a line. */
function next(socket: Socket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const read = (): void => {
      const bytes = socket.read(length) as Buffer | null;
      if (bytes !== null) {
        socket.off('readable', read);
        resolve(bytes);
      }
    };
    socket.on('readable', read).on('end', () => reject(new Error('end')));
    read();
  });
}

/** As a listener does behind the hello. */
async function accept(socket: Socket, number = 0, to = key): Promise<Lane> {
  expect(await next(socket, HELLO.length)).toEqual(HELLO);
  const { id, psk } = to.laneKeys(0, number, 'host');
  return acceptLane(socket, (wanted) => (Buffer.from(id).equals(wanted) ? psk : undefined));
}

const codeOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'no error',
    (error: unknown) => (error as { code?: unknown }).code,
  );

/** Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b as the Noise specification (revision 34) has it, written on its own. */
class Reference {
  #ck: Uint8Array;
  #h: Buffer;
  #k: Uint8Array = Buffer.alloc(32);
  readonly #own = generateKeyPairSync('x25519');
  #peer: KeyObject | undefined;

  constructor(prologue: Uint8Array, psk: Uint8Array) {
    this.#h = Buffer.alloc(64);
    this.#h.write('Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b');
    this.#ck = this.#h;
    this.#mixHash(prologue);
    const [ck, tempH, tempK] = this.#hkdf(psk);
    this.#ck = ck!;
    this.#mixHash(tempH!);
    this.#k = tempK!.subarray(0, 32);
  }

  get hash(): Buffer {
    return this.#h;
  }

  write(mixes: boolean): Buffer {
    const e = this.#own.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
    this.#takeKey(e);
    if (mixes) this.#mixDh();
    const cipher = createCipheriv('chacha20-poly1305', this.#k, Buffer.alloc(12), { authTagLength: 16 });
    cipher.setAAD(this.#h, { plaintextLength: 0 });
    cipher.final();
    const tag = cipher.getAuthTag();
    this.#mixHash(tag);
    return Buffer.concat([e, tag]);
  }

  read(message: Buffer, mixes: boolean): void {
    const e = message.subarray(0, 32);
    this.#takeKey(e);
    const spki = Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), e]);
    this.#peer = createPublicKey({ key: spki, type: 'spki', format: 'der' });
    if (mixes) this.#mixDh();
    const opening = createDecipheriv('chacha20-poly1305', this.#k, Buffer.alloc(12), { authTagLength: 16 });
    opening.setAAD(this.#h, { plaintextLength: 0 });
    opening.setAuthTag(message.subarray(32));
    opening.final();
    this.#mixHash(message.subarray(32));
  }

  #takeKey(e: Uint8Array): void {
    this.#mixHash(e);
    this.#mixKey(e);
  }

  #mixDh(): void {
    this.#mixKey(diffieHellman({ privateKey: this.#own.privateKey, publicKey: this.#peer! }));
  }

  #mixKey(input: Uint8Array): void {
    const [ck, k] = this.#hkdf(input);
    this.#ck = ck!;
    this.#k = k!.subarray(0, 32);
  }

  #mixHash(data: Uint8Array): void {
    this.#h = createHash('blake2b512').update(this.#h).update(data).digest();
  }

  #hkdf(input: Uint8Array): Buffer[] {
    const mac = (secret: Uint8Array, data: Uint8Array): Buffer =>
      createHmac('blake2b512', secret).update(data).digest();
    const temp = mac(this.#ck, input);
    const one = mac(temp, Uint8Array.of(1));
    const two = mac(temp, Buffer.concat([one, Uint8Array.of(2)]));
    return [one, two, mac(temp, Buffer.concat([two, Uint8Array.of(3)]))];
  }
}

describe('the handshake of a lane', () => {
  test('gives both ends one hash of their own, and leaves what follows it', async () => {
    const hashes = new Set<string>();
    for (let number = 0; number < 3; number++) {
      const [near, far] = sockets();
      const accepting = accept(far, number);
      const dialled = await dialLane(near, key.laneKeys(0, number, 'host'));
      const accepted = await accepting;
      expect(dialled.handshakeHash).toEqual(accepted.handshakeHash);
      expect(dialled.handshakeHash).toHaveLength(64);
      expect([dialled.isDialler, accepted.isDialler]).toEqual([true, false]);
      hashes.add(Buffer.from(dialled.handshakeHash).toString('hex'));
      near.write('first');
      far.resume();
      const data = await new Promise<Buffer>((resolve) => far.once('data', resolve));
      expect(data.toString()).toBe('first');
    }
    expect(hashes.size).toBe(3);
  });

  test('speaks as the Noise specification says, whoever dials', async () => {
    const [near, far] = sockets();
    const { id, psk } = key.laneKeys(0, 7, 'joiner');
    const prologue = Buffer.concat([HELLO, id]);
    const responder = new Reference(prologue, psk.expose());
    const dialling = dialLane(near, { id, psk });
    expect(await next(far, HELLO.length + 16)).toEqual(prologue);
    responder.read(await next(far, 48), false);
    far.write(responder.write(true));
    expect(Buffer.from((await dialling).handshakeHash)).toEqual(responder.hash);

    const [dialler, listener] = sockets();
    const keys = key.laneKeys(0, 8, 'host');
    const initiator = new Reference(Buffer.concat([HELLO, keys.id]), keys.psk.expose());
    const accepting = accept(listener, 8);
    dialler.write(Buffer.concat([HELLO, keys.id, initiator.write(false)]));
    initiator.read(await next(dialler, 48), true);
    expect(Buffer.from((await accepting).handshakeHash)).toEqual(initiator.hash);
  });

  test('a stranger with the right id and the wrong key hears nothing', async () => {
    const [near, far] = sockets();
    const accepting = codeOf(accept(far));
    const { id } = key.laneKeys(0, 0, 'host');
    const dialling = codeOf(dialLane(near, { id, psk: new Secret(randomBytes(32)) }));
    expect(await accepting).toBe('integrity');
    far.destroy();
    expect(near.read()).toBe(null);
    near.destroy();
    expect(await dialling).toBe('peer-gone');
  });

  test('an id of nobody, of another number or of the other side is none', async () => {
    for (const { id, psk } of [
      { id: randomBytes(16), psk: new Secret(randomBytes(32)) },
      key.laneKeys(0, 1, 'host'),
      key.laneKeys(0, 0, 'joiner'),
      key.laneKeys(1, 0, 'host'),
    ]) {
      const [near, far] = sockets();
      const accepting = codeOf(accept(far));
      void codeOf(dialLane(near, { id, psk }));
      expect(await accepting).toBe('protocol');
      near.destroy();
    }
  });

  test('a bit that changes on the way ends it, wherever it is', async () => {
    for (const place of [6, 21, 22, 53, 54, 69]) {
      const [near, middle] = sockets();
      const [left, far] = sockets();
      const accepting = codeOf(accept(far));
      void codeOf(dialLane(near, key.laneKeys(0, 0, 'host')));
      const bytes = await next(middle, 70);
      bytes[place]! ^= 1;
      left.write(bytes);
      expect(await accepting).toBe(place < 22 ? 'protocol' : 'integrity');
      near.destroy();
    }
    for (const place of [0, 31, 32, 47]) {
      const [near, middle] = sockets();
      const [left, far] = sockets();
      void accept(far).catch(() => undefined);
      const dialling = codeOf(dialLane(near, key.laneKeys(0, 0, 'host')));
      left.write(await next(middle, 70));
      const reply = await next(left, 48);
      reply[place]! ^= 1;
      middle.write(reply);
      expect(await dialling).toBe('integrity');
    }
  });

  test('a key is erased when it was used, and must be whole', async () => {
    const [near] = sockets();
    const keys = key.laneKeys(0, 0, 'host');
    const dialling = codeOf(dialLane(near, keys));
    expect(() => keys.psk.expose()).toThrow();
    near.destroy();
    expect(await dialling).toBe('peer-gone');
    const short = { id: keys.id, psk: new Secret(randomBytes(31)) };
    expect(await codeOf(dialLane(sockets()[0], short))).toBe('internal');
  });

  test('one byte at a time is as good, and an end in the middle is the end', async () => {
    const [near, middle] = sockets();
    const [left, far] = sockets();
    const accepting = accept(far);
    void codeOf(dialLane(near, key.laneKeys(0, 0, 'host')));
    for (const byte of await next(middle, 70)) left.write(Uint8Array.of(byte));
    expect((await accepting).handshakeHash).toHaveLength(64);

    const [cut, listener] = sockets();
    const ended = codeOf(accept(listener));
    cut.write(Buffer.concat([HELLO, randomBytes(40)]));
    cut.end();
    expect(await ended).toBe('peer-gone');
  });
});
