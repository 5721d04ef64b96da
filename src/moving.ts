/** Moves content over a channel of a session that both sides agreed on. */
import type { PathMatcher } from './files/filter.js';
import { entersHome } from './files/target.js';
import type { OfferSummary, ReceiveOptions, ReceiveOutcome, XferEvent } from './options.js';
import type { TransferOutcome } from './transfer/events.js';
import type { OfferKind } from './transfer/messages.js';
import type { Channel, FileSource, LeafHasher } from './transfer/ports.js';
import type { SharedWork } from './transfer/shared-work.js';
import type { Watch } from './transfer/watch.js';

/** What it takes to move something. */
export interface Carriage {
  readonly channel: Channel;
  readonly watch: Watch;
  readonly signal: AbortSignal;
  readonly onEvent: (event: XferEvent) => void;
  /** Where this machine has a processor for it. */
  readonly hasher: LeafHasher | undefined;
}

/** What a session lends to whoever moves something over it. */
export interface Session extends Carriage {
  /** See `SessionKey.forOwner`. */
  readonly ownerBinding: Uint8Array;
}

/** How content is sent. */
export interface SendingOptions {
  readonly kind: OfferKind;
  /** See `Content`. */
  readonly compress?: boolean;
  /** See `SenderOptions`. */
  readonly shared?: SharedWork;
}

export type SendOver = (
  session: Carriage,
  source: FileSource,
  options: SendingOptions,
) => Promise<TransferOutcome>;

/** How content is received; see `ReceiveOptions`. */
export type ReceivingOptions = Pick<ReceiveOptions, 'decide'> & {
  readonly [K in 'out' | 'output' | 'only' | 'noExec' | 'register' | 'sync' | 'early']?:
    ReceiveOptions[K] | undefined;
} & {
  /** Does not go to `out` by way of a symbolic link. */
  readonly noLinks?: boolean;
};

export type ReceiveOver = (session: Carriage, options: ReceivingOptions) => Promise<ReceiveOutcome>;

/** Silence is a stall only while something is asked for or moved. */
export async function whileBusy<T>({ watch }: Carriage, work: () => Promise<T>): Promise<T> {
  watch.resume();
  try {
    return await work();
  } finally {
    watch.pause();
  }
}

/** Loads what sends. Throws as `sendFiles`. */
export async function loadSending(): Promise<SendOver> {
  const { sendFiles } = await import('./transfer/sender.js');
  return ({ channel, watch, signal, onEvent, hasher }, source, { kind, compress, shared }) =>
    sendFiles(channel, source, {
      hasher,
      kind,
      shared,
      ...(compress === undefined ? {} : { compress }),
      signal,
      onEvent: (event) => {
        // The other person may think for as long as it takes.
        if (event.type === 'peer-state') watch[event.state === 'asking' ? 'pause' : 'resume']();
        noteOffer(event, watch);
        onEvent(event);
      },
    });
}

/** Loads what receives. Throws as `receiveFiles`. */
export async function loadReceiving(): Promise<ReceiveOver> {
  const [{ receiveFiles }, { openSink }, { streamSink, textSink }] = await Promise.all([
    import('./transfer/receiver.js'),
    import('./files/sink.js'),
    import('./files/content.js'),
  ]);
  return async ({ channel, watch, signal, onEvent, hasher }, options) => {
    const { out, output, only, noExec = false, noLinks = false, sync = true, register } = options;
    const text = textSink();
    const paths: string[] = [];
    let isDisk = false;
    let intoHome = false;
    const outcome = await receiveFiles(
      channel,
      (offer) => {
        if (output !== undefined) return streamSink(output, offer);
        if (offer.kind === 'text') return text;
        isDisk = true;
        intoHome = entersHome(out, offer.roots);
        return openSink(offer, { out, noLinks, noExec, sync, register });
      },
      {
        ...(only === undefined ? {} : { wants: await matcherOf(only) }),
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
}

/** Whether what is offered needs a yes of its own, since programs obey what lies there. */
export function isProtected({ dotNames, intoHome }: Pick<OfferSummary, 'dotNames' | 'intoHome'>): boolean {
  return dotNames.length > 0 || intoHome;
}

/** What `--only` takes. Throws `usage` for a bad glob. */
export async function matcherOf(globs: readonly string[]): Promise<PathMatcher> {
  const { pathMatcher } = await import('./files/filter.js');
  return pathMatcher(globs);
}

/** A pipe may give nothing for hours: silence is no stall then. */
function noteOffer(event: XferEvent, watch: Watch): void {
  if (event.type === 'offer' && event.kind === 'pipe') watch.stop();
}
