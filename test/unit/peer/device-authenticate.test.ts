import { beforeAll, describe, expect, test } from 'vitest';
import { DeviceJoiner, type KnownDevice } from '../../../src/crypto/device.js';
import { Secret } from '../../../src/crypto/secret.js';
import { loadPairingSodium } from '../../../src/crypto/sodium.js';
import { generateKeyPair, type KeyPair } from '../../../src/crypto/x25519.js';
import { authenticateAsHost } from '../../../src/peer/authenticate.js';
import type { Connection } from '../../../src/peer/connection.js';
import { authenticateToDevice, recognizeDevice } from '../../../src/peer/device-authenticate.js';
import {
  decodeDeviceMessage,
  encodeDeviceMessage,
  encodeStart,
  encodeTerms,
  termsOf,
} from '../../../src/peer/pairing-messages.js';
import { connectionPair, forward, recordOf } from '../../support/connections.js';
import { joiner } from '../../support/hostile-peer.js';

beforeAll(loadPairingSodium);

const [laptop, pi, stranger] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
const TERMS = termsOf({ aes: true, zstd: false });
const secret = (byte = 7): Secret => new Secret(Buffer.alloc(32, byte));

interface Named extends KnownDevice {
  readonly name: string;
}

const knownPi: KnownDevice = { publicKey: pi.publicKey, secret: secret() };
const remembered =
  (...devices: readonly Named[]): (() => Promise<readonly Named[]>) =>
  () =>
    Promise.resolve(devices);
const knownLaptop: Named = { publicKey: laptop.publicKey, secret: secret(), name: 'laptop' };

/** What becomes of one side; the connection is closed where it throws, as its callers do. */
function outcome(side: Promise<unknown>, connection: Connection): Promise<string> {
  return side.then(
    () => 'recognised',
    (error: unknown) => {
      connection.destroy();
      return String((error as { code?: unknown }).code);
    },
  );
}

const look = (connection: Connection, own = laptop, device = knownPi): Promise<string> =>
  outcome(authenticateToDevice(connection, own, device), connection);
const wait = (connection: Connection, devices = remembered(knownLaptop), own = pi): Promise<string> =>
  outcome(recognizeDevice(connection, own, devices), connection);

describe('two devices on one connection', () => {
  test('recognise each other, and have a channel', async () => {
    const [a, b] = await connectionPair();
    const [joined, hosted] = await Promise.all([
      authenticateToDevice(a, laptop, knownPi),
      recognizeDevice(b, pi, remembered(knownLaptop)),
    ]);
    expect(hosted.device.name).toBe('laptop');
    expect(joined.sessionKey.verifier()).toEqual(hosted.sessionKey.verifier());
    await joined.channel.send({ type: 'chosen' });
    expect(await hosted.channel.receive()).toMatchObject({ item: { type: 'chosen' } });
    a.destroy();
  });

  test('row 76: a device is looked up when its proof is there, and not before', async () => {
    const [a, b] = await connectionPair();
    let devices: readonly Named[] = [knownLaptop];
    const hosting = outcome(
      recognizeDevice(b, pi, () => Promise.resolve(devices)),
      b,
    );
    const send = a.send.bind(a);
    a.send = (pieces) => {
      // Removed while the handshake is under way.
      if (pieces[0]?.[0] === 7) devices = [];
      return send(pieces);
    };
    expect(await Promise.all([look(a), hosting])).toEqual(['device-refused', 'device-refused']);
  });

  test.each<
    [
      string,
      Parameters<typeof look>[1] | undefined,
      KnownDevice | undefined,
      Parameters<typeof wait>[1],
      KeyPair | undefined,
    ]
  >([
    ['who is not remembered', stranger, undefined, undefined, undefined],
    [
      'who is remembered with another secret',
      undefined,
      { ...knownPi, secret: secret(8) },
      undefined,
      undefined,
    ],
    ['another machine in the place of the one that is meant', undefined, undefined, undefined, stranger],
    ['everybody, where nobody is remembered', undefined, undefined, remembered(), undefined],
  ])('row 75: refuse %s, both without a word', async (_, own, device, devices, answering) => {
    let said = 0;
    // The second end is the one that is listened to: it is the host's.
    const [b, a] = await connectionPair((bytes) => {
      said += bytes.length;
      return bytes;
    });
    expect(await Promise.all([look(a, own, device), wait(b, devices, answering)])).toEqual([
      'device-refused',
      'device-refused',
    ]);
    // Noise, its header and one answer: nothing about devices, and no proof.
    expect(said).toBeLessThan(350);
  });

  test('row 75: a man in the middle, who has a connection to each, gets neither to say more than it says to a stranger', async () => {
    const [[near, middleNear], [middleFar, far]] = await Promise.all([connectionPair(), connectionPair()]);
    const seen: number[] = [];
    const hangUp = (): void => {
      middleNear.destroy();
      middleFar.destroy();
    };
    void forward(middleNear, middleFar, seen).then(hangUp);
    void forward(middleFar, middleNear, seen).then(hangUp);
    const outcomes = Promise.all([look(near), wait(far)]);
    expect(await outcomes).toEqual(['device-refused', 'device-refused']);
    expect(seen).toEqual([5]);
  });

  test('row 75: what was said on one connection is worth nothing on another', async () => {
    const [a, b] = await connectionPair();
    const recorded = recordOf(a);
    expect(await Promise.all([look(a), wait(b)])).toEqual(['recognised', 'recognised']);
    a.destroy();
    const [c, d] = await connectionPair();
    const run = wait(d);
    await c.send([recorded[0]!]);
    expect(await run).toBe('device-refused');
  });
});

