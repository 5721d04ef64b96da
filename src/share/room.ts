/** A room in which several people talk: whoever hosts it passes on what each says, and the files that they give each other. */
import { toXferError, XferError } from '../errors.js';
import { MAX_MEMBERS, type ChatMessage, type Member, type OfferedFile } from '../transfer/chat-messages.js';
import { atLast, interruption } from '../transfer/conduct.js';
import { deferred, type Deferred } from '../transfer/deferred.js';
import type { TransferChannel } from '../transfer/exchange.js';
import type { Channel } from '../transfer/ports.js';
import { malformed } from '../transfer/wire.js';
import { ChatLink } from './chat-link.js';
import { LineGate } from './line-gate.js';
import { piecesOf } from './line-pieces.js';
import { memberName } from './member-name.js';

/** How long members have to take in what was said last. */
const CLOSING_MS = 5_000;
/** What a member may have under way of a file, in bytes. */
const WINDOW_BYTES = 1 << 22;
/** Files that a member offered and that may still be had. */
const MOST_FILES = 1_000;
/** Files that one member may wait for. */
const MOST_WANTED = 100;
/**
 * What all together may say: less than one member takes in a second (`LineGate`), or who talks with a flood of several would drop
 * those who only listen.
 */
const ALL_BURST = 150;
const ALL_PER_SECOND = 40;
/** So much of a line counts as one more: a room that is full of talk is 40 KiB a second to each. */
const BYTES_LIKE_A_LINE = 1 << 10;

interface Seat {
  readonly member: number;
  readonly name: string;
  readonly link: ChatLink;
  files: number;
  requests: number;
  wanted: number;
  /** One transfer at a time goes over a link. */
  isBusy: boolean;
  ready: { readonly request: number; readonly answer: Deferred<void> } | undefined;
}

/** What a member does, for whoever hosts the room. Names are harmless but foreign, the rest is foreign text. */
export type MemberEvent =
  | { readonly type: 'joined'; readonly name: string }
  | { readonly type: 'line'; readonly from: string; readonly text: string }
  | {
      readonly type: 'file-offered';
      readonly from: string;
      readonly file: Pick<OfferedFile, 'name' | 'entry' | 'size'>;
    }
  | { readonly type: 'left'; readonly name: string };

export interface RoomOptions {
  /** Whoever hosts the room is in it under a name like this, and talks by `say`. */
  readonly host?: string | undefined;
  /** How fast all together may talk. */
  readonly gate?: LineGate;
}

/** A file that somebody wants to have. */
interface Wish {
  readonly owner: Seat;
  readonly taker: Seat;
  readonly file: number;
}

export class Room {
  readonly #seats = new Map<number, Seat>();
  readonly #sessions = new Set<Promise<void>>();
  #count = 0;
  #wishes: Wish[] = [];
  #isClosed = false;
  readonly #gate: LineGate;
  readonly #host: Member | undefined;

  constructor({
    host,
    gate = new LineGate({ burst: ALL_BURST, perSecond: ALL_PER_SECOND }),
  }: RoomOptions = {}) {
    this.#gate = gate;
    if (host !== undefined) this.#host = { member: ++this.#count, name: memberName(host, []) };
  }

