/** To talk in a room, one's own or that of somebody else. */
import { hostname } from 'node:os';
import path from 'node:path';
import { hostByCode } from './code-meeting.js';
import { toXferError, XferError } from './errors.js';
import { openSource } from './files/source.js';
import { withGuardedEvents } from './guarded-events.js';
import { isProtected, loadReceiving, loadSending, whileBusy, type Carriage } from './moving.js';
import type { Decision, MeetingOptions, OfferSummary, ReceiveOptions } from './options.js';
import type { PairedChannel } from './peer/connect.js';
import { receiveGuest } from './room-guest.js';
import { meetingOf, withSession } from './session.js';
import { ChatLink } from './share/chat-link.js';
import { Guest, type ChatEvent, type ChatFile } from './share/guest.js';
import { localChannels } from './share/local-channel.js';
import { Room } from './share/room.js';
import { MAX_MEMBERS, type OfferedFile } from './transfer/chat-messages.js';
import { aborted, orAborted } from './transfer/deadline.js';
import type { Channel } from './transfer/ports.js';
import { watchChannel } from './transfer/watch.js';

export type { ChatEvent, ChatFile } from './share/guest.js';

export interface ChatOptions
  extends MeetingOptions, Pick<ReceiveOptions, 'out' | 'noExec' | 'register' | 'sync'> {
  /** What others shall call this member; the name of this machine if not given. */
  readonly name?: string;
  /** Opens a room for the devices that are remembered in this folder, in place of a code. */
  readonly devices?: string;
  /** Takes files whose names begin with a dot. */
  readonly dotfiles?: boolean;
  readonly onChat: (event: ChatEvent) => void;
}

/** What a member can do. */
export interface Chat {
  /** Says a line to all. Resolves when the next one may be said, and when there is no hope for it. */
  say(text: string): Promise<void>;
  /**
   * Offers a file or folder to all.
   *
   * @throws XferError as `send` before it meets anybody
   */
  offer(file: string): Promise<ChatFile>;
  /**
   * Asks for a file that was offered, the latest if no number is given; it comes while the talk goes on.
   *
   * @throws XferError `usage`
   */
  accept(number?: number): ChatFile;
  /** Aborted when the room is closed, or this member is out of it. */
  readonly over: AbortSignal;
}

/**
 * Joins the room of `code` or of a device, which may be a share, or opens one, for devices or for those who have its code, which is good for as many as come, until it expires where `expireMs` is given. `talk` begins when this
 * member is in, with its end the member leaves, and the room is closed where it is its own.
 *
 * @throws XferError what a meeting by code fails of; `peer-gone` where the room is lost; what `talk` throws
 */
export function chat(options: ChatOptions, talk: (chat: Chat) => Promise<void>): Promise<void> {
  const joins = options.code !== undefined || options.device !== undefined;
  return joins ? joinRoom(options, talk) : openRoom(options, talk);
}

async function joinRoom(options: ChatOptions, talk: (chat: Chat) => Promise<void>): Promise<void> {
  const joining = withSession('chat', options, meetingOf(options, 'chat'), async () => {
    const prepare = await loadMember(options);
    return (session) => {
      session.watch.pause();
      return prepare(session, talk);
    };
  });
  await joining.catch((error: unknown) => {
    // A share says no more than that.
    const isRefusal =
      error instanceof XferError && error.code === 'peer-failed' && error.detail === 'not-allowed';
    throw isRefusal ? new XferError('not-allowed', { detail: 'chat', cause: error }) : error;
  });
}

function openRoom(options: ChatOptions, talk: (chat: Chat) => Promise<void>): Promise<void> {
  return withGuardedEvents(options, async (onEvent, signal) => {
    const prepare = await loadMember(options);
    const room = new Room();
    const over = new AbortController();
    const ending = AbortSignal.any([signal, over.signal]);
    let failure: XferError | undefined;
    let guests = 0;
    const onPeer = async (paired: PairedChannel): Promise<boolean> => {
      guests += 1;
      const quiet = { ...options, onEvent: () => undefined, signal: ending };
      await receiveGuest(room, quiet, async () => paired);
      return false;
    };
    const places = { count: Infinity, atOnce: MAX_MEMBERS - 1, onPeer };
    const { devices } = options;
    const hosting =
      devices === undefined
        ? hostByCode('chat', options, places, onEvent, ending)
        : waitForGuests(room, { ...options, devices, onEvent, signal: ending });
    const hosted = hosting.catch((thrown: unknown) => {
      const error = toXferError(thrown);
      // That a code got old ends a room where nobody is left, and is no failure where somebody came.
      if (error.code !== 'code-expired' || guests === 0) failure = error;
      over.abort(error);
    });
    const [near, far] = localChannels();
    const watch = watchChannel(near, () => undefined);
    watch.pause();
    room.welcome(far, ending).catch(() => undefined);
    try {
      await prepare({ channel: near, watch, signal: ending, onEvent, hasher: undefined }, talk);
    } catch (error) {
      // What the room failed of says more than that it is lost.
      if (failure !== undefined) throw failure;
      if (!over.signal.aborted) throw error;
    } finally {
      watch.stop();
      await room.close();
      over.abort(new XferError('interrupted'));
      await hosted;
    }
  });
}

