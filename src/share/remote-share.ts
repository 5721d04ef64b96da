/** A share of another machine, as this side uses it: docs/protocol.md section 12. */
import type { OwnerProof } from '../crypto/owner.js';
import { isErrorCode, toXferError, XferError, type ErrorCode } from '../errors.js';
import { atLast, leave } from '../transfer/conduct.js';
import { Exchange, SHARE_WORDS, type TransferChannel, type Word } from '../transfer/exchange.js';
import { peerError } from '../transfer/inbox.js';
import { MAX_ENTRIES, type Channel, type ConflictPolicy } from '../transfer/ports.js';
import {
  MAX_LISTED_ACTIONS,
  type Ask,
  type Ending,
  type FarPath,
  type ListedAction,
  type ListedItem,
  type Stream,
} from '../transfer/share-messages.js';
import { malformed } from '../transfer/wire.js';

/** Reasons that are about what was asked for. All others are about the machine at the other end. */
const ABOUT_PATHS: readonly ErrorCode[] = [
  'path-missing',
  'path-unreadable',
  'target-exists',
  'target-protected',
  'same-name',
  'name-refused',
  'nothing-to-send',
  'not-allowed',
  'not-a-folder',
  'is-a-folder',
  'wrong-password',
  'too-many-tries',
  'no-action',
  'argument-count',
  'argument-refused',
  'too-many-runs',
  'action-failed',
];

/** What the side that asks may hear. */
type Answer = Exclude<Word, { type: 'request' | 'proof' }>;

/** Takes a piece of what runs, and is done when there is room for more. */
export type OnOutput = (stream: Stream, bytes: Uint8Array) => Promise<void>;

const REPLACE = 'replace what is there';

/** Requests, one at a time: whoever asks waits for the answer to the one before. */
export class RemoteShare {
  readonly #exchange: Exchange;
  /** What to put before paths in messages, such as `pi:`. */
  readonly #prefix: string;
  #count = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** Takes the channel over. */
  constructor(channel: Channel, prefix: string) {
    this.#exchange = new Exchange(channel, SHARE_WORDS);
    this.#prefix = prefix;
  }

  /** What a folder holds, in the order of names. Throws `path-missing`, `not-a-folder`, `path-unreadable`, `not-allowed`. */
  async list(path: FarPath): Promise<readonly ListedItem[]> {
    return this.#ask({ action: 'list', path });
  }

  /** Throws `path-missing`, `not-allowed`. */
  async look(path: FarPath): Promise<ListedItem> {
    const [item] = await this.#ask({ action: 'look', path });
    if (item === undefined) throw this.#breach('nothing to look at');
    return item;
  }

  /** Throws `target-exists`, `path-missing`, `not-allowed`. */
  async makeFolder(path: FarPath): Promise<void> {
    await this.#ask({ action: 'make-folder', path });
  }

  /** Throws `path-missing`, `is-a-folder` for a folder unless `recursive`, `not-allowed`. */
  async remove(path: FarPath, recursive: boolean): Promise<void> {
    await this.#ask({ action: 'remove', path, recursive });
  }

  /** Throws `path-missing`, `target-exists` unless `replace`, `not-allowed`. */
  async move(from: FarPath, to: FarPath, replace: boolean): Promise<void> {
    await this.#ask({ action: 'move', from, to, replace });
  }

  /** Has files and folders sent to this side, which `receive` takes. Throws what the share refuses it for, and what `receive` throws. */
  get<T>(paths: readonly FarPath[], receive: (channel: Channel) => Promise<T>): Promise<T> {
    return this.#transfer({ action: 'get', paths }, receive);
  }

  /** Has the share take what `send` sends. Throws what the share refuses it for, and what `send` throws. */
  async put<T>(path: FarPath, conflicts: ConflictPolicy, send: (channel: Channel) => Promise<T>): Promise<T> {
    const ask = { action: 'put', path, conflicts } as const;
    try {
      return await this.#transfer(ask, send);
    } catch (error) {
      throw this.#refusalIn(error, ask) ?? error;
    }
  }

