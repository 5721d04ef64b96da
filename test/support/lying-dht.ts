/** A DHT in which some nodes do not do what they should. */
import { createRequire } from 'node:module';
import HyperDHT from 'hyperdht';

// Not part of hyperdht's documented interface, and without types.
const require = createRequire(createRequire(import.meta.url).resolve('hyperdht'));
const { COMMANDS } = require('./lib/constants.js') as { COMMANDS: Readonly<Record<string, number>> };
interface Codec {
  readonly lookupRawReply: unknown;
  readonly peer: unknown;
}
const messages = require('./lib/messages.js') as Codec;
const { encode } = require('compact-encoding') as {
  encode: (type: unknown, value: unknown) => Uint8Array;
};

interface Request {
  readonly command: number;
  reply(value: Uint8Array | null): void;
}

export type Answer = (request: Request) => void;

/** A node that keeps what others should keep, and tells them something else. */
class Liar extends HyperDHT {
  answer: Answer | undefined;
  lies = 0;

  onrequest(request: Request): boolean {
    const { answer } = this;
    const isAsked = ['FIND_PEER', 'LOOKUP', 'ANNOUNCE'].some((name) => COMMANDS[name] === request.command);
    if (answer === undefined || !isAsked) {
      const honest = Object.getPrototypeOf(Liar.prototype) as { onrequest(request: Request): boolean };
      return honest.onrequest.call(this, request);
    }
    this.lies += 1;
    answer(request);
    return true;
  }
}

const nobody = (): Uint8Array =>
  encode(messages.peer, {
    publicKey: HyperDHT.keyPair().publicKey,
    relayAddresses: [{ host: '127.0.0.1', port: 9 }],
  });

export const LIES: Readonly<Record<string, Answer>> = {
  'say that there is nobody': (request) => request.reply(null),
  'say nothing at all': () => undefined,
  'name peers that do not exist': (request) =>
    request.reply(
      request.command === COMMANDS['LOOKUP']
        ? encode(messages.lookupRawReply, { peers: Array.from({ length: 20 }, nobody), bump: 0 })
        : request.command === COMMANDS['FIND_PEER']
          ? nobody()
          : null,
    ),
  'answer with what is no record': (request) => request.reply(Buffer.alloc(500, 0xff)),
};

export interface LyingNodes {
  /** How often they have lied. */
  lies(): number;
  close(): Promise<void>;
}

/** Six nodes more, who take part for long enough to be known before they begin to lie. */
export async function lyingNodes(bootstrap: readonly string[], answer: Answer): Promise<LyingNodes> {
  const liars = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const liar = new Liar({ bootstrap, host: '127.0.0.1', ephemeral: false, firewalled: false });
      await liar.fullyBootstrapped();
      return liar;
    }),
  );
  for (const liar of liars) liar.answer = answer;
  return {
    lies: () => liars.reduce((sum, { lies }) => sum + lies, 0),
    close: async () => {
      await Promise.all(liars.map((liar) => liar.destroy()));
    },
  };
}
