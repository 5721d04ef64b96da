/** The story of a transfer: find, trust, offer, move, verify. */
import { parseCode } from './crypto/code.js';
import { availableParallelism } from 'node:os';
import { XferError, toXferError, type ErrorCode } from './errors.js';
import type { PathMatcher } from './files/filter.js';
import type { OpenedSource } from './files/source.js';
import { assertTarget, entersHome } from './files/target.js';
import type { Content, MeetingOptions, ReceiveOptions, ReceiveOutcome, XferEvent } from './options.js';
import type { HashThread } from './hash-thread.js';
import { hostSession, joinSession, type PairedChannel, type PeerEvent } from './peer/connect.js';
import { agreedRate, isRate } from './rate.js';
import { atLast, sayLast } from './transfer/conduct.js';
import type { TransferOutcome } from './transfer/events.js';
import { peerError } from './transfer/inbox.js';
import type { ControlMessage } from './transfer/messages.js';
import type { Channel, LeafHasher } from './transfer/ports.js';
import { watchChannel, type Watch } from './transfer/watch.js';

const EXPIRE_MS = 3_600_000;
/** How long two sides that lost each other look for each other. */
const PATIENCE_MS = 600_000;
/** Within this long after the pairing both sides have said what they are about to do. */
const INTRODUCTION_MS = 10_000;

/**
 * With fewer processors a thread that hashes takes time from the peer on the same machine, from the threads that read and
 * write, or from this one: docs/decisions/0011-hash-thread.md.
 */
const PROCESSORS_FOR_A_THREAD = 3;

type Role = 'send' | 'receive';

/** What `move` gets of a session that both sides agreed on. */
interface Session {
  readonly channel: Channel;
  readonly watch: Watch;
  readonly signal: AbortSignal;
  readonly onEvent: (event: XferEvent) => void;
  /** Where this machine has a processor for it. */
  readonly hasher: LeafHasher | undefined;
}

/**
 * Offers files, a text or a pipe to the person who has the code, and moves them after the yes. Resolves when the
 * receiver has verified everything and given it its place; what did not arrive is in `missing`.
 *
 * @throws XferError when nothing was sent or the transfer broke; every `ErrorCode` documented for `send`.
 */
export async function send(content: Content, options: MeetingOptions): Promise<TransferOutcome> {
  const source = await openContent(content);
  try {
    return await withSession('send', options, async () => {
      const { sendFiles } = await import('./transfer/sender.js');
      return ({ channel, watch, signal, onEvent, hasher }) =>
        sendFiles(channel, source, {
          hasher,
          kind: content.kind,
          ...(content.compress === undefined ? {} : { compress: content.compress }),
          signal,
          onEvent: (event) => {
            // The other person may think for as long as it takes.
            if (event.type === 'peer-state') watch[event.state === 'asking' ? 'pause' : 'resume']();
            noteOffer(event, watch);
            onEvent(event);
          },
        });
    });
  } finally {
    source.close();
  }
}

/**
 * Takes what the other person offers, after `decide` said yes. Resolves when every byte was verified and is in place; what did
 * not arrive is in `missing`.
 *
 * @throws XferError when the offer was declined or the transfer broke. No file of it then has its final name.
 */
