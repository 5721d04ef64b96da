/** Transfers without files: a text, a pipe of unknown length, and output that is no folder. */
import { isUtf8 } from 'node:buffer';
import type { Readable, Writable } from 'node:stream';
import { XferError } from '../errors.js';
import {
  CHUNK_BYTES,
  NOTHING_KEPT,
  ROOT,
  type Entry,
  type FileSink,
  type FileSource,
  type Kept,
  type PartFile,
  type Prospect,
  type SourceFile,
} from '../transfer/ports.js';
import { errnoOf, writeError } from './disk-errors.js';
import { checkName } from './paths.js';
import type { OpenedSource } from './source.js';

/** The protocol has a text fit one chunk. */
const MAX_TEXT_BYTES = CHUNK_BYTES;

/** What somebody who saves a text or a pipe gets as the file's name. */
const TEXT_NAME = 'text.txt';
const PIPE_NAME = 'pipe';
/** Only its owner may read it: nobody said more. */
const PRIVATE_MODE = 0o600;
const ZEROS = Buffer.alloc(1 << 16);

/** Offers a text. Throws `limit` when it has more than 1 MiB, `nothing-to-send` when it is empty. */
export function textSource(text: string): OpenedSource {
  const bytes = Buffer.from(text);
  if (bytes.length === 0) throw new XferError('nothing-to-send');
  if (bytes.length > MAX_TEXT_BYTES) throw new XferError('limit', { detail: MAX_TEXT_BYTES });
  return singleSource(TEXT_NAME, bytes.length, {
    readWhole: (limit) => (bytes.length <= limit ? bytes : undefined),
    open: (offset) => {
      const pieces = offset < bytes.length ? [bytes.subarray(offset)] : [];
      return {
        read: async () => pieces.pop(),
        readAt: async (into, offset) => void bytes.copy(into, 0, offset),
        close: async () => undefined,
      };
    },
    close: () => undefined,
  });
}

/**
 * Offers what comes out of `input` until it ends. It can be read once; nothing is taken from `input` before that. Reading throws
 * `path-unreadable` when `input` fails or closes without an end.
 */
export function pipeSource(input: Readable): OpenedSource {
  const pipe = new Pipe(input);
  return singleSource(PIPE_NAME, undefined, {
    readWhole: () => undefined,
    open: () => pipe.open(),
    close: () => input.destroy(),
  });
}

interface Single {
  readWhole(limit: number): Uint8Array | undefined;
  open(offset: number): SourceFile;
  close(): void;
}

function singleSource(name: string, size: number | undefined, content: Single): OpenedSource {
  return {
    roots: [{ name, type: 'file', size }],
    async *scan() {
      const entry: Entry = {
        index: 0,
        parent: ROOT,
        type: 'file',
        name,
        size,
        mtimeMs: Date.now(),
        mode: PRIVATE_MODE,
      };
      yield { entries: [entry], skipped: [] };
    },
    readWhole: async (_entry, limit) => content.readWhole(limit),
    open: async (_entry, offset = 0) => content.open(offset),
    pathOf: () => name,
    close: () => content.close(),
  };
}

/** Collects what comes while the caller is busy, up to a chunk, so that a fast pipe travels in few records. */
class Pipe implements SourceFile {
  readonly #input: Readable;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #isOpen = false;
  #isOver = false;
  #error: XferError | undefined;
  #wake: () => void = () => undefined;

