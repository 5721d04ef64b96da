/** What a share does for one device that uses it: docs/protocol.md section 12. */
import { XferError, toXferError, type ErrorCode } from '../errors.js';
import type { OwnerProof } from '../crypto/owner.js';
import { breathe } from '../files/pace.js';
import type { SharedEntry, SharedFolder } from '../files/shared-folder.js';
import { atLast, interruption, leave, PARTING_MS } from '../transfer/conduct.js';
import { deferred } from '../transfer/deferred.js';
import type { Exchange, TransferChannel } from '../transfer/exchange.js';
import type { Channel, ConflictPolicy, FileSource } from '../transfer/ports.js';
import { MAX_LISTED, type Action, type Ask, type Ending, type FarPath } from '../transfer/share-messages.js';
import { malformed } from '../transfer/wire.js';
import type { DeviceActions } from './actions.js';
import type { Rights } from './rights.js';

/** Moves files over a channel; throws as `sendFiles` and `receiveFiles`. */
export interface Mover {
  send(channel: Channel, source: FileSource): Promise<Moved>;
  receive(channel: Channel, out: string, conflicts: ConflictPolicy, dotfiles: boolean): Promise<Moved>;
}

export interface Moved {
  readonly files: number;
  readonly bytes: number;
  /** How many entries did not arrive. */
  readonly missingCount: number;
}

/** What a device had run. */
export interface Ran {
  /** Foreign text, as the words are. */
  readonly name: string;
  readonly words: readonly string[];
  /** Whether it was started. */
  readonly hasBegun: boolean;
  /** How much it wrote, in bytes, and how it ended; not where it was not started, or ended with its session. */
  readonly bytes?: number;
  readonly ending?: Ending;
}

/** Something that a device did, or wanted to. */
export interface ShareAction {
  readonly action: Action;
  /** Below the share, with slashes. Foreign text. */
  readonly paths: readonly string[];
  /** Of `get` and `put`, once something moved. */
  readonly moved?: Moved;
  /** Of `run`. */
  readonly ran?: Ran;
  /** Why it failed. */
  readonly problem?: ErrorCode;
}

export interface ShareAccess {
  readonly folder: SharedFolder;
  /** As they are now: they may change while the device is there. */
  readonly rights: () => Rights;
  /** Where the device drops files that has an inbox; made when it is first needed. */
  readonly inbox: () => string;
  readonly mover: Mover;
  readonly stopping: Stopping;
  /** What the device may have run; nothing if not given. */
  readonly actions?: DeviceActions | undefined;
  readonly onAction: (action: ShareAction) => void;
}

/** How a device ends the share. */
export interface Stopping {
  /** Throws `not-allowed` where there is no password, and `too-many-tries`. */
  challenge(): Promise<Challenge>;
  /** Called once it is right. */
  stop(): void;
}

/** One try. */
export interface Challenge {
  readonly salt: Uint8Array;
  readonly point: Uint8Array;
  accepts(proof: OwnerProof): boolean;
}

/** Of items in one message, which holds 64 KiB. */
const LISTING_BYTES = 60_000;
/** Most bytes of an encoded item without its name. */
const ITEM_BYTES = 21;

/**
 * Answers requests until the device ends. What one of them fails for is told to it and ends nothing else.
 *
 * @throws XferError `protocol`, what the exchange throws, and the `interruption` of the signal; the device was told then
 */