  /** Who is in but for the host. */
  get names(): readonly string[] {
    return [...this.#seats.values()].map(({ name }) => name);
  }

  /** What the host says to all, as fast as all may talk. */
  async say(text: string): Promise<void> {
    const host = this.#host;
    if (host === undefined) throw new XferError('internal', { subject: 'a line of nobody' });
    for (const piece of piecesOf(text)) {
      const line = { type: 'line', member: host.member, text: piece } as const;
      await this.#gate.pass(weightOf(line));
      for (const { link } of this.#seats.values()) link.say(line);
    }
  }

  /**
   * Takes a member in, for as long as it stays.
   *
   * @param known What it is called, whatever it says.
   * @param onEvent Called for what this member does.
   * @throws XferError `protocol` and `limit` where it breaks the rules, and what its channel dies of; it was told then. None of that
   *   concerns the others.
   */
  welcome(
    channel: Channel,
    signal: AbortSignal,
    known?: string,
    onEvent?: (event: MemberEvent) => void,
  ): Promise<void> {
    const session = this.#attend(channel, signal, known, onEvent);
    const settled = session.catch(() => undefined);
    this.#sessions.add(settled);
    void settled.then(() => this.#sessions.delete(settled));
    return session;
  }

  /** Says goodbye to all, and waits until they are gone, but not for long. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { link } of this.#seats.values()) void link.end().catch(() => undefined);
    await atLast(Promise.all(this.#sessions), CLOSING_MS);
  }

  async #attend(
    channel: Channel,
    signal: AbortSignal,
    known?: string,
    onEvent?: (event: MemberEvent) => void,
  ): Promise<void> {
    const link = new ChatLink(channel);
    const stop = (): void => void link.exchange.leave(interruption(signal));
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      const first = await link.next();
      if (first?.type !== 'enter') throw malformed('nobody who says a name');
      await this.#gate.pass(1, signal);
      if (this.#isClosed || this.#members.length >= MAX_MEMBERS)
        throw new XferError('limit', { detail: MAX_MEMBERS });
      const seat = this.#seat(link, known ?? first.name);
      const { name } = seat;
      onEvent?.({ type: 'joined', name });
      try {
        for (let word = await link.next(); word !== undefined; word = await link.next()) {
          if (isForAll(word)) await this.#gate.pass(weightOf(word), signal);
          this.#take(seat, word);
          if (word.type === 'line') onEvent?.({ type: 'line', from: name, text: word.text });
          if (word.type === 'file') onEvent?.({ type: 'file-offered', from: name, file: fileOf(word) });
        }
      } finally {
        this.#clear(seat);
        onEvent?.({ type: 'left', name });
      }
      await link.end();
    } catch (thrown) {
      const error = signal.aborted ? interruption(signal) : toXferError(thrown);
      await link.exchange.leave(error);
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #seat(link: ChatLink, wanted: string): Seat {
    const taken = this.#members.map(({ name }) => name);
    const seat: Seat = {
      member: ++this.#count,
      name: memberName(wanted, taken),
      link,
      files: 0,
      requests: 0,
      wanted: 0,
      isBusy: false,
      ready: undefined,
    };
    const { member, name } = seat;
    this.#others(seat, { type: 'joined', member, name });
    this.#seats.set(member, seat);
    link.say({ type: 'welcome', member, members: this.#members });
    return seat;
  }

  get #members(): readonly Member[] {
    const seated = [...this.#seats.values()].map(({ member, name }) => ({ member, name }));
    return this.#host === undefined ? seated : [this.#host, ...seated];
  }

  #clear(seat: Seat): void {
    this.#seats.delete(seat.member);
    const [lost, left] = partition(this.#wishes, ({ owner }) => owner === seat);
    this.#wishes = left.filter(({ taker }) => taker !== seat);
    for (const { taker, file } of lost) this.#refuse(taker, seat.member, file);
    seat.ready?.answer.reject(new XferError('peer-gone'));
    this.#others(seat, { type: 'left', member: seat.member });
  }

  #others(seat: Seat, word: ChatMessage): void {
    for (const other of this.#seats.values()) if (other !== seat) other.link.say(word);
  }

  #take(seat: Seat, word: ChatMessage): void {
    switch (word.type) {
      case 'line':
        demandOwn(seat, word);
        this.#others(seat, word);
        return;
      case 'file':
        demandOwn(seat, word);
        if (word.file !== seat.files + 1) throw malformed('a file out of its turn');
        seat.files += 1;
        this.#others(seat, word);
        return;
      case 'take':
        this.#wish(seat, word.member, word.file);
        return;
      case 'ready':
        if (seat.ready?.request !== word.request) throw malformed('ready for nothing');
        seat.ready.answer.resolve();
        seat.ready = undefined;
        return;
      default:
        throw malformed(`${word.type} from a member`);
    }
  }

  #wish(taker: Seat, member: number, file: number): void {
    const owner = this.#seats.get(member);
    const isOffered = owner !== undefined && owner !== taker && file >= 1 && file <= owner.files;
    if (!isOffered || file <= owner.files - MOST_FILES) {
      this.#refuse(taker, member, file, false);
      return;
    }
    if (taker.wanted >= MOST_WANTED) throw new XferError('limit', { detail: MOST_WANTED });
    taker.wanted += 1;
    this.#wishes.push({ owner, taker, file });
    this.#goOn();
  }

  #refuse(taker: Seat, member: number, file: number, isWaiting = true): void {
    if (isWaiting) taker.wanted -= 1;
    taker.link.say({ type: 'gone', member, file });
  }

  /** Begins every transfer for which both ends are free, in the order in which they were wanted. */
  #goOn(): void {
    for (const wish of [...this.#wishes]) {
      const { owner, taker } = wish;
      if (owner.isBusy || taker.isBusy) continue;
      this.#wishes.splice(this.#wishes.indexOf(wish), 1);
      [owner.isBusy, taker.isBusy] = [true, true];
      void this.#pass(wish).then(() => {
        [owner.isBusy, taker.isBusy] = [false, false];
        taker.wanted -= 1;
        this.#goOn();
      });
    }
  }

  /** Passes a file on, from one member to another. Never rejects. */
  async #pass({ owner, taker, file }: Wish): Promise<void> {
    const place = { type: 'begin', member: owner.member, file } as const;
    try {
      const request = (taker.requests += 1);
      const to = taker.link.exchange.begin(request);
      const answer: Deferred<void> = deferred();
      taker.ready = { request, answer };
      taker.link.say({ ...place, request, sends: false });
      await answer.promise;
      owner.requests += 1;
      const from = owner.link.exchange.begin(owner.requests);
      from.widen(WINDOW_BYTES);
      owner.link.say({ ...place, request: owner.requests, sends: true });
      await Promise.all([passOn(from, to), passOn(to, from), ended(from), ended(to)]);
    } catch {
      // One of them is gone, which its own session says.
    }
  }
}