  /** What it would run for this device. Throws `not-allowed`. */
  actions(): Promise<readonly ListedAction[]> {
    const ask = { action: 'actions' } as const;
    return this.#inTurn(async () => {
      const request = await this.#say(ask);
      const actions: ListedAction[] = [];
      await this.#untilReply(request, ask, (word) => {
        if (word.type !== 'actions' || word.actions.length === 0) throw this.#breach('no list of actions');
        actions.push(...word.actions);
        if (actions.length > MAX_LISTED_ACTIONS) {
          throw this.#ended(new XferError('limit', { detail: MAX_LISTED_ACTIONS }));
        }
      });
      return actions;
    });
  }

  /**
   * Has the share run something. How much it says nobody knows before: the next piece comes when `onOutput` is done with the one before.
   * What that throws ends the session, and what runs with it.
   *
   * @throws XferError `not-allowed`, `no-action`, `argument-count`, `argument-refused`, `too-many-runs`, `action-failed`; what `onOutput` throws
   */
  run(name: string, words: readonly string[], onOutput: OnOutput): Promise<Ending> {
    const ask = { action: 'run', name, words } as const;
    return this.#inTurn(async () => {
      const request = await this.#say(ask);
      let hasBegun = false;
      let ending: Ending | undefined;
      for (;;) {
        const word = await this.#next(request);
        if (word.type === 'reply') {
          if (word.problem !== undefined && !hasBegun) throw this.#problem(word.problem, ask, word.path);
          if (word.problem !== undefined || ending === undefined) throw this.#breach('no end of what ran');
          return ending;
        }
        hasBegun = true;
        if (ending !== undefined) throw this.#breach('more of what is over');
        if (word.type === 'ended') ending = word.ending;
        else if (word.type === 'output') await this.#hand(word, onOutput);
        else throw this.#breach('no output of what runs');
      }
    });
  }

  async #hand({ stream, bytes }: { stream: Stream; bytes: Uint8Array }, onOutput: OnOutput): Promise<void> {
    try {
      await onOutput(stream, bytes);
    } catch (error) {
      await this.leave(new XferError('interrupted'));
      throw error;
    }
  }

  /**
   * Ends the share for all.
   *
   * @param prove Gives the proof for the share's salt and point; `undefined` where that is no point.
   * @throws XferError `wrong-password`, `too-many-tries`, `not-allowed` where its owner has set no password
   */
  stop(prove: (salt: Uint8Array, point: Uint8Array) => OwnerProof | undefined): Promise<void> {
    const ask = { action: 'stop' } as const;
    return this.#inTurn(async () => {
      const request = await this.#say(ask);
      const word = await this.#next(request);
      if (word.type === 'reply' && word.problem !== undefined) throw this.#problem(word.problem, ask, 0);
      const proof = word.type === 'challenge' ? prove(word.salt, word.point) : undefined;
      if (proof === undefined) throw this.#breach('no challenge');
      await this.#exchange.say({ type: 'proof', request, ...proof });
      await this.#answerTo(request, ask);
    });
  }

  /** Says goodbye, and hears it: a connection that is dropped before would look like one that is lost. */
  async end(): Promise<void> {
    await this.#exchange.end();
    while ((await this.#exchange.next()) !== undefined);
  }

  /** Goes at once. What is asked or moved just now throws `error`. */
  leave(error: XferError): Promise<void> {
    return this.#exchange.leave(error);
  }

  /** One request after the other. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  #ask(ask: Ask): Promise<readonly ListedItem[]> {
    return this.#inTurn(async () => {
      const request = await this.#say(ask);
      return this.#answerTo(request, ask);
    });
  }

  #transfer<T>(ask: Ask, move: (channel: TransferChannel) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      // Before it is asked for: what belongs to it may follow the reply at once.
      const channel = this.#exchange.begin(this.#count + 1);
      const request = await this.#say(ask);
      try {
        await this.#answerTo(request, ask);
      } catch (error) {
        this.#exchange.cancel();
        throw error;
      }
      try {
        return await move(channel);
      } catch (thrown) {
        const error = toXferError(thrown);
        // It may have failed before anything was said of it.
        await leave(channel, error);
        // Whoever was stopped does not wait for all that is on a slow line.
        if (hasStopped(error)) {
          await atLast(channel.over);
          if (!channel.isOver) await this.leave(error);
        }
        throw thrown;
      } finally {
        await channel.over;
      }
    });
  }

  async #say(ask: Ask): Promise<number> {
    this.#count += 1;
    await this.#exchange.say({ type: 'request', request: this.#count, ask });
    return this.#count;
  }

  /** What was listed before the reply. Throws what the reply says. */
  async #answerTo(request: number, ask: Ask): Promise<ListedItem[]> {
    const items: ListedItem[] = [];
    await this.#untilReply(request, ask, (word) => {
      if (word.type !== 'listing') throw this.#breach('an answer that nobody asked for');
      // One that lists nothing would never reach the limit.
      const isAsked =
        ask.action === 'list' || (ask.action === 'look' && items.length === 0 && word.items.length === 1);
      if (!isAsked || word.items.length === 0) throw this.#breach('a listing that nobody asked for');
      for (const item of word.items) items.push(item);
      if (items.length > MAX_ENTRIES) throw this.#ended(new XferError('limit', { detail: MAX_ENTRIES }));
    });
    return items;
  }

  /** Hands over what comes before the reply. Throws what `take` throws, and what the reply says. */
  async #untilReply(
    request: number,
    ask: Ask,
    take: (word: Exclude<Answer, { type: 'reply' }>) => void,
  ): Promise<void> {
    for (;;) {
      const word = await this.#next(request);
      if (word.type === 'reply') {
        if (word.problem !== undefined) throw this.#problem(word.problem, ask, word.path);
        return;
      }
      take(word);
    }
  }

  async #next(request: number): Promise<Answer> {
    const word = await this.#exchange.next();
    if (word === undefined) throw new XferError('peer-gone');
    if (word.type === 'request' || word.type === 'proof' || word.request !== request) {
      throw this.#breach('no answer to the request');
    }
    return word;
  }

  /** The share does not keep to the protocol. */
  #breach(detail: string): XferError {
    return this.#ended(malformed(detail));
  }

  /** For what leaves nothing to say to the share. */
  #ended(error: XferError): XferError {
    this.#exchange.destroy(error);
    return error;
  }

  #problem(code: ErrorCode, ask: Ask, path: number): XferError {
    if (!ABOUT_PATHS.includes(code)) return peerError(code);
    const detail = code === 'not-allowed' ? { detail: rightFor(ask) } : {};
    return new XferError(code, { subject: this.#subjectOf(code, ask, path), ...detail });
  }

  #subjectOf(code: ErrorCode, ask: Ask, index: number): string {
    if (ask.action !== 'run' || code === 'not-allowed') return this.nameOf(pathIn(ask, index));
    return code === 'argument-refused' ? (ask.words[index] ?? '') : ask.name;
  }

  /** As people write it. Foreign text where it came from a listing. */
  nameOf(path: FarPath): string {
    return `${this.#prefix}${path.join('/')}`;
  }

  /** What is said of the files themselves, once they are offered. */
  #refusalIn(error: unknown, ask: Ask): XferError | undefined {
    if (!(error instanceof XferError) || error.code !== 'declined' || typeof error.detail !== 'string') {
      return undefined;
    }
    return isErrorCode(error.detail) ? this.#problem(error.detail, ask, 0) : undefined;
  }
}

/** Whether this is why the whole session ends. */
function hasStopped(error: unknown): error is XferError {
  return error instanceof XferError && (error.code === 'interrupted' || error.code === 'device-removed');
}

function pathIn(ask: Ask, index: number): FarPath {
  if (ask.action === 'get') return ask.paths[index] ?? [];
  if (ask.action === 'move') return index === 0 ? ask.from : ask.to;
  return 'path' in ask ? ask.path : [];
}

/** What the device would have to be allowed, as far as this side can tell. */
function rightFor(ask: Ask): string {
  switch (ask.action) {
    case 'list':
    case 'look':
    case 'get':
      return 'read';
    case 'remove':
      return 'delete';
    case 'put':
      return ask.conflicts === 'overwrite' || ask.conflicts === 'update' ? REPLACE : 'write';
    case 'move':
      return ask.replace ? REPLACE : 'write';
    case 'make-folder':
      return 'write';
    case 'run':
    case 'actions':
      return 'run actions';
    case 'stop':
      return 'stop it: its owner has set no password';
  }
}