export async function answerRequests(
  exchange: Exchange,
  access: ShareAccess,
  signal: AbortSignal,
): Promise<void> {
  const answering = new Answering(exchange, access, signal);
  let isEnding = false;
  const stopped = deferred<never>();
  const stop = (): void => {
    const error = interruption(signal);
    // A device that said its last word may be out of reach by now.
    if (isEnding) exchange.destroy(error);
    exchange.interrupt(error);
    // Everything else may wait for a device that takes nothing.
    if (!answering.endsByItself) stopped.reject(error);
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  let answered: Promise<void> = Promise.resolve();
  try {
    for (let count = 1; ; count++) {
      const word = await exchange.next();
      if (word === undefined) break;
      if (word.type !== 'request' || word.request !== count) throw malformed('no request in its turn');
      answered = answering.answer(word.request, word.ask);
      await Promise.race([answered, stopped.promise]);
    }
    isEnding = true;
    await atLast(exchange.end(), PARTING_MS);
  } catch (thrown) {
    const error = toXferError(thrown);
    await exchange.leave(error);
    // Nothing of this side is still at work when its caller cleans up.
    await atLast(answered);
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

class Answering {
  readonly #exchange: Exchange;
  readonly #access: ShareAccess;
  readonly #signal: AbortSignal;
  /** Files are under way, or something runs: they hear of the signal themselves. */
  endsByItself = false;

  constructor(exchange: Exchange, access: ShareAccess, signal: AbortSignal) {
    this.#exchange = exchange;
    this.#access = access;
    this.#signal = signal;
  }

  async answer(request: number, ask: Ask): Promise<void> {
    const said = { action: ask.action, paths: pathsOf(ask).map((path) => path.join('/')) };
    try {
      const done = await this.#do(request, ask);
      this.#access.onAction({ ...said, ...done });
    } catch (thrown) {
      const failure = thrown instanceof Failure ? thrown : undefined;
      const { code } = failure?.error ?? this.#reasonOf(thrown);
      const hasBegun = failure === undefined;
      const ran = ask.action === 'run' ? { ran: { name: ask.name, words: ask.words, hasBegun } } : {};
      this.#access.onAction({ ...said, ...ran, problem: code });
      if (failure === undefined) throw thrown;
      if (failure.path !== undefined) await this.#reply(request, code, failure.path);
    }
  }

  /** Throws a `Failure` of the request, and anything else where the session cannot go on. */
  async #do(request: number, ask: Ask): Promise<Pick<ShareAction, 'moved' | 'ran'>> {
    switch (ask.action) {
      case 'list':
        await this.#list(request, ask.path);
        break;
      case 'look':
        await this.#look(request, ask.path);
        break;
      case 'get':
        return { moved: await this.#get(request, ask.paths) };
      case 'put':
        return { moved: await this.#put(request, ask) };
      case 'run': {
        const ran = await this.#run(request, ask);
        await this.#reply(request);
        return { ran };
      }
      case 'actions':
        await this.#actions(request);
        break;
      case 'make-folder':
        await refusing(0, () => {
          this.#demand('write', ask.path);
          this.#access.folder.makeFolder(ask.path);
        });
        break;
      case 'remove':
        await refusing(0, () => {
          this.#demand('delete', ask.path);
          return this.#access.folder.remove(ask.path, ask.recursive);
        });
        break;
      case 'move':
        await this.#move(ask);
        break;
      case 'stop':
        await this.#stop(request);
    }
    await this.#reply(request);
    return {};
  }

  async #actions(request: number): Promise<void> {
    const actions = await refusing(0, () => {
      this.#demand('run');
      return this.#access.actions?.list() ?? [];
    });
    if (actions.length > 0) await this.#exchange.say({ type: 'actions', request, actions });
  }

  /** Runs something until it ends, or until nobody is there to read what it says. */
  async #run(request: number, { name, words }: Extract<Ask, { action: 'run' }>): Promise<Ran> {
    const { actions } = this.#access;
    const action = await refusing(0, () => {
      this.#demand('run');
      // The same whether there is one that is not for this device, or none at all.
      if (actions === undefined) throw new XferError('no-action');
      return actions.find(name, words.length);
    });
    for (const [index, word] of words.entries()) await refusing(index, () => action.check(index, word));
    const { gone } = this.#exchange;
    const running = await refusing(0, () => action.start(words, AbortSignal.any([this.#signal, gone])));
    this.endsByItself = true;
    const { ending, bytes } = await running
      .outcome((stream, piece) => this.#exchange.say({ type: 'output', request, stream, bytes: piece }))
      .finally(() => (this.endsByItself = false));
    if (this.#signal.aborted) throw interruption(this.#signal);
    if (gone.aborted) throw toXferError(gone.reason);
    await this.#exchange.say({ type: 'ended', request, ending });
    return { name, words, hasBegun: true, bytes, ending };
  }

  async #list(request: number, path: FarPath): Promise<void> {
    const batches = await refusing(0, async () => {
      this.#demand('read');
      const found = this.#access.folder.list(path)[Symbol.asyncIterator]();
      // What is wrong with the folder shows with the first batch.
      return { first: await found.next(), found };
    });
    let { first: next } = batches;
    while (next.done !== true) {
      for (const items of pieces(next.value)) await this.#exchange.say({ type: 'listing', request, items });
      next = await refusing(0, () => batches.found.next());
    }
  }

  async #look(request: number, path: FarPath): Promise<void> {
    const item = await refusing(0, () => {
      this.#demand('read');
      return this.#access.folder.look(path);
    });
    await this.#exchange.say({ type: 'listing', request, items: [item] });
  }

  async #move({ from, to, replace }: Extract<Ask, { action: 'move' }>): Promise<void> {
    await refusing(0, () => {
      this.#demand('write', from);
      this.#access.folder.look(from);
    });
    await refusing(1, () => {
      this.#demand('write', to);
      if (replace) this.#demand('delete');
      this.#access.folder.move(from, to, replace);
    });
  }

  async #get(request: number, paths: readonly FarPath[]): Promise<Moved> {
    await refusing(0, () => {
      this.#demand('read');
      if (paths.length === 0) throw new XferError('nothing-to-send');
    });
    for (const [index, path] of paths.entries()) {
      await breathe();
      await refusing(index, () => this.#access.folder.look(path));
    }
    const source = await refusing(0, () => this.#access.folder.source(paths));
    try {
      return await this.#transfer(request, (channel) => this.#access.mover.send(channel, source));
    } finally {
      source.close();
    }
  }

  async #put(request: number, { path, conflicts }: Extract<Ask, { action: 'put' }>): Promise<Moved> {
    const place = await refusing(0, () => placeFor(this.#access, path, conflicts));
    return this.#transfer(request, (channel) =>
      this.#access.mover.receive(channel, place.out, place.conflicts, place.dotfiles),
    );
  }

  /** Ends the share for all where the device proves that it knows the owner's password. */
  async #stop(request: number): Promise<void> {
    const { stopping } = this.#access;
    const challenge = await refusing(0, () => stopping.challenge());
    await this.#exchange.say({ type: 'challenge', request, salt: challenge.salt, point: challenge.point });
    const proof = await this.#exchange.next();
    if (proof?.type !== 'proof' || proof.request !== request) throw malformed('no proof in its turn');
    await refusing(0, () => {
      if (!challenge.accepts(proof)) throw new XferError('wrong-password');
      stopping.stop();
    });
  }

  async #transfer(request: number, move: (channel: TransferChannel) => Promise<Moved>): Promise<Moved> {
    // Before the peer knows: what it says of it may come at once.
    const channel = this.#exchange.begin(request);
    await this.#reply(request);
    this.endsByItself = true;
    const moved = await move(channel).catch(async (thrown: unknown) => {
      const error = toXferError(thrown);
      // It may have failed before anything was said of it.
      await leave(channel, error);
      return new Failure(error);
    });
    this.endsByItself = false;
    // Who is to go does not wait for a device that may be away.
    await (this.#signal.aborted ? atLast(channel.over) : channel.over);
    if (moved instanceof Failure) throw moved;
    return moved;
  }

  /** Once the session is given up, nothing can be said any more: that is no reason of its own. */
  #reasonOf(thrown: unknown): XferError {
    return this.#signal.aborted ? interruption(this.#signal) : toXferError(thrown);
  }

  #demand(right: 'read' | 'write' | 'delete' | 'run', path?: FarPath): void {
    demand(this.#access.rights(), right, path);
  }

  #reply(request: number, problem?: ErrorCode, path = 0): Promise<void> {
    return this.#exchange.say({ type: 'reply', request, problem, path });
  }
}

/** Where what a device brings goes, and how. Throws `not-allowed`, and what the folder says of the path. */
export function placeFor(
  { folder, inbox, rights }: ShareAccess,
  path: FarPath,
  conflicts: ConflictPolicy,
): { readonly out: string; readonly conflicts: ConflictPolicy; readonly dotfiles: boolean } {
  const allowed = rights();
  const { dotfiles } = allowed;
  if (allowed.inbox) {
    // What is there already is nobody's business who only drops.
    if (path.length > 0) throw new XferError('not-allowed', { detail: 'choose the folder' });
    return { out: inbox(), conflicts: 'rename', dotfiles };
  }
  demand(allowed, 'write', path);
  if (conflicts === 'overwrite' || conflicts === 'update') demand(allowed, 'delete');
  return { out: folder.locate(path), conflicts, dotfiles };
}

/** Throws `not-allowed`, and `target-protected` for a path with a name that programs may obey. */
function demand(rights: Rights, right: 'read' | 'write' | 'delete' | 'run', path: FarPath = []): void {
  if (!rights[right]) throw new XferError('not-allowed', { detail: right });
  if (!rights.dotfiles && path.some((name) => name.startsWith('.'))) throw new XferError('target-protected');
}

/** What is wrong with a request, while the session is not. */
class Failure extends Error {
  readonly error: XferError;
  /** Which path of the request it is about; `undefined` where the device was told already. */
  readonly path: number | undefined;

  constructor(error: XferError, path?: number) {
    super(error.code, { cause: error });
    this.error = error;
    this.path = path;
  }
}

/** What `work` throws is the answer to a request, and about that path of it. */
async function refusing<T>(path: number, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw new Failure(toXferError(thrown), path);
  }
}

/** Items in messages that are not too long. */
function* pieces(items: readonly SharedEntry[]): Generator<SharedEntry[]> {
  let piece: SharedEntry[] = [];
  let bytes = 0;
  for (const item of items) {
    bytes += ITEM_BYTES + Buffer.byteLength(item.name);
    if (piece.length === MAX_LISTED || bytes > LISTING_BYTES) {
      yield piece;
      [piece, bytes] = [[], ITEM_BYTES + Buffer.byteLength(item.name)];
    }
    piece.push(item);
  }
  if (piece.length > 0) yield piece;
}

function pathsOf(ask: Ask): readonly FarPath[] {
  switch (ask.action) {
    case 'get':
      return ask.paths;
    case 'move':
      return [ask.from, ask.to];
    case 'stop':
    case 'run':
    case 'actions':
      return [];
    default:
      return [ask.path];
  }
}