/** Passes on what comes of one end of a transfer, to its end; the other end hears of it where this one is gone. */
async function passOn(from: TransferChannel, to: TransferChannel): Promise<void> {
  let isDeaf = false;
  try {
    for (let received = await from.receive(); received !== undefined; received = await from.receive()) {
      try {
        // What nobody takes any more still has to be taken from here.
        if (!isDeaf) await to.send(received.item);
      } catch {
        isDeaf = true;
      }
      from.release(received.cost);
    }
  } catch {
    await to.send({ type: 'error', code: 'peer-gone' }).catch(() => undefined);
  }
  await to.end().catch(() => undefined);
}

function ended(channel: TransferChannel): Promise<void> {
  return channel.over.catch(() => undefined);
}

function fileOf({ name, entry, size }: OfferedFile): Pick<OfferedFile, 'name' | 'entry' | 'size'> {
  return { name, entry, size };
}

function isForAll({ type }: ChatMessage): boolean {
  return type === 'line' || type === 'file';
}

/** How many lines it is as much as. */
function weightOf(word: ChatMessage): number {
  return word.type === 'line' ? 1 + Buffer.byteLength(word.text) / BYTES_LIKE_A_LINE : 1;
}

function demandOwn({ member }: Seat, word: { readonly member: number }): void {
  if (word.member !== member) throw malformed('in the name of another member');
}

function partition<T>(items: readonly T[], is: (item: T) => boolean): [T[], T[]] {
  return [items.filter(is), items.filter((item) => !is(item))];
}
