/** How two sides with a code find each other, as the caller of the library asks for it. */
import { parseCode } from './crypto/code.js';
import type { CodePurpose } from './crypto/pairing.js';
import type { MeetingOptions } from './options.js';
import {
  hostSession,
  hostSessions,
  joinSession,
  type PairedChannel,
  type PeerEvent,
  type Places,
  type WaysToMeet,
} from './peer/connect.js';

const EXPIRE_MS = 3_600_000;
const WORDS = 2;

/** What the options say of the ways to meet. */
export function waysToMeet(
  options: MeetingOptions,
  onEvent: (event: PeerEvent) => void,
  signal: AbortSignal,
): WaysToMeet {
  const isDirect = options.listen !== undefined || options.connect !== undefined;
  const isLocal = options.local === true;
  const usesDht = !isLocal && (!isDirect || options.alsoDht === true);
  return {
    bootstrap: usesDht ? (options.bootstrap ?? ('public' as const)) : ('off' as const),
    relays: options.relays,
    lan: isLocal || (usesDht && options.lan === true),
    ...(options.listen === undefined ? {} : { listen: options.listen }),
    ...(options.connect === undefined ? {} : { connect: options.connect }),
    proxy: options.proxy,
    lanes: options.lanes,
    lanePort: options.lanePort,
    onEvent,
    signal,
  };
}

/** How long to wait for the other side, in milliseconds. */
export function expireMsOf({ expireMs = EXPIRE_MS }: MeetingOptions): number {
  return expireMs;
}

/** Makes a code and waits, or joins with the code that there is. Throws as `hostSession` and `joinSession` do. */
export function meetByCode(
  purpose: CodePurpose,
  options: MeetingOptions,
  onEvent: (event: PeerEvent) => void,
  signal: AbortSignal,
): Promise<PairedChannel> {
  const shared = { ...waysToMeet(options, onEvent, signal), expireMs: expireMsOf(options), purpose };
  return options.code === undefined
    ? hostSession({ ...shared, words: options.words ?? WORDS })
    : joinSession({ ...shared, code: parseCode(options.code) });
}

/** Makes a code, and waits for several who know it. Resolves and throws as `hostSessions` does. */
export function hostByCode(
  purpose: CodePurpose,
  options: MeetingOptions,
  places: Places,
  onEvent: (event: PeerEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  // Whoever lets anybody come has no last one to wait for, and ends it when it is enough.
  const expireMs = places.count === Infinity ? options.expireMs : expireMsOf(options);
  const shared = { ...waysToMeet(options, onEvent, signal), expireMs, purpose };
  return hostSessions({ ...shared, words: options.words ?? WORDS }, places);
}
