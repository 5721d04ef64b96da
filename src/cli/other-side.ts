/** What the other person has to type. Pure. */
import type { Endpoint } from '../index.js';

export interface Meeting {
  /** What this side does. */
  readonly role: 'send' | 'receive' | 'pair' | 'chat';
  /** It has a code already, so that nobody needs a command from it. */
  readonly joins: boolean;
  readonly listen?: Endpoint;
  readonly connect?: Endpoint;
  readonly alsoDht?: boolean;
  /** What the device is called that is met in place of somebody with a code. */
  readonly device?: string;
  /** What is looked for at the device, where it is more than somebody who takes or says something. */
  readonly seeks?: 'share';
  /** The code is for several, one of whom this is. */
  readonly several?: boolean;
  /** The session with the other side lasts already. */
  readonly isThere?: boolean;
  /** The local network is asked too. */
  readonly lan?: boolean;
}

/** The command lines for the other side, best first; one per address where this side listens. */
export function otherSideCommands(
  code: string,
  { role, listen, connect, alsoDht }: Meeting,
  addresses: readonly string[],
): string[] {
  const command = { send: 'xfer receive', receive: 'xfer send --code', pair: 'xfer pair', chat: 'xfer chat' }[
    role
  ];
  const paths = role === 'receive' ? ' PATHS' : '';
  const flags = [
    ...(listen === undefined ? [] : addresses.map((address) => ` --connect ${address}`)),
    ...(connect === undefined ? [] : [` --listen ${connect.port}`]),
  ];
  const viaDht = (listen === undefined && connect === undefined) || alsoDht === true;
  return [...flags, ...(viaDht ? [''] : [])].map((flag) => `${command} ${code}${flag}${paths}`);
}

/** What the device that is looked for has to run. */
export function deviceCommands({ role, seeks }: Meeting): string {
  if (seeks === 'share') return 'xfer serve';
  return role === 'chat' ? 'xfer chat --wait or xfer serve' : 'xfer receive --wait or xfer serve';
}

/** A word as a POSIX shell takes it for itself. */
export function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