export async function receive(options: ReceiveOptions): Promise<ReceiveOutcome> {
  const paths: string[] = [];
  let isDisk = false;
  let intoHome = false;
  if (options.out !== undefined && options.output === undefined) assertTarget(options.out);
  const wants = options.only === undefined ? undefined : await matcherOf(options.only);
  return withSession('receive', options, async () => {
    const [{ receiveFiles }, { openSink }, { streamSink, textSink }] = await Promise.all([
      import('./transfer/receiver.js'),
      import('./files/sink.js'),
      import('./files/content.js'),
    ]);
    const text = textSink();
    return async ({ channel, watch, signal, onEvent, hasher }) => {
      const outcome = await receiveFiles(
        channel,
        (offer) => {
          if (options.output !== undefined) return streamSink(options.output, offer);
          if (offer.kind === 'text') return text;
          isDisk = true;
          intoHome = entersHome(options.out, offer.roots);
          const { out, noExec = false, sync = true, register } = options;
          return openSink(offer, { out, noExec, sync, register });
        },
        {
          ...(wants === undefined ? {} : { wants }),
          early: options.early ?? false,
          hasher,
          intoHome: () => intoHome,
          signal,
          decide: async (offer, offerWatch) => {
            watch.pause();
            try {
              return await options.decide(offer, offerWatch);
            } finally {
              watch.resume();
            }
          },
          onEvent: (event) => {
            if (event.type === 'file-received' && isDisk) paths.push(event.path);
            noteOffer(event, watch);
            onEvent(event);
          },
        },
      );
      return { ...outcome, paths, text: text.text() };
    };
  });
}

/** A pipe may give nothing for hours: silence is no stall then. */
function noteOffer(event: XferEvent, watch: Watch): void {
  if (event.type === 'offer' && event.kind === 'pipe') watch.stop();
}

async function openContent(content: Content): Promise<OpenedSource> {
  if (content.kind === 'files') {
    const { openSource } = await import('./files/source.js');
    return openSource(content);
  }
  const { pipeSource, textSource } = await import('./files/content.js');
  return content.kind === 'text' ? textSource(content.text) : pipeSource(content.input);
}

async function matcherOf(globs: readonly string[]): Promise<PathMatcher> {
  const { pathMatcher } = await import('./files/filter.js');
  return pathMatcher(globs);
}

/**
 * Runs one session. A listener that throws ends it, whoever called: thrown into a socket or a timer the same would end
 * the process, or nothing but a lane.
 */
async function withSession<T>(
  role: Role,
  options: MeetingOptions,
  prepare: () => Promise<(session: Session) => Promise<T>>,
): Promise<T> {
  const broken = new AbortController();
  const signals = [broken.signal, ...(options.signal === undefined ? [] : [options.signal])];
  const onEvent = (event: XferEvent): void => {
    try {
      options.onEvent?.(event);
    } catch (error) {
      broken.abort(toXferError(error));
    }
  };
  try {
    return await runSession(role, { ...options, onEvent, signal: AbortSignal.any(signals) }, prepare);
  } finally {
    broken.signal.throwIfAborted();
  }
}

/** `prepare` loads what will move the content, while the two sides look for each other. */
async function runSession<T>(
  role: Role,
  options: MeetingOptions & Required<Pick<MeetingOptions, 'onEvent' | 'signal'>>,
  prepare: () => Promise<(session: Session) => Promise<T>>,
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
  const meeting = meet(options, onPeerEvent, signal);
  const prepared = prepare();
  // Where there is no session, that it could not have moved anything is no news.
  prepared.catch(() => undefined);
  const paired = await meeting;
  let thread: HashThread | undefined;
  let reunion: Awaited<ReturnType<PairedChannel['keepTogether']>> | undefined;
  try {
    thread = await hashThread();
    await introduce(paired, role, options, signal);
    onEvent({ type: 'connected', path: paired.path, address: paired.address });
    paired.openLanes(role === 'send');
    reunion = await paired.keepTogether(role === 'send', options.patienceMs ?? PATIENCE_MS);
    // Not before: people may compare words for as long as they like.
    watch = watchChannel(paired.channel, onEvent);
    const move = await prepared;
    return await move({ channel: watch.channel, watch, signal, onEvent, hasher: thread });
  } finally {
    watch?.stop();
    await thread?.close();
    paired.sessionKey.erase();
    paired.channel.destroy();
    reunion?.close();
    await Promise.all([paired.closed, reunion?.closed()]);
  }
}

async function hashThread(): Promise<HashThread | undefined> {
  if (availableParallelism() < PROCESSORS_FOR_A_THREAD) return undefined;
  const { HashThread } = await import('./hash-thread.js');
  return new HashThread();
}

