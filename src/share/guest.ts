/** A member of a room: docs/protocol.md section 13. */
import { toXferError, XferError, type ErrorCode } from '../errors.js';
import { MAX_MEMBERS, type ChatMessage, type OfferedFile } from '../transfer/chat-messages.js';
import { leave } from '../transfer/conduct.js';
import type { TransferChannel } from '../transfer/exchange.js';
import type { Channel } from '../transfer/ports.js';
import { malformed } from '../transfer/wire.js';
import type { ChatLink } from './chat-link.js';
import { piecesOf } from './line-pieces.js';

/** A file as the person knows it. The name is foreign text. */
export interface ChatFile extends Pick<OfferedFile, 'name' | 'entry' | 'size'> {
  /** Counts what was offered to this member, from 1, or by it. */
  readonly number: number;
}

/** What happens in a room. Names are harmless but foreign, and lines are foreign text. */
export type ChatEvent =
  /** This member is in, under a name that may be another than it wanted. */
  | { readonly type: 'entered'; readonly name: string; readonly others: readonly string[] }
  | { readonly type: 'came'; readonly name: string }
  | { readonly type: 'went'; readonly name: string }
  | { readonly type: 'line'; readonly from: string; readonly text: string }
  | { readonly type: 'file-offered'; readonly from: string; readonly file: ChatFile }
  /** Whoever offered it is gone. */
  | { readonly type: 'file-gone'; readonly file: ChatFile }
  | {
      readonly type: 'file-moved';
      readonly sends: boolean;
      readonly file: ChatFile;
      /** What came of it here. */
      readonly paths: readonly string[];
      /** Why it failed. */
      readonly problem?: ErrorCode;
    };

export interface GuestHooks {
  readonly onEvent: (event: ChatEvent) => void;
  /** Sends what is at that path. */
  readonly send: (channel: Channel, path: string) => Promise<void>;
  /** Receives a file into its place, and gives the paths of what came. */
  readonly receive: (channel: Channel, file: OfferedFile) => Promise<readonly string[]>;
}

/** Of what was offered, so much can still be asked for. */
const MOST_HEARD = 1_000;

interface Heard extends ChatFile {
  readonly offered: OfferedFile;
}

export class Guest {
  readonly #link: ChatLink;
  readonly #hooks: GuestHooks;
  /** Who is there, this member too. */
  readonly #names = new Map<number, string>();
  #own = 0;
  /** What others offer, by the number that the person knows. */
  readonly #heard = new Map<number, Heard>();
  #heardCount = 0;
  /** What this member offers. */
  readonly #offered: { readonly path: string; readonly file: ChatFile }[] = [];
  readonly #wanted = new Set<Heard>();
  #requests = 0;
  #transfer: TransferChannel | undefined;
  #moving: Promise<void> = Promise.resolve();

  constructor(link: ChatLink, hooks: GuestHooks) {
    this.#link = link;
    this.#hooks = hooks;
  }

