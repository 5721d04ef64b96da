/** The side of a session that uses the share of another machine. */
import { proveOwner, stretchPassword } from './crypto/owner.js';
import { loadPairingSodium } from './crypto/sodium.js';
import { XferError } from './errors.js';
import { openSource } from './files/source.js';
import {
  loadReceiving,
  loadSending,
  whileBusy,
  type ReceiveOver,
  type ReceivingOptions,
  type SendOver,
  type Session,
} from './moving.js';
import type {
  DeviceTarget,
  FilesToSend,
  MeetingOptions,
  OfferSummary,
  ReceiveOutcome,
  TransferOutcome,
} from './options.js';
import { meetingOf, withSession } from './session.js';
import { parsePassword } from './share/owner-password.js';
import { RemoteShare, type OnOutput } from './share/remote-share.js';
import { atLast, interruption } from './transfer/conduct.js';
import { orAborted } from './transfer/deadline.js';
import type { Channel, ConflictPolicy, FileSource } from './transfer/ports.js';
import type { Ending, FarPath, ListedAction, ListedItem } from './transfer/share-messages.js';
import { malformed } from './transfer/wire.js';

/** A share of another machine. Requests wait for each other. */
export interface Share {
  /** As people write a path in it. Foreign text where it came from a listing. */
  nameOf(path: FarPath): string;
  /** What a folder holds, in the order of names. Throws `path-missing`, `not-a-folder`, `path-unreadable`, `not-allowed`. */
  list(path: FarPath): Promise<readonly ListedItem[]>;
  /** Throws `path-missing`, `not-allowed`. */
  look(path: FarPath): Promise<ListedItem>;
  /** Throws `target-exists`, `path-missing`, `not-allowed`. */
  makeFolder(path: FarPath): Promise<void>;
  /** Throws `path-missing`, `is-a-folder` for a folder unless `recursive`, `not-allowed`. */
  remove(path: FarPath, recursive: boolean): Promise<void>;
  /** Throws `path-missing`, `target-exists` unless `replace`, `not-allowed`. */
  move(from: FarPath, to: FarPath, replace: boolean): Promise<void>;
  /** As `receive` of the library. Throws `path-missing`, `same-name`, `not-allowed` too. */
  get(paths: readonly FarPath[], options: ReceivingOptions): Promise<ReceiveOutcome>;
  /** Ends the share for all. Throws `wrong-password`, `too-many-tries`, `not-allowed` where its owner has set no password, and `usage` for what is none. */
  stop(password: string): Promise<void>;
  /** What this device may have run there. Throws `not-allowed`. */
  actions(): Promise<readonly ListedAction[]>;
  /**
   * Has something run there, which ends with the session. Its next piece comes when `onOutput` is done with the one before, and what that
   * throws ends the session.
   *
   * @throws XferError `not-allowed`, `no-action`, `argument-count`, `argument-refused`, `too-many-runs`, `action-failed`; what `onOutput` throws
   */
  run(name: string, words: readonly string[], onOutput: OnOutput): Promise<Ending>;
  /** As `send` of the library. Throws `target-exists`, `path-missing`, `not-allowed` too. */
  put(content: FilesToSend, path: FarPath, conflicts: ConflictPolicy): Promise<TransferOutcome>;
}

/** How to come to a share. */
export type UseOptions = MeetingOptions & { readonly device: DeviceTarget };

/**
 * Connects to the share of a device, and lets `use` work with it.
 *
 * @throws XferError `no-share`, `device-unknown`, `no-peer` and whatever else a session fails with; what `use` throws
 */
export async function useShare<T>(options: UseOptions, use: (share: Share) => Promise<T>): Promise<T> {
  const { name } = options.device;
  try {
    return await withSession('use', options, meetingOf(options), async () => {
      const [sendOver, receiveOver] = await Promise.all([loadSending(), loadReceiving()]);
      return (session) => {
        const remote = new RemoteShare(session.channel, `${name}:`);
        return withEnd(session, remote, use, new SessionShare(remote, session, sendOver, receiveOver));
      };
    });
  } catch (error) {
    const isNone = error instanceof XferError && error.code === 'no-share';
    throw isNone ? new XferError('no-share', { subject: name, cause: error }) : error;
  }
}

