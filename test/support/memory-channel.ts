/** Two ends of a channel over memory: records are encoded and cost credit as on a real one, and are not sealed. */
import { XferError, toXferError } from '../../src/errors.js';
import type { ControlMessage } from '../../src/transfer/messages.js';
import type { Channel, Compression, DataRecord, Path, Received } from '../../src/transfer/ports.js';
import { costOf, decodeRecord, encodeRecord } from '../../src/transfer/records.js';

export type Item = ControlMessage | DataRecord;

const FIRST_CREDIT = 1 << 18;
const SEAL_BYTES = 17;

export class MemoryChannel implements Channel {
  readonly path: Path = 'direct';
  compressions: ReadonlySet<Compression> = new Set<Compression>(['stored', 'brotli']);
  pieceBytes?: () => number;
  isAway?: () => boolean;
  /** Everything that this end sent. */
  readonly sent: Item[] = [];
  /** Most cost that was ever under way to this end. */
  peakCost = 0;
  /** Cost of everything that ever arrived at this end. */
  arrivedCost = 0;
  isDestroyed = false;
  /** May change or drop (`undefined`) what this end sends. */
  onSend: (item: Item) => Item | undefined = (item) => item;

  #peer!: MemoryChannel;
  readonly #arrived: Received[] = [];
  #peerEnded = false;
  #ended = false;
  #failure: XferError | undefined;
  #wakeReceiver = (): void => {};
  #wakeSenders: (() => void)[] = [];
  #sending: Promise<void> = Promise.resolve();
  #released = 0;
  #window = FIRST_CREDIT;
  #spent = 0;

  static pair(): [MemoryChannel, MemoryChannel] {
    const [one, other] = [new MemoryChannel(), new MemoryChannel()];
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  send(item: Item, onDone?: () => void): Promise<void> {
    const sent = this.#sending.then(() => this.#sendNext(item));
    // The other end got a copy.
    this.#sending = sent.then(onDone, () => {});
    return sent;
  }

  async receive(): Promise<Received | undefined> {
    for (;;) {
      const received = this.#arrived.shift();
      if (received !== undefined) return received;
      if (this.#peerEnded) return undefined;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wakeReceiver = resolve;
      });
    }
  }

  release(cost: number): void {
    this.#released += cost;
    this.#peer.#wake();
  }

  widen(windowBytes: number): void {
    this.#window = Math.max(this.#window, windowBytes);
    this.#peer.#wake();
  }

  async end(): Promise<void> {
    await this.#sending;
    if (this.#failure !== undefined) throw this.#failure;
    this.#ended = true;
    this.#peer.#peerEnded = true;
    this.#peer.#wakeReceiver();
  }

  destroy(error?: Error): void {
    this.isDestroyed = true;
    this.#fail(error === undefined ? new XferError('peer-gone') : toXferError(error));
    this.#peer.#fail(new XferError('peer-gone'));
  }

  /** Whether this end said that it ends. */
  get isEnded(): boolean {
    return this.#ended;
  }

  async #sendNext(given: Item): Promise<void> {
    const item = this.onSend(given);
    if (item === undefined) return;
    const bytes = Buffer.concat(
      encodeRecord(
        'type' in item ? { kind: 'control', sequence: 0, message: item } : { ...item, sequence: 0 },
      ),
    );
    const record = decodeRecord(bytes);
    if (record.kind === 'credit' || record.kind === 'end')
      throw new Error(`${record.kind} is the channel's own`);
    const cost = costOf(record, bytes.length + SEAL_BYTES);
    while (this.#failure === undefined && this.#spent + cost > this.#peer.#granted) {
      await new Promise<void>((resolve) => this.#wakeSenders.push(resolve));
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#ended) throw new Error('sent after the end');
    this.#spent += cost;
    this.sent.push(item);
    this.#peer.#arrive({ item: record.kind === 'control' ? record.message : record, cost });
  }

  get #granted(): number {
    return this.#released + this.#window;
  }

  #arrive(received: Received): void {
    this.arrivedCost += received.cost;
    this.peakCost = Math.max(this.peakCost, this.arrivedCost - this.#released);
    this.#arrived.push(received);
    this.#wakeReceiver();
  }

  #wake(): void {
    for (const wake of this.#wakeSenders.splice(0)) wake();
  }

  #fail(error: XferError): void {
    this.#failure ??= error;
    this.#wakeReceiver();
    this.#wake();
  }
}

/** The other side of a transfer, by hand: says what a test wants, and shows what it gets. */
export class ScriptedPeer {
  readonly channel: MemoryChannel;

  constructor(channel: MemoryChannel) {
    this.channel = channel;
    channel.widen(1 << 28);
  }

  async say(...items: Item[]): Promise<void> {
    for (const item of items) await this.channel.send(item);
  }

  /** The next message of that type; what comes before is dropped. */
  async hear<T extends ControlMessage['type']>(type: T): Promise<Extract<ControlMessage, { type: T }>> {
    for (;;) {
      const received = await this.channel.receive();
      if (received === undefined) throw new Error(`the other side ended before ${type}`);
      this.channel.release(received.cost);
      const { item } = received;
      if ('type' in item && item.type === type) return item as Extract<ControlMessage, { type: T }>;
    }
  }

  /** Everything up to the other side's end. */
  async hearAll(): Promise<Item[]> {
    const items: Item[] = [];
    for (let received = await this.channel.receive(); received !== undefined;) {
      items.push(received.item);
      this.channel.release(received.cost);
      received = await this.channel.receive();
    }
    return items;
  }
}