  /** Is in the room until it or this member ends. Throws `protocol`, and what the link dies of. */
  async stay(wantedName: string): Promise<void> {
    this.#link.say({ type: 'enter', name: wantedName });
    for (let word = await this.#link.next(); word !== undefined; word = await this.#link.next())
      this.#take(word);
  }

  get isIn(): boolean {
    return this.#own > 0;
  }

  /** Says a line, in several where it is too long for one. */
  say(text: string): void {
    for (const piece of piecesOf(text)) this.#link.say({ type: 'line', member: this.#own, text: piece });
  }

  /** Tells all that there is a file to be had. */
  offer(path: string, file: Omit<ChatFile, 'number'>): ChatFile {
    const number = this.#offered.length + 1;
    const offered = { ...file, number };
    this.#offered.push({ path, file: offered });
    this.#link.say({ type: 'file', member: this.#own, file: number, ...file });
    return offered;
  }

  /**
   * Asks for a file that was offered, the latest one if no number is given.
   *
   * @throws XferError `usage` where there is no such file, or it is asked for already
   */
  take(number?: number): ChatFile {
    const heard = this.#heard.get(number ?? this.#heardCount);
    if (heard === undefined) throw new XferError('usage', { subject: 'no such file was offered' });
    if (this.#wanted.has(heard)) throw new XferError('usage', { subject: 'this file is asked for already' });
    this.#wanted.add(heard);
    const { member, file } = heard.offered;
    this.#link.say({ type: 'take', member, file });
    return heard;
  }

  /** Leaves, behind everything that was said and is being moved. */
  async leave(): Promise<void> {
    await this.#moving;
    await this.#link.end();
  }

  #take(word: ChatMessage): void {
    if (word.type === 'welcome') {
      this.#enter(word);
      return;
    }
    if (!this.isIn) throw malformed(`${word.type} before the welcome`);
    const { onEvent } = this.#hooks;
    switch (word.type) {
      case 'joined': {
        const { member, name } = word;
        if (this.#names.has(member) || this.#names.size >= MAX_MEMBERS)
          throw malformed('a member twice, or too many');
        this.#names.set(member, name);
        onEvent({ type: 'came', name });
        return;
      }
      case 'left': {
        const name = this.#nameOf(word.member);
        this.#names.delete(word.member);
        onEvent({ type: 'went', name });
        return;
      }
      case 'line':
        onEvent({ type: 'line', from: this.#nameOf(word.member), text: word.text });
        return;
      case 'file': {
        const from = this.#nameOf(word.member);
        const { name, entry, size } = word;
        const heard = { number: (this.#heardCount += 1), name, entry, size, offered: word };
        this.#heard.set(heard.number, heard);
        this.#heard.delete(heard.number - MOST_HEARD);
        onEvent({ type: 'file-offered', from, file: shown(heard) });
        return;
      }
      case 'begin':
        this.#begin(word);
        return;
      case 'gone': {
        const heard = this.#wantedOne(word);
        this.#wanted.delete(heard);
        onEvent({ type: 'file-gone', file: shown(heard) });
        return;
      }
      default:
        throw malformed(`${word.type} from a room`);
    }
  }

  #enter({ member, members }: Extract<ChatMessage, { type: 'welcome' }>): void {
    if (this.isIn) throw malformed('welcome twice');
    for (const one of members) this.#names.set(one.member, one.name);
    const name = this.#names.get(member);
    if (name === undefined || member < 1 || this.#names.size !== members.length)
      throw malformed('a welcome to nobody');
    this.#own = member;
    const others = members.filter((one) => one.member !== member).map((one) => one.name);
    this.#hooks.onEvent({ type: 'entered', name, others });
  }

  #begin({ request, member, file, sends }: Extract<ChatMessage, { type: 'begin' }>): void {
    if (request !== this.#requests + 1 || this.#transfer?.isOver === false)
      throw malformed('a transfer out of its turn');
    const offered = sends && member === this.#own ? this.#offered[file - 1] : undefined;
    const heard = sends ? undefined : this.#wantedOne({ member, file });
    if (sends && offered === undefined) throw malformed('a file that was not offered');
    this.#requests = request;
    const channel = this.#link.exchange.begin(request);
    this.#transfer = channel;
    const what = offered?.file ?? heard;
    if (what === undefined) return;
    const move = async (): Promise<readonly string[]> => {
      if (offered !== undefined) await this.#hooks.send(channel, offered.path);
      if (heard === undefined) return [];
      this.#link.say({ type: 'ready', request });
      return this.#hooks.receive(channel, heard.offered);
    };
    this.#moving = move()
      .then(
        (paths) => ({ paths }),
        async (thrown: unknown) => {
          const error = toXferError(thrown);
          // It may have failed before anything was said of it, such as where the file is gone.
          await leave(channel, error);
          return { paths: [], problem: error.code };
        },
      )
      .then(async (came) => {
        if (heard !== undefined) this.#wanted.delete(heard);
        await channel.over.catch(() => undefined);
        this.#hooks.onEvent({ type: 'file-moved', sends, file: shown(what), ...came });
      });
  }

  #wantedOne({ member, file }: Pick<OfferedFile, 'member' | 'file'>): Heard {
    for (const heard of this.#wanted) {
      if (heard.offered.member === member && heard.offered.file === file) return heard;
    }
    throw malformed('a file that nobody asked for');
  }

  #nameOf(member: number): string {
    const name = this.#names.get(member);
    if (name === undefined || member === this.#own) throw malformed('of somebody who is not there');
    return name;
  }
}

function shown({ number, name, entry, size }: ChatFile): ChatFile {
  return { number, name, entry, size };
}
