/** The story of a transfer: find, trust, offer, move, verify. */
import { availableParallelism } from 'node:os';
import { meetByCode } from './code-meeting.js';
import type { CodePurpose } from './crypto/pairing.js';
import { XferError } from './errors.js';
import type { OpenedSource } from './files/source.js';
import { assertTarget } from './files/target.js';
import type { Content, MeetingOptions, ReceiveOptions, ReceiveOutcome } from './options.js';
import { withGuardedEvents } from './guarded-events.js';
import type { HashThread } from './hash-thread.js';
import { introduce } from './introduction.js';
import { loadReceiving, loadSending, matcherOf, type SendingOptions, type Session } from './moving.js';
import type { PairedChannel, PeerEvent } from './peer/connect.js';
import { isRate } from './rate.js';
import type { TransferOutcome } from './transfer/events.js';
import type { Role } from './transfer/messages.js';
import type { FileSource } from './transfer/ports.js';
import { watchChannel, type Watch } from './transfer/watch.js';

/** How long two sides that lost each other look for each other. */
const PATIENCE_MS = 600_000;

/**
 * With fewer processors a thread that hashes takes time from the peer on the same machine, from the threads that read and
 * write, or from this one: docs/decisions/0011-hash-thread.md.
 */
const PROCESSORS_FOR_A_THREAD = 3;

/** How a side comes to its peer. */
export type Meet = (onEvent: (event: PeerEvent) => void, signal: AbortSignal) => Promise<PairedChannel>;

/** What happens over a session; the peer said that this is its role. */
type Move<T> = (session: Session, peerRole: Role) => Promise<T>;

/**
 * Offers files, a text or a pipe to the person who has the code, and moves them after the yes. Resolves when the
 * receiver has verified everything and given it its place; what did not arrive is in `missing`.
 *
 * @throws XferError when nothing was sent or the transfer broke; every `ErrorCode` documented for `send`.
 */
export async function send(content: Content, options: MeetingOptions): Promise<TransferOutcome> {
  const meet = meetingOf(options);
  const source = await openContent(content);
  try {
    return await sendFrom(source, content, options, meet);
  } finally {
    source.close();
  }
}

/** Offers what a source holds to the peer that `meet` finds; as `send`. */
export function sendFrom(
  source: FileSource,
  content: SendingOptions,
  options: MeetingOptions,
  meet: Meet,
): Promise<TransferOutcome> {
  return withSession('send', options, meet, async () => {
    const sendOver = await loadSending();
    return (session) => sendOver(session, source, content);
  });
}

/**
 * Takes what the other person offers, after `decide` said yes. Resolves when every byte was verified and is in place; what did
 * not arrive is in `missing`.
 *
 * @param meet How this side comes to its peer; as the options say if not given.
 * @throws XferError when the offer was declined or the transfer broke. No file of it then has its final name.
 */
export async function receive(
  options: ReceiveOptions,
  meet: Meet = meetingOf(options),
): Promise<ReceiveOutcome> {
  if (options.out !== undefined && options.output === undefined) assertTarget(options.out);
  if (options.only !== undefined) await matcherOf(options.only);
  return withSession('receive', options, meet, async () => {
    const receiveOver = await loadReceiving();
    return (session) => receiveOver(session, options);
  });
}

/** Throws what sending it would throw before anybody is met. */
export async function openContent(content: Content): Promise<OpenedSource> {
  if (content.kind === 'files') {
    const { openSource } = await import('./files/source.js');
    return openSource(content);
  }
  const { pipeSource, textSource } = await import('./files/content.js');
  return content.kind === 'text' ? textSource(content.text) : pipeSource(content.input);
}

/** By a code, or by the name of a device. */
export function meetingOf(options: MeetingOptions, purpose: CodePurpose = 'transfer'): Meet {
  const { device } = options;
  if (device === undefined) {
    return (onEvent, signal) => meetByCode(purpose, options, onEvent, signal);
  }
  return async (onEvent, signal) => {
    const { meetDevice } = await import('./device-meeting.js');
    return meetDevice(device, options, onEvent, signal);
  };
}

/**
 * Runs what `prepare` gives over a session with the peer that `meet` finds. Throws what either throws, and the errors of the
 * introduction.
 */
export function withSession<T>(
  role: Role,
  options: MeetingOptions,
  meet: Meet,
  prepare: () => Promise<Move<T>>,
): Promise<T> {
  return withGuardedEvents(options, (onEvent, signal) =>
    runSession(role, { ...options, onEvent, signal }, meet, prepare),
  );
}

/** `prepare` loads what will move the content, while the two sides look for each other. */
async function runSession<T>(
  role: Role,
  options: MeetingOptions & Required<Pick<MeetingOptions, 'onEvent' | 'signal'>>,
  meet: Meet,
  prepare: () => Promise<Move<T>>,
): Promise<T> {
  const { onEvent, signal } = options;
  if (options.limit !== undefined && !isRate(options.limit)) {
    throw new XferError('usage', { subject: `a limit of ${options.limit} bytes per second` });
  }
  let watch: Watch | undefined;
  const onPeerEvent = (event: PeerEvent): void => {
    if (event.type === 'reconnecting') watch?.leave();
    if (event.type === 'reconnected') watch?.comeBack();
    onEvent(event);
  };
  const meeting = meet(onPeerEvent, signal);
  const prepared = prepare();
  // Where there is no session, that it could not have moved anything is no news.
  prepared.catch(() => undefined);
  const paired = await meeting;
  let thread: HashThread | undefined;
  let reunion: Awaited<ReturnType<PairedChannel['keepTogether']>> | undefined;
  const ending = paired.ended === undefined ? signal : AbortSignal.any([signal, paired.ended]);
  // What ends it is told to the peer, which may close the connection then.
  const giveUp = (): void => paired.channel.giveUp?.();
  ending.addEventListener('abort', giveUp, { once: true });
  try {
    thread = await hashThread();
    const peerRole = await introduce(paired, role, options, ending);
    // Of the first key: a session that is met again has others.
    const ownerBinding = paired.sessionKey.forOwner();
    const { path, address } = paired;
    onEvent({ type: 'connected', path, address, device: options.device?.name });
    const seesToLanes = role === 'send' || role === 'use' || (role === 'chat' && paired.side === 'joiner');
    paired.openLanes(seesToLanes, onPeerEvent);
    reunion = await paired.keepTogether(seesToLanes, options.patienceMs ?? PATIENCE_MS, onPeerEvent);
    // Not before: people may compare words for as long as they like.
    watch = watchChannel(paired.channel, onEvent);
    const move = await prepared;
    const { channel } = watch;
    return await move({ channel, watch, signal: ending, onEvent, hasher: thread, ownerBinding }, peerRole);
  } finally {
    // Node keeps a signal of `AbortSignal.any` for as long as somebody listens to it, and with it all of this session.
    ending.removeEventListener('abort', giveUp);
    watch?.stop();
    await thread?.close();
    paired.sessionKey.erase();
    paired.channel.destroy();
    reunion?.close();
    paired.release?.();
    await Promise.all([paired.closed, reunion?.closed()]);
  }
}

async function hashThread(): Promise<HashThread | undefined> {
  if (availableParallelism() < PROCESSORS_FOR_A_THREAD) return undefined;
  const { HashThread } = await import('./hash-thread.js');
  return new HashThread();
}