  constructor(input: Readable) {
    this.#input = input;
    // From the start: an error that nobody listens for ends the process.
    input.on('error', (thrown) => this.#end(unreadable(thrown)));
  }

  open(): SourceFile {
    if (this.#isOpen) throw new XferError('source-vanished', { subject: PIPE_NAME });
    this.#isOpen = true;
    this.#input.on('end', () => this.#end());
    this.#input.on('close', () => this.#end(unreadable()));
    this.#input.on('data', (piece: Uint8Array | string) => {
      this.#take(typeof piece === 'string' ? Buffer.from(piece) : piece);
    });
    if (this.#input.readableEnded) this.#end();
    else if (this.#input.destroyed) this.#end(unreadable());
    return this;
  }

  async read(): Promise<Uint8Array | undefined> {
    while (this.#length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#length > 0) return this.#give();
    if (this.#error !== undefined) throw this.#error;
    return undefined;
  }

  async readAt(): Promise<never> {
    throw new XferError('internal', { detail: 'a pipe is read from its start' });
  }

  /** What is left goes with the source: an input that is cut off tells whoever fills it. */
  async close(): Promise<void> {
    this.#input.destroy();
  }

  #take(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length >= CHUNK_BYTES) this.#input.pause();
    this.#wake();
  }

  #give(): Uint8Array {
    const [first, ...others] = this.#pieces;
    const all = first !== undefined && others.length === 0 ? first : Buffer.concat(this.#pieces);
    const rest = all.subarray(CHUNK_BYTES);
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    if (this.#length < CHUNK_BYTES) this.#input.resume();
    return all.subarray(0, CHUNK_BYTES);
  }

  /** The first word counts: a stream that ended closes afterwards. */
  #end(error?: XferError): void {
    if (!this.#isOver) this.#error = error;
    this.#isOver = true;
    this.#wake();
  }
}

function unreadable(cause?: unknown): XferError {
  return new XferError('path-unreadable', { subject: PIPE_NAME, cause });
}

/** Takes the one file of an offer, and nothing else. */
abstract class SingleSink implements FileSink, PartFile {
  /** Takes the next bytes of the file; they may be reused once the promise resolves. */
  abstract write(bytes: Uint8Array): Promise<void>;
  /** The file was verified. */
  abstract commit(): Promise<void>;

  async examine({ index, parent, type, name }: Entry): Promise<Prospect> {
    checkName(name, 'linux');
    if (index !== 0 || parent !== ROOT || type !== 'file') throw new XferError('protocol', { subject: name });
    return { status: 'new' };
  }

  async writeWhole(_entry: Entry, content: Uint8Array, onSettled?: () => void): Promise<void> {
    await this.write(content);
    await this.commit();
    onSettled?.();
  }

  async skip(length: number): Promise<void> {
    for (let left = length; left > 0; left -= ZEROS.length) await this.write(ZEROS.subarray(0, left));
  }

  async create(): Promise<PartFile> {
    return this;
  }

  async freeBytes(): Promise<undefined> {
    return undefined;
  }

  isBusy(): boolean {
    return false;
  }

  decide(): void {}
  async makeFolder(): Promise<void> {}
  async discard(): Promise<void> {}
  async keep(): Promise<void> {}

  async finish(): Promise<Kept> {
    return NOTHING_KEPT;
  }

  async abort(): Promise<Kept> {
    return NOTHING_KEPT;
  }

  isMadeAnew(): boolean {
    return false;
  }

  lookAgain(): 'new' {
    return 'new';
  }

  heldBytes(): number {
    return 0;
  }

  async openHeld(): Promise<undefined> {
    return undefined;
  }

  async openOlder(): Promise<[]> {
    return [];
  }

  /** What stands for output that is no file. */
  pathOf(): string {
    return '-';
  }
}

/** A sink that writes the one file of an offer to a stream as it comes. */
export class StreamSink extends SingleSink {
  readonly #output: Writable;
  #failure: Error | undefined;
  #bytesWritten = 0;

  constructor(output: Writable) {
    super();
    this.#output = output;
    // Also when nothing is being written: an error that nobody listens for ends the process.
    output.on('error', (error) => (this.#failure ??= error));
  }

  /** Bytes that left; each of them was authenticated when it did. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined || this.#output.destroyed) throw this.#explain(this.#failure);
    await new Promise<void>((resolve, reject) => {
      this.#output.write(bytes, (error) => (error ? reject(this.#explain(error)) : resolve()));
    });
    this.#bytesWritten += bytes.length;
  }

  async commit(): Promise<void> {}

  #explain(thrown: unknown): XferError {
    const { code } = CLOSED.has(errnoOf(thrown))
      ? { code: 'output-closed' as const }
      : writeError(thrown, '-');
    return new XferError(code, { detail: this.#bytesWritten, cause: thrown });
  }
}

/** What a stream says when its reader is gone; one without a code was destroyed by its owner. */
const CLOSED = new Set([
  'EPIPE',
  'ECONNRESET',
  'EOF',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_WRITE_AFTER_END',
  undefined,
]);

/**
 * Writes the one file of an offer to `output`, and leaves `output` open. Throws `not-streamable` for an offer of a folder or of
 * several files. Writing throws `output-closed` when nobody reads any more, `disk-full` or the like where `output` is a file, with the
 * number of good bytes that left before as `detail`.
 */
export function streamSink(output: Writable, offer: Pick<FileSource, 'roots'>): StreamSink {
  const [root, ...others] = offer.roots;
  if (root?.type !== 'file' || others.length > 0) {
    throw new XferError('not-streamable', root === undefined ? {} : { subject: root.name });
  }
  return new StreamSink(output);
}

/** A sink that keeps a text. Writing throws `limit` beyond 1 MiB, `protocol` for what is not UTF-8. */
export class TextSink extends SingleSink {
  #pieces: Buffer[] = [];
  #length = 0;
  #text: string | undefined;

  /** The text, foreign, once it was verified whole. */
  text(): string | undefined {
    return this.#text;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#length += bytes.length;
    if (this.#length > MAX_TEXT_BYTES) throw new XferError('limit', { detail: MAX_TEXT_BYTES });
    this.#pieces.push(Buffer.from(bytes));
  }

  async commit(): Promise<void> {
    const bytes = Buffer.concat(this.#pieces);
    if (!isUtf8(bytes)) throw new XferError('protocol', { detail: 'text is not UTF-8' });
    this.#text = bytes.toString();
  }

  override async discard(): Promise<void> {
    this.#pieces = [];
    this.#length = 0;
  }
}

export function textSink(): TextSink {
  return new TextSink();
}
