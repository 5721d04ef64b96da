/** A file of a share while somebody edits it on this machine, in a folder that nobody else may look into. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { XferError, type FarPath, type ListedItem, type Share, type TransferOutcome } from '../index.js';

export class Draft {
  /** Where it is on this machine. */
  readonly file: string;
  readonly #folder: string;
  readonly #path: FarPath;
  /** What was there when it was fetched; `undefined` where nothing was. */
  #found: ListedItem | undefined;
  #digest: string | undefined;
  #isPut = false;

  private constructor(folder: string, at: FarPath) {
    this.#folder = folder;
    this.#path = at;
    this.file = path.join(folder, at.at(-1) ?? '');
  }

  /** A place for the file at this path of a share. */
  static async make(at: FarPath): Promise<Draft> {
    return new Draft(await mkdtemp(path.join(tmpdir(), 'xfer-edit-')), at);
  }

  /** Fetches it; where there is none yet it begins empty. Throws as `look` and `get` of a share, `is-a-folder`. */
  async fetch(share: Share): Promise<void> {
    // Before its content: what changes between them is taken for a change, and not the other way round.
    this.#found = await lookFor(share, this.#path);
    if (this.#found?.type === 'folder') {
      throw new XferError('is-a-folder', { subject: share.nameOf(this.#path) });
    }
    if (this.#found === undefined) {
      // What it would go into must be there. Whether it may go there only shows when it does.
      await share.list(this.#path.slice(0, -1));
      await writeFile(this.file, '', { flag: 'wx', mode: 0o600 });
    } else {
      const decide = () => Promise.resolve({ accept: true, conflicts: 'refuse' } as const);
      const { missing } = await share.get([this.#path], { out: this.#folder, sync: false, decide });
      if (missing.length > 0) throw new XferError(missing[0]?.reason ?? 'incomplete');
    }
    this.#digest = await digestOf(this.file);
  }

  /** Whether it is not what was fetched any more. An editor that leaves no file changed nothing. */
  async isChanged(): Promise<boolean> {
    if (this.#digest === undefined) return false;
    const digest = await digestOf(this.file);
    return digest !== undefined && digest !== this.#digest;
  }

  /**
   * Puts it where it came from, in place of what was fetched and of nothing else. The share replaces a file in one step, but what
   * somebody writes between the look at it and that step is replaced too: a request that says what it may replace is not part of the
   * protocol.
   *
   * @throws XferError `target-changed` and as `put` of a share
   */
  async putBack(share: Share): Promise<TransferOutcome> {
    const now = await lookFor(share, this.#path);
    if (!isSame(this.#found, now)) {
      throw new XferError('target-changed', { subject: share.nameOf(this.#path), detail: 'edited' });
    }
    const policy = this.#found === undefined ? 'refuse' : 'overwrite';
    const outcome = await share.put({ kind: 'files', paths: [this.file] }, this.#path, policy);
    this.#isPut = outcome.missingCount === 0;
    return outcome;
  }

  /** Removes it, unless that would lose an edit. Gives back where it is kept then. */
  async close(): Promise<string | undefined> {
    if (!this.#isPut && (await this.isChanged())) return this.file;
    await rm(this.#folder, { recursive: true, force: true });
    return undefined;
  }
}

async function lookFor(share: Share, at: FarPath): Promise<ListedItem | undefined> {
  try {
    return await share.look(at);
  } catch (error) {
    if (error instanceof XferError && error.code === 'path-missing') return undefined;
    throw error;
  }
}

function isSame(one: ListedItem | undefined, other: ListedItem | undefined): boolean {
  return one?.type === other?.type && one?.size === other?.size && one?.mtimeMs === other?.mtimeMs;
}

/** `undefined` where there is no file. */
async function digestOf(file: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return hash.digest('hex');
}
