/** What one end of a chat has of the session to the other: words in a bounded stream, and transfers between them. */
import { XferError } from '../errors.js';
import type { ChatMessage } from '../transfer/chat-messages.js';
import { Exchange, type ExchangeKind } from '../transfer/exchange.js';
import type { Channel } from '../transfer/ports.js';
import { LineGate } from './line-gate.js';

/** What may wait for a peer that does not read, or that is away: about an hour of a lively talk. */
const MOST_WAITING = 2_000;
const MOST_WAITING_BYTES = 1 << 20;

/** A file may be passed on to a member who knows fewer ways of packing than its sender: so all use what everybody knows. */
const CHAT: ExchangeKind<ChatMessage> = {
  words: ['enter', 'welcome', 'joined', 'left', 'line', 'file', 'take', 'begin', 'ready', 'gone'],
  compressions: new Set(['stored', 'brotli']),
};

export class ChatLink {
  readonly exchange: Exchange<ChatMessage>;
  readonly #gate = new LineGate();
  #waiting = 0;
  #waitingBytes = 0;
  #last: Promise<void> = Promise.resolve();
  #failure: XferError | undefined;
  #end: Promise<void> | undefined;

  /** Takes the channel over. */
  constructor(channel: Channel) {
    this.exchange = new Exchange(channel, CHAT);
  }

  /** The next word, no more of them than a person reads; whoever says more waits. `undefined` at the end. Throws as `Exchange.next`. */
  async next(): Promise<ChatMessage | undefined> {
    await this.#gate.pass();
    return this.exchange.next();
  }

  /** Says it as soon as the peer takes it. One that has too much to take is dropped. Throws nothing: whoever reads sees what is wrong. */
  say(word: ChatMessage): void {
    if (this.#failure !== undefined) return;
    const bytes = word.type === 'line' ? word.text.length : 0;
    this.#waiting += 1;
    this.#waitingBytes += bytes;
    if (this.#waiting > MOST_WAITING || this.#waitingBytes > MOST_WAITING_BYTES) {
      this.#failure = new XferError('limit', { subject: 'lines that nobody takes' });
      this.exchange.destroy(this.#failure);
      return;
    }
    const said = this.#last.then(() => this.exchange.say(word));
    this.#last = said.then(
      () => {
        this.#waiting -= 1;
        this.#waitingBytes -= bytes;
      },
      () => undefined,
    );
  }

  /** Resolves when everything said is on its way. */
  async settled(): Promise<void> {
    await this.#last;
  }

  /** Ends our direction, behind everything said; once, whoever asks for it. */
  end(): Promise<void> {
    this.#end ??= this.#last.then(() => this.exchange.end());
    return this.#end;
  }
}
