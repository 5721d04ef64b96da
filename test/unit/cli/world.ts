/** A terminal, or none, for commands under test. */
import { PassThrough, Writable } from 'node:stream';
import type { Context, Library } from '../../../src/cli/context.js';
import type { OfferSummary, TransferOutcome } from '../../../src/index.js';

export class Collected extends Writable {
  readonly isTTY: boolean;
  readonly columns: number;
  #pieces: string[] = [];

  constructor({ isTTY = false, columns = 80 } = {}) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
    this.columns = columns;
  }

  override _write(piece: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#pieces.push(piece.toString());
    done();
  }

  get text(): string {
    return this.#pieces.join('');
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }
}

export interface World {
  readonly context: Context;
  readonly stdin: PassThrough;
  readonly stdout: Collected;
  readonly stderr: Collected;
  readonly interruption: AbortController;
}

export interface WorldOptions {
  readonly terminal?: boolean;
  readonly library?: Partial<Library>;
  readonly env?: NodeJS.ProcessEnv;
  readonly code?: string;
  /** What the person types, with Ctrl-D for the end, or what is piped in. */
  readonly input?: string;
}

export function makeWorld({
  terminal = false,
  library = {},
  env = {},
  code,
  input,
}: WorldOptions = {}): World {
  const stdin = new PassThrough();
  // A dumb terminal draws nothing in place, so that its lines can be read.
  const stdout = new Collected({ isTTY: terminal });
  const stderr = new Collected({ isTTY: terminal });
  const interruption = new AbortController();
  const unexpected = (): never => {
    throw new Error('the test did not expect this call of the library');
  };
  // What ends is a pipe. Of a terminal only one that is gone does.
  if (input !== undefined && terminal) stdin.write(input);
  else if (input !== undefined) stdin.end(input);
  const context: Context = {
    library: {
      send: unexpected,
      distribute: unexpected,
      chat: unexpected,
      receive: unexpected,
      pair: unexpected,
      openDevices: unexpected,
      waitForDevices: unexpected,
      listContent: unexpected,
      leftovers: unexpected,
      removeLeftover: unexpected,
      runNode: unexpected,
      nodeAddress: unexpected,
      examine: unexpected,
      openShared: unexpected,
      openActions: unexpected,
      openRooms: unexpected,
      useShare: unexpected,
      setOwnerPassword: unexpected,
      ...library,
    },
    stdin: Object.assign(stdin, { isTTY: terminal }),
    stdout: stdout,
    stderr: stderr,
    env: { XFER_HOME: '/nonexistent', TERM: 'dumb', ...env },
    code,
    signal: interruption.signal,
    interrupt: () => {
      interruption.abort();
    },
    takeInterrupts: () => () => undefined,
  };
  return { context, stdin, stdout, stderr, interruption };
}

/** Types as a person does: what follows comes after what was typed had its effect. */
export async function type(stdin: PassThrough, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    stdin.write(key);
  }
}

/** An offer of one file, in which nothing is to be asked but the yes. */
export function makeOffer(changes: Partial<OfferSummary> = {}): OfferSummary {
  return {
    kind: 'files',
    roots: [{ name: 'a.txt', type: 'file', size: 5 }],
    files: 1,
    folders: 0,
    bytes: 5,
    arrivedFiles: 0,
    arrivedBytes: 0,
    partBytes: 0,
    complete: true,
    skippedBySender: 0,
    conflicts: [],
    conflictCount: 0,
    isBusy: false,
    refused: [],
    refusedCount: 0,
    executables: [],
    executableCount: 0,
    dotNames: [],
    freeBytes: undefined,
    isAllNew: false,
    intoHome: false,
    ...changes,
  };
}

/** A file of five bytes went over. */
export const moved: TransferOutcome = {
  files: 1,
  bytes: 5,
  continuedBytes: 0,
  alreadyFiles: 0,
  alreadyBytes: 0,
  unwantedFiles: 0,
  elapsedMs: 1000,
  missing: [],
  missingCount: 0,
  skippedCount: 0,
};

/** For `OfferWatch`: nothing changes and nobody leaves. */
export const stillWatch = { onUpdate: () => undefined, signal: new AbortController().signal };
