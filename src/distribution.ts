/** To send the same content to several receivers, with one code. */
import { hostByCode } from './code-meeting.js';
import { toXferError, XferError, type ErrorCode } from './errors.js';
import type { OpenedSource } from './files/source.js';
import { withGuardedEvents } from './guarded-events.js';
import { refuse } from './introduction.js';
import type { SendingOptions } from './moving.js';
import type { Content, MeetingOptions, TransferOutcome } from './options.js';
import type { PairedChannel } from './peer/connect.js';
import { openContent, sendFrom } from './session.js';
import type { FileSource } from './transfer/ports.js';
import { SharedSource } from './transfer/shared-source.js';
import { SharedWork } from './transfer/shared-work.js';

/** A receiver came who knows the code, one of several. */
export interface ReceiverSession {
  /** Counts who came, from 1. */
  readonly receiver: number;
  /** Sends it the content, once; as `send` of the library. */
  send(options: Pick<MeetingOptions, 'compareWords' | 'onEvent' | 'signal'>): Promise<TransferOutcome>;
}

export interface DistributeOptions extends Omit<MeetingOptions, 'code' | 'device'> {
  /** How many get the content; everybody who comes until `signal` is aborted if not given. */
  readonly receivers?: number;
  /** Sees to one receiver; several may be under way at once. What it throws ends everything. */
  readonly onSession: (session: ReceiverSession) => Promise<void>;
}

/** Receivers at once; each may have 16 MiB under way. */
const MOST_AT_ONCE = 32;
/** Whoever failed for another reason may come again with the same code, and goes on where it stopped. */
const SETTLED: readonly ErrorCode[] = ['declined', 'not-verified'];

/**
 * Makes one code for several receivers, with one budget of wrong guesses, and hands each that comes to `onSession`. Whoever has it
 * all, or says no, uses up one of the places. A failure of one ends no other. Resolves when all sessions are over.
 *
 * @throws XferError what `send` throws before it meets anybody; `usage` for a pipe; `code-dead`, `no-network`; and `code-expired` and
 *   `interrupted` where fewer than `receivers` came, or where no number was given and nobody had it
 */
export function distribute(content: Content, options: DistributeOptions): Promise<void> {
  return withGuardedEvents(options, async (onEvent, signal) => {
    const { receivers = Infinity } = options;
    const stock = await Stock.open(content);
    const over = new AbortController();
    const ending = AbortSignal.any([signal, over.signal]);
    let came = 0;
    let served = 0;
    const onPeer = async (paired: PairedChannel): Promise<boolean> => {
      came += 1;
      const serving = new Serving(paired, came, stock, { ...options, signal: ending });
      try {
        await options.onSession(serving);
      } catch (error) {
        over.abort(toXferError(error));
      } finally {
        paired.channel.destroy();
        await paired.closed;
      }
      if (serving.isSettled) served += 1;
      return serving.isSettled;
    };
    try {
      await hostByCode(
        'transfer',
        options,
        { count: receivers, atOnce: MOST_AT_ONCE, onPeer },
        onEvent,
        ending,
      );
    } catch (thrown) {
      over.signal.throwIfAborted();
      const { code } = toXferError(thrown);
      const isEnough = receivers === Infinity && served > 0;
      if (!isEnough || (code !== 'code-expired' && code !== 'interrupted')) throw thrown;
    } finally {
      stock.close();
    }
  });
}

/** One receiver. */
class Serving implements ReceiverSession {
  readonly receiver: number;
  /** It has everything, or will not come again. */
  isSettled = false;
  readonly #paired: PairedChannel;
  readonly #stock: Stock;
  readonly #options: DistributeOptions & { readonly signal: AbortSignal };
  #isTaken = false;

  constructor(
    paired: PairedChannel,
    receiver: number,
    stock: Stock,
    options: DistributeOptions & { readonly signal: AbortSignal },
  ) {
    this.#paired = paired;
    this.receiver = receiver;
    this.#stock = stock;
    this.#options = options;
  }

  async send(options: Parameters<ReceiverSession['send']>[0]): Promise<TransferOutcome> {
    if (this.#isTaken) throw new XferError('internal', { subject: 'a session that was taken' });
    this.#isTaken = true;
    const { signal: ending } = this.#options;
    const signal = options.signal === undefined ? ending : AbortSignal.any([options.signal, ending]);
    try {
      const outcome = await this.#stock.serve(
        (source, sending) =>
          sendFrom(source, sending, { ...this.#options, ...options, signal }, async () => this.#paired),
        (error) => refuse(this.#paired.channel, error),
      );
      this.isSettled = true;
      return outcome;
    } catch (error) {
      this.isSettled = SETTLED.includes(toXferError(error).code);
      throw error;
    }
  }
}

/** What is to be sent, and how. */
type Send<T> = (source: FileSource, sending: SendingOptions) => Promise<T>;

/** What there is to send: looked at anew for a receiver that comes while nobody else is served. */
class Stock {
  readonly #content: Content;
  #opened: OpenedSource | undefined;
  #work = new SharedWork();
  #shared: Promise<SharedSource> | undefined;
  #users = 0;

  private constructor(content: Content, opened: OpenedSource) {
    this.#content = content;
    this.#opened = opened;
  }

  /** Throws what sending it would throw before anybody is met, and `usage` for a pipe. */
  static async open(content: Content): Promise<Stock> {
    if (content.kind === 'pipe') {
      throw new XferError('usage', {
        subject: 'a pipe can be read only once, so it goes to one receiver',
        detail: 'write it into a file first, and send that',
      });
    }
    return new Stock(content, await openContent(content));
  }

  /** @param refuse Called where what there was is gone; what it gives is thrown. */
  async serve<T>(send: Send<T>, refuse: (error: XferError) => Promise<XferError>): Promise<T> {
    this.#users += 1;
    try {
      this.#shared ??= this.#share(this.#work);
      const shared = this.#work;
      const source = await this.#shared.catch(async (error: unknown) => {
        throw await refuse(toXferError(error));
      });
      const { kind, compress } = this.#content;
      return await send(source.view(), { kind, ...(compress === undefined ? {} : { compress }), shared });
    } finally {
      this.#users -= 1;
      if (this.#users === 0) this.close();
    }
  }

  close(): void {
    this.#opened?.close();
    this.#opened = undefined;
    this.#shared = undefined;
    this.#work = new SharedWork();
  }

  async #share(work: SharedWork): Promise<SharedSource> {
    const opened = this.#opened ?? (await openContent(this.#content));
    this.#opened = opened;
    return new SharedSource(opened, work);
  }
}
