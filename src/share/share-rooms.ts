/** Where the devices of a share talk: who may look into it with all others who may, everybody else with its owner alone. */
import { XferError } from '../errors.js';
import { interruption, tellLast } from '../transfer/conduct.js';
import type { Channel } from '../transfer/ports.js';
import type { Rights } from './rights.js';
import { Room, type MemberEvent, type RoomOptions } from './room.js';

/** Of one device: others shall find a place too. */
const MOST_SEATS = 3;

/** What became of a line: somebody could hear it, nobody is there, or who it is for talks in the room of all. */
export type Said = 'said' | 'nobody' | 'not-alone';

/** Who comes to talk. */
export interface Talker {
  /** What it is called here. */
  readonly name: string;
  readonly rights: Rights;
}

export class ShareRooms {
  readonly #options: RoomOptions;
  readonly #common: Room;
  /** Rooms with one device in each, by its name. */
  readonly #alone = new Map<Room, string>();
  readonly #seats = new Map<string, number>();
  /** Aborted when all had the time to hear that the share goes. */
  readonly #over = new AbortController();
  #closing: Promise<void> | undefined;

  /**
   * @param options With a `host`, the owner reads along, and is seen by all. Without one nobody does, and nothing that is said
   *   comes out of here.
   */
  constructor(options: RoomOptions = {}) {
    this.#options = options;
    this.#common = new Room(options);
  }

  /**
   * Lets a device talk, for as long as it stays.
   *
   * @throws XferError `not-allowed` for one without rights, `peer-busy`, and as `Room.welcome`; it was told then
   */
  async join(
    channel: Channel,
    signal: AbortSignal,
    { name, rights }: Talker,
    onEvent: (event: MemberEvent) => void,
  ): Promise<void> {
    const seats = this.#seats.get(name) ?? 0;
    const refusal = this.#refusalOf(rights, seats);
    if (refusal !== undefined) {
      await tellLast(channel, refusal.code);
      channel.destroy(refusal);
      throw refusal;
    }
    const room = rights.read ? this.#common : new Room(this.#options);
    if (room !== this.#common) this.#alone.set(room, name);
    this.#seats.set(name, seats + 1);
    const removal = new AbortController();
    const leave = (): void => {
      const reason = interruption(signal);
      // A share that goes says goodbye first.
      if (this.#closing === undefined || reason.code === 'device-removed') removal.abort(reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    const isHeard = this.#options.host !== undefined;
    try {
      await room.welcome(channel, AbortSignal.any([removal.signal, this.#over.signal]), name, (event) => {
        if (isHeard || event.type === 'joined' || event.type === 'left') onEvent(event);
      });
    } finally {
      signal.removeEventListener('abort', leave);
      this.#alone.delete(room);
      this.#seats.set(name, (this.#seats.get(name) ?? 1) - 1);
    }
  }

  /** What the owner says: to all, or to a device that talks with the owner alone. */
  async say(text: string, to?: string): Promise<Said> {
    const key = to?.toLowerCase();
    const alone = [...this.#alone].filter(([, name]) => key === undefined || name.toLowerCase() === key);
    const all = alone.map(([room]) => room).filter(({ names }) => names.length > 0);
    const { names } = this.#common;
    if (key === undefined && names.length > 0) all.push(this.#common);
    await Promise.all(all.map((room) => room.say(text)));
    if (all.length > 0) return 'said';
    return names.some((name) => name.toLowerCase() === key) ? 'not-alone' : 'nobody';
  }

  /** Says goodbye to all, and waits until they are gone, but not for long. Nobody comes in any more. */
  close(): Promise<void> {
    const rooms = [this.#common, ...this.#alone.keys()];
    this.#closing ??= Promise.all(rooms.map((room) => room.close())).then(() =>
      this.#over.abort(new XferError('interrupted')),
    );
    return this.#closing;
  }

  #refusalOf({ read, write, delete: remove, inbox }: Rights, seats: number): XferError | undefined {
    if (this.#closing !== undefined) return new XferError('interrupted');
    if (!read && !write && !remove && !inbox) return new XferError('not-allowed', { detail: 'chat' });
    return seats >= MOST_SEATS ? new XferError('peer-busy') : undefined;
  }
}
