/** The story of a transfer: find, trust, offer, move, verify. */
import { availableParallelism } from 'node:os';
import { meetByCode } from './code-meeting.js';
import { XferError } from './errors.js';
import type { PathMatcher } from './files/filter.js';
import type { OpenedSource } from './files/source.js';
import { assertTarget, entersHome } from './files/target.js';
import type { Content, MeetingOptions, ReceiveOptions, ReceiveOutcome, XferEvent } from './options.js';
import { withGuardedEvents } from './guarded-events.js';
import type { HashThread } from './hash-thread.js';
import { introduce, type Role } from './introduction.js';
import type { PairedChannel, PeerEvent } from './peer/connect.js';
import { isRate } from './rate.js';
import type { TransferOutcome } from './transfer/events.js';
import type { Channel, LeafHasher } from './transfer/ports.js';
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
  const meet = meetingOf(options);
  const source = await openContent(content);
  try {
    return await withSession('send', options, meet, async () => {
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
 * @param meet How this side comes to its peer; as the options say if not given.
 * @throws XferError when the offer was declined or the transfer broke. No file of it then has its final name.
 */
export async function receive(
  options: ReceiveOptions,
  meet: Meet = meetingOf(options),
): Promise<ReceiveOutcome> {
  const paths: string[] = [];
  let isDisk = false;
  let intoHome = false;
  if (options.out !== undefined && options.output === undefined) assertTarget(options.out);
  const wants = options.only === undefined ? undefined : await matcherOf(options.only);
  return withSession('receive', options, meet, async () => {
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

/** By a code, or by the name of a device. */
function meetingOf(options: MeetingOptions): Meet {
  const { device } = options;
  if (device === undefined) {
    return (onEvent, signal) => meetByCode('transfer', options, onEvent, signal);
  }
  return async (onEvent, signal) => {
    const { meetDevice } = await import('./device-meeting.js');
    return meetDevice(device, options, onEvent, signal);
  };
}

function withSession<T>(
  role: Role,
  options: MeetingOptions,
  meet: Meet,
  prepare: () => Promise<(session: Session) => Promise<T>>,
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
  const meeting = meet(onPeerEvent, signal);
  const prepared = prepare();
  // Where there is no session, that it could not have moved anything is no news.
  prepared.catch(() => undefined);
  const paired = await meeting;
  let thread: HashThread | undefined;
  let reunion: Awaited<ReturnType<PairedChannel['keepTogether']>> | undefined;
  try {
    const ending = paired.ended === undefined ? signal : AbortSignal.any([signal, paired.ended]);
    thread = await hashThread();
    await introduce(paired, role, options, ending);
    const { path, address } = paired;
    onEvent({ type: 'connected', path, address, device: options.device?.name });
    paired.openLanes(role === 'send', onPeerEvent);
    reunion = await paired.keepTogether(role === 'send', options.patienceMs ?? PATIENCE_MS, onPeerEvent);
    // Not before: people may compare words for as long as they like.
    watch = watchChannel(paired.channel, onEvent);
    const move = await prepared;
    return await move({ channel: watch.channel, watch, signal: ending, onEvent, hasher: thread });
  } finally {
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