describe('who does not keep to the order', () => {
  const run = (connection: Connection): DeviceJoiner => {
    const { handshakeHash, publicKey, remotePublicKey } = connection;
    const context = { own: laptop, handshakeHash, joinerKey: publicKey, hostKey: remotePublicKey };
    return new DeviceJoiner(context, knownPi);
  };
  const start = (device: DeviceJoiner, ad = encodeTerms('joiner', TERMS)): Uint8Array =>
    encodeDeviceMessage('start', device.start(ad));

  test.each<[string, string, (connection: Connection) => Promise<unknown>]>([
    ['hangs up at once', 'peer-gone', (a) => Promise.resolve().then(() => a.destroy())],
    ['pairs with a code', 'protocol', (a) => a.send([encodeStart(joiner(a, secret()).start)])],
    ['sends nothing in its start', 'protocol', (a) => a.send([encodeDeviceMessage('start', Buffer.of())])],
    [
      'proves before it starts',
      'protocol',
      (a) => a.send([encodeDeviceMessage('confirm', Buffer.alloc(1280))]),
    ],
    ['plays the host', 'protocol', (a) => a.send([start(run(a), encodeTerms('host', TERMS))])],
    [
      'starts twice',
      'protocol',
      async (a) => {
        const device = run(a);
        const message = start(device);
        await a.send([message]);
        await a.send([message]);
      },
    ],
    [
      'speaks no version that this side knows',
      'version-unsupported',
      (a) => a.send([start(run(a), encodeTerms('joiner', { ...TERMS, versions: [0] }))]),
    ],
    [
      'sends an X-Wing key that is none',
      'device-refused',
      async (a) => {
        const device = run(a);
        await a.send([start(device)]);
        device.readReply(decodeDeviceMessage('reply', (await a.receive())!));
        await a.send([encodeDeviceMessage('confirm', device.confirm().subarray(0, 64))]);
      },
    ],
    ['says more than a stranger may', 'limit', (a) => a.send([Buffer.alloc(9_000)])],
  ])('row 75: a joiner that %s is dropped', async (_, code, hostile) => {
    const [a, b] = await connectionPair();
    const run = wait(b);
    await hostile(a).catch(() => undefined);
    expect(await run).toBe(code);
  });

  test('row 75: a host that speaks the protocol of codes, or nothing, is not the device', async () => {
    const [a, b] = await connectionPair();
    const guess = { spend: () => undefined, giveBack: () => undefined };
    const host = outcome(
      authenticateAsHost(b, { password: secret() }, () => Promise.resolve(guess)),
      b,
    );
    expect(await look(a)).toBe('device-refused');
    expect(await host).toBe('protocol');
    const [c, d] = await connectionPair();
    const run = look(c);
    await d.receive();
    d.destroy();
    expect(await run).toBe('device-refused');
  });
});