/** Lets devices in, until the signal is aborted. Throws as `waitForDevices`. */
async function waitForGuests(room: Room, options: ChatOptions & { readonly devices: string }): Promise<void> {
  const { waitForDevices } = await import('./device-waiting.js');
  await waitForDevices({ ...options, onSession: (session) => session.chat(room) });
}

type Prepared = (session: Carriage, talk: (chat: Chat) => Promise<void>) => Promise<void>;

/** Loads what a member needs. */
async function loadMember(options: ChatOptions): Promise<Prepared> {
  const [sendOver, receiveOver] = await Promise.all([loadSending(), loadReceiving()]);
  return async (session, talk) => {
    const over = new AbortController();
    const link = new ChatLink(session.channel);
    const entered = new AbortController();
    const on = (channel: Channel): Carriage => ({ ...session, channel });
    const guest = new Guest(link, {
      onEvent: (event) => {
        options.onChat(event);
        if (event.type === 'entered') entered.abort();
      },
      send: async (channel, file) => {
        const source = await openSource({ paths: [file] });
        try {
          await whileBusy(session, () => sendOver(on(channel), source, { kind: 'files' }));
        } finally {
          source.close();
        }
      },
      receive: async (channel, file) => {
        const { out, noExec, register, sync, dotfiles = false } = options;
        const { paths } = await whileBusy(session, () =>
          receiveOver(on(channel), {
            out,
            noExec,
            register,
            sync,
            early: true,
            decide: async (offer) => decideOn(offer, file, dotfiles),
          }),
        );
        return paths;
      },
    });
    const stop = (): void => void link.exchange.leave(new XferError('interrupted'));
    session.signal.addEventListener('abort', stop, { once: true });
    if (session.signal.aborted) stop();
    const staying = guest
      .stay(options.name ?? hostname())
      .finally(() => over.abort(new XferError('peer-gone')));
    const talking = Promise.race([aborted(entered.signal), staying]).then(() =>
      guest.isIn ? talk(new MemberChat(guest, link, over.signal)) : undefined,
    );
    const left = talking.finally(() => guest.leave().catch(() => undefined));
    const [stayed, talked] = await Promise.allSettled([staying, left]);
    session.signal.removeEventListener('abort', stop);
    if (session.signal.aborted) throw new XferError('interrupted');
    if (talked.status === 'rejected') throw talked.reason;
    if (stayed.status === 'rejected') throw stayed.reason;
  };
}

class MemberChat implements Chat {
  readonly over: AbortSignal;
  readonly #guest: Guest;
  readonly #link: ChatLink;

  constructor(guest: Guest, link: ChatLink, over: AbortSignal) {
    this.#guest = guest;
    this.#link = link;
    this.over = over;
  }

  async say(text: string): Promise<void> {
    this.#guest.say(text);
    await orAborted(this.#link.settled(), this.over);
  }

  async offer(file: string): Promise<ChatFile> {
    const source = await openSource({ paths: [path.resolve(file)] });
    try {
      const [root] = source.roots;
      if (root === undefined) throw new XferError('nothing-to-send');
      const { name, type, size } = root;
      return this.#guest.offer(path.resolve(file), { name, entry: type, size });
    } finally {
      source.close();
    }
  }

  accept(number?: number): ChatFile {
    return this.#guest.take(number);
  }
}

/** What comes must be what was offered, which the person said yes to. */
function decideOn(offer: OfferSummary, file: OfferedFile, dotfiles: boolean): Decision {
  const [root, ...others] = offer.roots;
  const isSame =
    offer.kind === 'files' &&
    others.length === 0 &&
    root?.name === file.name &&
    root.type === file.entry &&
    root.size === file.size;
  if (!isSame) return { accept: false, reason: 'source-changed' };
  if (!dotfiles && isProtected(offer)) {
    return { accept: false, reason: 'target-protected' };
  }
  return { accept: true, conflicts: 'rename' };
}
