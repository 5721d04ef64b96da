/** A place in memory where a transfer arrives. */
import { LEAF_BYTES } from '../../src/crypto/digest.js';
import { XferError, type ErrorCode } from '../../src/errors.js';
import {
  ROOT,
  type ConflictPolicy,
  type Entry,
  type FileSink,
  type HeldPart,
  type Kept,
  type OlderCopy,
  type PartFile,
  type Prospect,
} from '../../src/transfer/ports.js';

export interface SinkFaults {
  /** Paths that are there already. */
  readonly existing?: readonly string[];
  /** Paths of folders that something else has the place of. */
  readonly blocked?: readonly string[];
  /** Names that cannot be kept here. */
  readonly refused?: readonly string[];
  /** Writing of these paths fails. */
  readonly failures?: Readonly<Record<string, ErrorCode>>;
  /** Another transfer is under way there. */
  readonly isBusy?: boolean;
  /** Room for this many bytes. */
  readonly capacity?: number;
  /** Beginnings of files that an interrupted transfer left, by their path. */
  readonly held?: Readonly<Record<string, Uint8Array>>;
  /** Paths of files that an interrupted transfer brought. */
  readonly before?: readonly string[];
  /** What became of these while the question was open: they were removed, or something else has their place. */
  readonly changed?: Readonly<Record<string, 'new' | 'exists'>>;
  /** What has the places of files, by their path. */
  readonly older?: Readonly<Record<string, Uint8Array>>;
  /** Paths of those that somebody changes once they were read. */
  readonly changesBeforeAdopted?: readonly string[];
  /** Throws them away, for long transfers. */
  readonly keepsNothing?: boolean;
}

export class MemorySink implements FileSink {
  /** What has its final name. */
  readonly arrived = new Map<string, Uint8Array | 'folder'>();
  readonly metadata = new Map<string, Pick<Entry, 'mode' | 'mtimeMs'>>();
  policy: ConflictPolicy | undefined;
  isFinished = false;
  /** By which `finish` hears of an interruption. */
  finishSignal: AbortSignal | undefined;
  /** What `finish` was told. */
  isWhole: boolean | undefined;
  isAborted = false;
  /** What `abort` was told. */
  keeps: boolean | undefined;
  /** Paths of parts that stay for a later transfer. */
  readonly kept: string[] = [];
  /** Paths of parts that were not right. */
  readonly setAside: string[] = [];
  /** Paths of files that stay as they are. */
  readonly adopted: string[] = [];
  openCopies = 0;
  /** Part files without a final name. */
  openParts = 0;
  examined = 0;
  readonly #paths: string[] = [];
  readonly #faults: SinkFaults;
  #written = 0;

  constructor(faults: SinkFaults = {}) {
    this.#faults = faults;
  }