function meet(
  options: MeetingOptions,
  onEvent: (event: PeerEvent) => void,
  signal: AbortSignal,
): Promise<PairedChannel> {
  const isDirect = options.listen !== undefined || options.connect !== undefined;
  const isLocal = options.local === true;
  const usesDht = !isLocal && (!isDirect || options.alsoDht === true);
  const shared = {
    bootstrap: usesDht ? (options.bootstrap ?? ('public' as const)) : ('off' as const),
    relays: options.relays,
    lan: isLocal || (usesDht && options.lan === true),
    ...(options.listen === undefined ? {} : { listen: options.listen }),
    ...(options.connect === undefined ? {} : { connect: options.connect }),
    lanes: options.lanes,
    lanePort: options.lanePort,
    expireMs: options.expireMs ?? EXPIRE_MS,
    onEvent,
    signal,
  };
  return options.code === undefined
    ? hostSession({ ...shared, words: options.words ?? 2 })
    : joinSession({ ...shared, code: parseCode(options.code) });
}

/** Both sides say what they are about to do, the host first, and compare words where one of them wants that. */
async function introduce(
  paired: PairedChannel,
  role: Role,
  options: MeetingOptions,
  signal: AbortSignal,
): Promise<void> {
  const { channel } = paired;
  const verify = options.verify ?? false;
  const mine: ControlMessage = { type: 'session', role, verify, limit: options.limit };
  const onAbort = (): void => void refuse(channel, 'interrupted');
  signal.addEventListener('abort', onAbort);
  const deadline = setTimeout(() => {
    channel.destroy(new XferError('peer-gone'));
  }, INTRODUCTION_MS);
  try {
    if (signal.aborted) throw await refuse(channel, 'interrupted');
    const isHost = options.code === undefined;
    if (isHost) await channel.send(mine);
    const theirs = await expect(channel, 'session');
    if (!isHost) await channel.send(mine);
    clearTimeout(deadline);
    if (theirs.role === role) throw await refuse(channel, 'role-conflict');
    const limit = agreedRate(options.limit, theirs.limit);
    if (limit !== undefined) channel.limitTo(limit);
    if (verify || theirs.verify) await compare(paired, options, signal);
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Nothing is offered, names included, before both persons said that the words are equal. */
async function compare(paired: PairedChannel, options: MeetingOptions, signal: AbortSignal): Promise<void> {
  const { channel, sessionKey } = paired;
  if (options.compareWords === undefined) throw await refuse(channel, 'not-verified');
  const peerGone = new AbortController();
  const theirs = expect(channel, 'verified');
  theirs.catch(() => {
    peerGone.abort();
  });
  const mine = options.compareWords(sessionKey.verifier(), AbortSignal.any([signal, peerGone.signal]));
  // A peer that leaves ends the question; one that said yes first does not.
  const equal = await Promise.race([mine, theirs.then(() => mine)]);
  if (!equal) throw await refuse(channel, 'not-verified');
  await channel.send({ type: 'verified' });
  await theirs;
}

async function expect<T extends ControlMessage['type']>(
  channel: Channel,
  type: T,
): Promise<Extract<ControlMessage, { type: T }>> {
  const received = await channel.receive();
  if (received === undefined) throw new XferError('peer-gone');
  channel.release(received.cost);
  const { item } = received;
  if ('type' in item && item.type === 'error') throw peerError(item.code);
  if (!('type' in item) || item.type !== type) {
    throw new XferError('protocol', { detail: `expected ${type}` });
  }
  return item as Extract<ControlMessage, { type: T }>;
}

/** Tells the peer why this side gives up, drops the channel, and gives back the error to throw. */
async function refuse(channel: Channel, code: ErrorCode): Promise<XferError> {
  const error = new XferError(code);
  await atLast(sayLast(channel, code));
  channel.destroy(error);
  return error;
}
