/** Peers that speak the real pairing with one thing wrong. */
import type { Side } from '../../src/crypto/key-schedule.js';
import {
  HostPairing,
  JoinerPairing,
  type Confirmation,
  type PairingContext,
  type Share,
} from '../../src/crypto/pairing.js';
import type { Secret } from '../../src/crypto/secret.js';
import type { Connection } from '../../src/peer/connection.js';
import {
  decodeConfirm,
  decodeReply,
  decodeStart,
  encodeAccept,
  encodeConfirm,
  encodeReply,
  encodeStart,
  encodeTerms,
  termsOf,
  type Terms,
} from '../../src/peer/pairing-messages.js';

const TERMS = termsOf({ aes: true, zstd: false });
/** The neutral element of ristretto255. */
export const IDENTITY = new Uint8Array(32);

/** A joiner that knows the password (or not) and does one thing wrong; resolves when the host hung up or went on. */
export type HostileJoiner = (connection: Connection, password: Secret) => Promise<void>;

/** What a joiner may do instead of sending a wrong tag: none of it is a guess. */
export const HARMLESS_JOINERS: Readonly<Record<string, HostileJoiner>> = {
  'hangs up before a word': async (connection) => {
    connection.destroy();
    return Promise.resolve();
  },
  'hangs up after start': async (connection, password) => {
    await connection.send([encodeStart(joiner(connection, password).start)]);
    connection.destroy();
  },
  'hangs up after reply': async (connection, password) => {
    await connection.send([encodeStart(joiner(connection, password).start)]);
    await connection.receive();
    connection.destroy();
  },
  'sends the neutral point': (connection, password) =>
    startWith(connection, { ...joiner(connection, password).start, point: IDENTITY }),
  'sends a point that does not decode': (connection, password) =>
    startWith(connection, { ...joiner(connection, password).start, point: new Uint8Array(32).fill(0xff) }),
  'sends a point that is too short': async (connection, password) => {
    const start = encodeStart(joiner(connection, password).start);
    await say(connection, start.subarray(0, start.length - 1));
  },
  'sends start twice': async (connection, password) => {
    const start = encodeStart(joiner(connection, password).start);
    await connection.send([start]);
    await say(connection, start);
  },
  'confirms first': (connection) =>
    say(connection, encodeConfirm({ tag: new Uint8Array(64), kemPublicKey: new Uint8Array(1216) })),
  'sends a record before its proof': (connection) => say(connection, Buffer.alloc(40)),
  'plays the host': (connection, password) =>
    startWith(connection, joiner(connection, password, 'host').start),
  'speaks only version 0': (connection, password) =>
    startWith(connection, joiner(connection, password, 'joiner', { ...TERMS, versions: [0] }).start),
  'says more than 8 KiB': (connection) => say(connection, Buffer.alloc(9_000)),
  'knows the code and has a key that is none': (connection, password) =>
    confirmWith(connection, password, { kemPublicKey: new Uint8Array(1216).fill(0xff) }),
};

/** Sends a wrong tag, which is a guess. */
export function guessWrong(connection: Connection, password: Secret): Promise<void> {
  return confirmWith(connection, password, { tag: new Uint8Array(64) });
}

async function confirmWith(
  connection: Connection,
  password: Secret,
  wrong: Partial<Confirmation>,
): Promise<void> {
  const pairing = joiner(connection, password);
  await connection.send([encodeStart(pairing.start)]);
  const reply = await connection.receive();
  if (reply === undefined) return;
  await say(connection, encodeConfirm({ ...pairing.confirm(decodeReply(reply)), ...wrong }));
}

export type HostileHost = (connection: Connection, password: Secret) => Promise<void>;

/** Hosts that get no proof of the joiner, or get it and give none. */
export const HOSTILE_HOSTS: Readonly<
  Record<string, { readonly host: HostileHost; readonly isGuess: boolean }>
> = {
  'reflects the joiner': {
    isGuess: false,
    host: async (connection) => {
      const start = decodeStart(await next(connection));
      const ad = encodeTerms('host', TERMS);
      await say(connection, encodeReply({ ad, point: start.point }));
    },
  },
  'echoes the joiner': {
    isGuess: false,
    host: async (connection) => {
      const start = decodeStart(await next(connection));
      await say(connection, encodeReply(start));
    },
  },
  'replies with the neutral point': {
    isGuess: false,
    host: async (connection) => {
      await next(connection);
      await say(connection, encodeReply({ ad: encodeTerms('host', TERMS), point: IDENTITY }));
    },
  },
  'speaks only version 0': {
    isGuess: false,
    host: (connection, password) => replyAs(connection, password, { ...TERMS, versions: [0] }),
  },
  'accepts before it was asked': {
    isGuess: false,
    host: async (connection) => {
      await next(connection);
      await say(connection, encodeAccept({ tag: new Uint8Array(64), kemCiphertext: new Uint8Array(1120) }));
    },
  },
  'gives a wrong tag': {
    isGuess: true,
    host: async (connection, password) => {
      const { pairing, confirm } = await upToConfirm(connection, password);
      pairing.verify(decodeConfirm(confirm));
      const { kemCiphertext } = pairing.accept();
      await say(connection, encodeAccept({ tag: new Uint8Array(64), kemCiphertext }));
    },
  },
  'gives the joiner its own tag': {
    isGuess: true,
    host: async (connection, password) => {
      const { confirm } = await upToConfirm(connection, password);
      const { tag } = decodeConfirm(confirm);
      await say(connection, encodeAccept({ tag, kemCiphertext: new Uint8Array(1120) }));
    },
  },
  'takes the proof and hangs up': {
    isGuess: true,
    host: async (connection, password) => {
      await upToConfirm(connection, password);
      connection.destroy();
    },
  },
};

export function joiner(
  connection: Connection,
  password: Secret,
  side: Side = 'joiner',
  terms: Terms = TERMS,
): JoinerPairing {
  return new JoinerPairing(contextOf(connection, password, 'joiner'), encodeTerms(side, terms));
}

export function contextOf(connection: Connection, password: Secret, side: Side): PairingContext {
  const { handshakeHash, publicKey, remotePublicKey } = connection;
  return side === 'joiner'
    ? { password, handshakeHash, joinerKey: publicKey, hostKey: remotePublicKey }
    : { password, handshakeHash, joinerKey: remotePublicKey, hostKey: publicKey };
}

async function upToConfirm(
  connection: Connection,
  password: Secret,
): Promise<{ readonly pairing: HostPairing; readonly confirm: Uint8Array }> {
  const pairing = new HostPairing(contextOf(connection, password, 'host'), encodeTerms('host', TERMS));
  await connection.send([encodeReply(pairing.reply(decodeStart(await next(connection))))]);
  return { pairing, confirm: await next(connection) };
}

async function replyAs(connection: Connection, password: Secret, terms: Terms): Promise<void> {
  const pairing = new HostPairing(contextOf(connection, password, 'host'), encodeTerms('host', terms));
  await say(connection, encodeReply(pairing.reply(decodeStart(await next(connection)))));
}

function startWith(connection: Connection, share: Share): Promise<void> {
  return say(connection, encodeStart(share));
}

/** Says something and waits for the other side to hang up. */
async function say(connection: Connection, message: Uint8Array): Promise<void> {
  try {
    await connection.send([message]);
    while ((await connection.receive()) !== undefined);
  } catch {
    // It hung up at once.
  }
  connection.destroy();
}

async function next(connection: Connection): Promise<Uint8Array> {
  const message = await connection.receive();
  if (message === undefined) throw new Error('the honest side hung up');
  return message;
}