  async examine(entry: Entry): Promise<Prospect> {
    if (entry.name === '' || entry.name === '..' || entry.name.includes('/')) throw new XferError('protocol');
    const path = entry.parent === ROOT ? entry.name : `${this.#paths[entry.parent]!}/${entry.name}`;
    this.#paths[entry.index] = path;
    this.examined++;
    if (this.#faults.refused?.includes(entry.name) === true)
      return { status: 'refused', reason: 'name-refused' };
    if (this.#faults.blocked?.some((blocked) => `${path}/`.startsWith(`${blocked}/`)) === true)
      return { status: 'exists' };
    if (this.#faults.before?.includes(path) === true) return { status: 'arrived' };
    if (this.#faults.older?.[path] !== undefined) return { status: 'exists' };
    const isThere = this.#faults.existing?.includes(path) === true;
    if (isThere && entry.type === 'folder') return { status: 'merges' };
    const held = this.#faults.held?.[path];
    return {
      status: isThere ? 'exists' : 'new',
      ...(held === undefined ? {} : { partBytes: held.length }),
    };
  }

  async freeBytes(): Promise<number | undefined> {
    return this.#faults.capacity;
  }

  isBusy(): boolean {
    return this.#faults.isBusy === true;
  }

  decide(policy: ConflictPolicy): void {
    if (this.policy !== undefined) throw new Error('decided twice');
    this.policy = policy;
  }

  async makeFolder(entry: Entry): Promise<void> {
    this.#demandConsent(entry);
    this.arrived.set(this.pathOf(entry), 'folder');
    this.metadata.set(this.pathOf(entry), entry);
  }

  async writeWhole(entry: Entry, content: Uint8Array, onSettled?: () => void): Promise<void> {
    this.#demandConsent(entry);
    this.#write(content.length);
    this.#place(entry, Uint8Array.from(content));
    onSettled?.();
  }

  create(entry: Entry): Promise<PartFile> {
    return this.#begin(entry, []);
  }

  isMadeAnew(): boolean {
    return false;
  }

  lookAgain(entry: Entry): 'new' | 'exists' | 'arrived' {
    return this.#faults.changed?.[this.pathOf(entry)] ?? 'arrived';
  }

  heldBytes(entry: Entry): number {
    return this.#faults.held?.[this.pathOf(entry)]?.length ?? 0;
  }

  async openHeld(entry: Entry): Promise<HeldPart | undefined> {
    const held = this.#faults.held?.[this.pathOf(entry)];
    if (held === undefined) return undefined;
    return {
      leaves: Math.floor(held.length / LEAF_BYTES),
      read: async (leaf) => held.subarray(leaf * LEAF_BYTES, (leaf + 1) * LEAF_BYTES),
      continueFrom: (leaf) => this.#begin(entry, [Uint8Array.from(held.subarray(0, leaf * LEAF_BYTES))]),
      setAside: async () => void this.setAside.push(this.pathOf(entry)),
    };
  }

  async openOlder(entry: Entry): Promise<OlderCopy[]> {
    const path = this.pathOf(entry);
    const { older, held, changesBeforeAdopted = [] } = this.#faults;
    const adopt = async (): Promise<void> => {
      if (changesBeforeAdopted.includes(path)) throw new XferError('target-changed');
      this.adopted.push(path);
    };
    const copyOf = (content: Uint8Array): OlderCopy => {
      this.openCopies++;
      return {
        size: content.length,
        read: async (into, offset) => {
          const bytes = content.subarray(offset, offset + into.length);
          into.set(bytes);
          return into.subarray(0, bytes.length);
        },
        close: async () => {
          this.openCopies--;
        },
      };
    };
    const copies: OlderCopy[] = [];
    const current = older?.[path];
    if (current !== undefined) copies.push({ ...copyOf(current), adopt });
    if (held?.[path] !== undefined) copies.push(copyOf(held[path]));
    return copies;
  }

  async #begin(entry: Entry, pieces: Uint8Array[]): Promise<PartFile> {
    this.#demandConsent(entry);
    this.openParts++;
    let isOpen = true;
    const close = (): void => {
      if (isOpen) this.openParts--;
      isOpen = false;
    };
    return {
      write: async (bytes) => {
        this.#write(bytes.length);
        if (this.#faults.keepsNothing !== true) pieces.push(Uint8Array.from(bytes));
      },
      skip: async (length) => {
        if (this.#faults.keepsNothing !== true) pieces.push(new Uint8Array(length));
      },
      commit: async () => {
        close();
        this.#place(entry, Buffer.concat(pieces));
      },
      discard: async () => close(),
      keep: async () => {
        close();
        this.kept.push(this.pathOf(entry));
      },
    };
  }

  async finish(isWhole: boolean, signal?: AbortSignal): Promise<Kept> {
    this.finishSignal = signal;
    this.isFinished = true;
    this.isWhole = isWhole;
    return { bytes: 0, any: this.kept.length > 0 };
  }

  async abort(keep: boolean): Promise<Kept> {
    this.isAborted = true;
    this.keeps = keep;
    const any = keep && this.openParts > 0;
    this.openParts = 0;
    this.openCopies = 0;
    return { bytes: this.#written, any };
  }

  pathOf(entry: Entry): string {
    return this.#paths[entry.index]!;
  }

  #demandConsent(entry: Entry): void {
    if (this.policy === undefined) throw new Error('written before the yes');
    const code = this.#faults.failures?.[this.pathOf(entry)];
    if (code !== undefined) throw new XferError(code);
  }

  #write(length: number): void {
    this.#written += length;
    if (this.#written > (this.#faults.capacity ?? Infinity)) throw new XferError('disk-full');
  }

  #place(entry: Entry, content: Uint8Array): void {
    this.arrived.set(this.pathOf(entry), content);
    this.metadata.set(this.pathOf(entry), entry);
  }
}