/** Says goodbye after `use`, and at once when the session is stopped. */
async function withEnd<T>(
  { signal, watch }: Session,
  remote: RemoteShare,
  use: (share: Share) => Promise<T>,
  share: SessionShare,
): Promise<T> {
  const stop = (): void => {
    // What is being moved ends by itself, and the share is told.
    if (!share.isMoving) void remote.leave(interruption(signal));
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  watch.pause();
  try {
    return await use(share);
  } catch (error) {
    throw signal.aborted ? interruption(signal) : error;
  } finally {
    signal.removeEventListener('abort', stop);
    // Also after an error: the share would wait for this side to come back.
    await atLast(remote.end());
  }
}

class SessionShare implements Share {
  readonly #remote: RemoteShare;
  readonly #session: Session;
  readonly #sendOver: SendOver;
  readonly #receiveOver: ReceiveOver;
  isMoving = false;

  constructor(remote: RemoteShare, session: Session, sendOver: SendOver, receiveOver: ReceiveOver) {
    this.#remote = remote;
    this.#session = session;
    this.#sendOver = sendOver;
    this.#receiveOver = receiveOver;
  }

  nameOf(path: FarPath): string {
    return this.#remote.nameOf(path);
  }

  list(path: FarPath): Promise<readonly ListedItem[]> {
    return this.#ask(() => this.#remote.list(path));
  }

  look(path: FarPath): Promise<ListedItem> {
    return this.#ask(() => this.#remote.look(path));
  }

  makeFolder(path: FarPath): Promise<void> {
    return this.#ask(() => this.#remote.makeFolder(path));
  }

  remove(path: FarPath, recursive: boolean): Promise<void> {
    return this.#ask(() => this.#remote.remove(path, recursive));
  }

  move(from: FarPath, to: FarPath, replace: boolean): Promise<void> {
    return this.#ask(() => this.#remote.move(from, to, replace));
  }

  async stop(password: string): Promise<void> {
    const secret = parsePassword(password);
    await loadPairingSodium();
    return this.#ask(() =>
      this.#remote.stop((salt, point) => {
        const stretched = stretchPassword(secret, salt);
        secret.erase();
        const proof = proveOwner(stretched, this.#session.ownerBinding, point);
        stretched.erase();
        return proof;
      }),
    );
  }

  actions(): Promise<readonly ListedAction[]> {
    return this.#ask(() => this.#remote.actions());
  }

  /** A program may say nothing for hours: silence is no stall. */
  async run(name: string, words: readonly string[], onOutput: OnOutput): Promise<Ending> {
    const { signal } = this.#session;
    if (signal.aborted) throw interruption(signal);
    // Whoever reads the output may have stopped to do so.
    const ending = await orAborted(this.#remote.run(name, words, onOutput), signal);
    if (ending === undefined) throw interruption(signal);
    return ending;
  }

  get(paths: readonly FarPath[], options: ReceivingOptions): Promise<ReceiveOutcome> {
    return this.#ask(() =>
      this.#remote.get(paths, (channel) =>
        this.#moving(() =>
          this.#receiveOver(this.#sessionOver(channel), {
            ...options,
            decide: async (offer, watch) => {
              assertAsked(offer, paths);
              return options.decide(offer, watch);
            },
          }),
        ),
      ),
    );
  }

  async put(content: FilesToSend, path: FarPath, conflicts: ConflictPolicy): Promise<TransferOutcome> {
    const source = await openSource(content);
    try {
      return await this.#ask(() =>
        this.#remote.put(path, conflicts, (channel) =>
          this.#moving(() => this.#sendOver(this.#sessionOver(channel), source, content)),
        ),
      );
    } catch (error) {
      throw await this.#named(error, path, source.roots);
    } finally {
      source.close();
    }
  }

  /** A share says that something exists, and not what. Where one thing was put into a folder it is clear. */
  async #named(error: unknown, path: FarPath, roots: FileSource['roots']): Promise<unknown> {
    const [root] = roots;
    if (!(error instanceof XferError) || error.code !== 'target-exists') return error;
    if (root === undefined || roots.length > 1) return error;
    const there = path.length === 0 ? undefined : await this.look(path).catch(() => undefined);
    if (path.length > 0 && there?.type !== 'folder') return error;
    return new XferError('target-exists', { subject: this.nameOf([...path, root.name]), cause: error });
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.#session;
    if (signal.aborted) throw interruption(signal);
    return whileBusy(this.#session, work);
  }

  async #moving<T>(work: () => Promise<T>): Promise<T> {
    this.isMoving = true;
    try {
      return await work();
    } finally {
      this.isMoving = false;
    }
  }

  #sessionOver(channel: Channel): Session {
    return { ...this.#session, channel };
  }
}

/** Throws `protocol` where the share offers anything else than what it was asked for: names are where things go on this machine. */
function assertAsked({ kind, roots }: Pick<OfferSummary, 'kind' | 'roots'>, paths: readonly FarPath[]): void {
  const names = paths.map((path) => path.at(-1));
  // What the share itself is called only it knows.
  const isAsked =
    roots.length === paths.length &&
    roots.every(({ name }) => names.includes(name) || names.includes(undefined));
  if (kind !== 'files' || !isAsked) throw malformed('an offer of what nobody asked for');
}
