/** The other side of a real session with the built program: it knows the code, and says whatever a test makes it say. */
import { parseCode } from '../../src/crypto/code.js';
import { hostSession } from '../../src/peer/host.js';
import { joinSession } from '../../src/peer/join.js';
import type { PairedChannel, PeerEvent, SessionChannel } from '../../src/peer/meeting.js';
import { freePort } from './direct.js';

const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

export interface Lure {
  /** The arguments with which the built program joins. */
  readonly join: readonly string[];
  /** Once it did. */
  readonly channel: Promise<SessionChannel>;
}

/** Shows a code, and is a sender to whoever joins. */
export async function lure(): Promise<Lure> {
  const port = await freePort();
  let paired: Promise<PairedChannel> | undefined;
  const code = await new Promise<string>((resolve) => {
    paired = hostSession({
      words: 2,
      bootstrap: 'off',
      lan: false,
      expireMs: HOUR_MS,
      listen: { host: '127.0.0.1', port },
      signal: never,
      onEvent: (event: PeerEvent) => {
        if (event.type === 'code') resolve(event.code);
      },
    });
  });
  return { join: [code, '--connect', `127.0.0.1:${port}`], channel: introduced(paired!, 'send') };
}

/** Joins a sender as a receiver. */
export function visit(code: string, port: number): Promise<SessionChannel> {
  const connect = { host: '127.0.0.1', port };
  const paired = joinSession({
    code: parseCode(code),
    bootstrap: 'off',
    lan: false,
    expireMs: HOUR_MS,
    connect,
    signal: never,
    onEvent: () => undefined,
  });
  return introduced(paired, 'receive');
}

async function introduced(paired: Promise<PairedChannel>, role: 'send' | 'receive'): Promise<SessionChannel> {
  const { channel } = await paired;
  await channel.send({ type: 'session', role, verify: false, limit: undefined });
  const theirs = await channel.receive();
  channel.release(theirs?.cost ?? 0);
  return channel;
}
