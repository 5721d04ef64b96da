import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { TransferEvent } from '../../../src/transfer/events.js';
import type { OfferKind } from '../../../src/transfer/messages.js';
import { sendFiles } from '../../../src/transfer/sender.js';
import { Draw } from '../../support/draw.js';
import { honest, hostile } from '../../support/hostile-receiver.js';
import { MemoryChannel, type Item } from '../../support/memory-channel.js';
import { ending, type Side } from '../../support/memory-transfer.js';
import { OFFERS, SenderModel } from '../../support/sender-model.js';
import { atMost } from '../../support/soak.js';
import { settle, until, withoutTime } from '../../support/turns.js';
import { WatchedSource, lengthOf } from '../../support/watched-source.js';

const FIRST_CREDIT = 2 ** 18;
/** What a receiver gives after its yes. */
const WINDOW = 3 * 2 ** 20;

interface Case {
  readonly kind: OfferKind;
  /** Records are small, and the sender gets no more credit than at first. */
  readonly isNarrow: boolean;
  /** Much time passes between two looks at the clock: all that is known is said at once. */
  readonly isSlow: boolean;
}

/** A sender, and a receiver that says what the test likes. */
class Attack {
  readonly source: WatchedSource;
  readonly side: Side;
  readonly model: SenderModel;
  readonly peer: MemoryChannel;
  outcome: string | undefined;
  readonly #abort = new AbortController();
  #isNarrow: boolean;
  /** What the sender may not have said. */
  #complaint: Error | undefined;
  #withheld = 0;
  #isStingy = false;
  #released = 0;

  constructor({ kind, isNarrow, isSlow }: Case) {
    this.#isNarrow = isNarrow;
    this.model = new SenderModel(kind, OFFERS[kind]);
    this.source = new WatchedSource(OFFERS[kind]);
    this.source.listingMs = 300;
    const [channel, peer] = MemoryChannel.pair();
    if (isNarrow) channel.pieceBytes = () => 20_000;
    const release = channel.release.bind(channel);
    channel.release = (cost) => {
      this.#released += cost;
      release(cost);
    };
    this.peer = peer;
    const events: TransferEvent[] = [];
    const outcome = sendFiles(channel, this.source, {
      kind,
      compress: false,
      signal: this.#abort.signal,
      onEvent: (event) => void events.push(event),
      now: () => (this.source.now += isSlow ? 3_000 : 0),
    });
    this.side = { channel, outcome, events };
    void this.#listen().catch((error: unknown) => (this.#complaint = error as Error));
    void ending(this.side).then(
      (end) => (this.outcome = end),
      (error: unknown) => (this.outcome = String(error)),
    );
  }

  /** Says something; resolves when it was dealt with, and the sender has done what it then may. */
  async say(item: Item): Promise<void> {
    const { channel } = this.side;
    const owed = channel.arrivedCost;
    let hasLeft = false;
    this.peer.send(item).then(() => (hasLeft = true), () => (hasLeft = true)); // prettier-ignore
    await this.#until(() => hasLeft, `nobody takes ${nameOf(item)}`);
    // A side that gives up says so and gives nothing back.
    const isDealtWith = (): boolean =>
      this.#released >= channel.arrivedCost || channel.isDestroyed || channel.isEnded;
    if (channel.arrivedCost > owed) await this.#until(isDealtWith, `with ${nameOf(item)}`);
    if ('type' in item && item.type === 'answer' && item.accepted && !this.#isNarrow) this.peer.widen(WINDOW);
    await this.goOn();
  }

  /** Waits until it is not the sender's turn, or something keeps it. */
  async goOn(): Promise<void> {
    await settle();
    const isFree = this.source.reads.isOpen && this.source.scans.isOpen && !this.#isStingy;
    const { model } = this;
    const isOver = (): boolean => model.state !== 'offered' && model.state !== 'accepted';
    if (isFree) await this.#until(() => isOver() || !model.isOwed, 'it is its turn');
    await settle();
    if (this.#complaint !== undefined) throw this.#complaint;
  }

  /** Gives credit for what came, or keeps it from now on. */
  setStingy(isStingy: boolean): void {
    this.#isStingy = isStingy;
    this.model.isStarved = isStingy;
    if (isStingy) return;
    this.peer.release(this.#withheld);
    this.#withheld = 0;
  }

  interrupt(): void {
    this.#abort.abort();
  }

  /** Lets everything go on that a closed gate kept. */
  free(): void {
    this.source.reads.set(Infinity);
    this.source.scans.set(Infinity);
  }

  /** Ends our direction, or the connection. Resolves with what became of the sender. */
  async end(isOrderly: boolean): Promise<string> {
    if (isOrderly) await this.peer.end().catch(() => {});
    else this.peer.destroy();
    await this.#until(() => this.outcome !== undefined, 'the end');
    if (this.#complaint !== undefined) throw this.#complaint;
    return this.outcome!;
  }

  /** What has to be so at every end. */
  async expectNoHarm(): Promise<void> {
    const { source, side, model, outcome } = this;
    // Nothing goes on behind the back of whoever has let go of the source; a pipe that gives nothing ends when it is closed.
    const before = [...source.opened.values()];
    if (model.kind !== 'pipe') expect(source.openFiles).toBe(0);
    await settle();
    expect([...source.opened.values()]).toEqual(before);
    expect(source.openFiles).toBe(0);
    expect(source.outside).toEqual([]);
    for (const [index, times] of source.opened) {
      expect([...model.wanted]).toContain(index);
      // To say what it consists of, and to send it.
      expect(times).toBeLessThanOrEqual(2);
      const content = OFFERS[model.kind].flat()[index]!.content!;
      expect(source.readBytes.get(index) ?? 0).toBeLessThanOrEqual(2 * lengthOf(content));
    }
    expect(side.channel.peakCost).toBeLessThanOrEqual(FIRST_CREDIT);
    expect(side.events.filter(({ type }) => type === 'accepted')).toHaveLength(model.hasAccepted ? 1 : 0);
    if (outcome !== 'ok') return;
    const { files, bytes, missing } = model.received!;
    expect(await side.outcome).toMatchObject({
      files,
      bytes,
      missingCount: Math.max(model.failed, missing),
      alreadyFiles: model.unchanged.files,
      alreadyBytes: model.unchanged.bytes,
    });
  }

  async #listen(): Promise<void> {
    for (;;) {
      const received = await this.peer.receive().catch(() => undefined);
      if (received === undefined) return;
      this.#withheld += received.cost;
      if (!this.#isStingy) this.setStingy(false);
      this.model.hear(received.item);
    }
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    await until(() => this.outcome !== undefined || this.#complaint !== undefined || isSo(), what);
  }
}

const nameOf = (item: Item): string => ('type' in item ? item.type : item.kind);

const cases = fc.record({
  kind: fc.constantFrom(...(['files', 'files', 'files', 'files', 'text', 'pipe'] as const)),
  isNarrow: fc.boolean(),
  isSlow: fc.boolean(),
  /** Says no. */
  isWilling: fc.constantFrom(true, true, true, true, true, false),
  isOrderly: fc.boolean(),
  /** Once in so many times something keeps the sender, or ends it. */
  trouble: fc.constantFrom(6, 12, 1_000),
  /** From there on all is hostile, however honest it was until then. */
  spiteFrom: fc.option(fc.nat(25), { nil: Infinity }),
  /** One item in so many is hostile. */
  hostility: fc.constantFrom(6, 1_000, 1_000),
  seeds: fc.array(fc.integer(), { minLength: 1, maxLength: 40, size: 'max' }),
});

it(
  'rows 20, 46: a sender takes what the protocol allows, and nothing else, from a receiver that says anything',
  { timeout: atMost(60_000) },
  async () => {
    const endings = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(cases, async (given) => {
        const { isWilling, isOrderly, trouble, spiteFrom, hostility, seeds } = given;
        const end = await withoutTime(async () => {
          const attack = new Attack(given);
          const { model, source } = attack;
          const story: string[] = [];
          const before: Item[] = [];
          const ends = async (verdict: string): Promise<string> => {
            attack.free();
            expect([story, await attack.end(isOrderly)]).toEqual([story, verdict]);
            await attack.expectNoHarm();
            return verdict;
          };
          await attack.goOn();
          for (const [step, seed] of seeds.entries()) {
            const draw = new Draw(seed);
            if (draw.once(trouble)) {
              const what = draw.one(['reads', 'scans', 'stingy', 'free', 'free', 'free']);
              story.push(what);
              if (what === 'reads') source.reads.set(draw.below(6));
              else if (what === 'scans') source.scans.set(draw.below(2));
              else if (what === 'free') attack.free();
              attack.setStingy(what === 'stingy');
              await attack.goOn();
              continue;
            }
            if (draw.once(20 * trouble) && (model.state === 'offered' || model.state === 'accepted')) {
              story.push('interrupted');
              attack.setStingy(false);
              attack.interrupt();
              await settle();
              return ends('interrupted');
            }
            const isHostile = draw.once(hostility) || step >= spiteFrom;
            const item = isHostile ? hostile(model, draw, before) : honest(model, draw, isWilling);
            const verdict = model.take(item);
            story.push(`${nameOf(item)}: ${verdict}`);
            before.push(item);
            await attack.say(item);
            if (verdict === 'early') {
              // Whether it takes this or not, it is no success.
              attack.free();
              attack.peer.destroy();
              await until(() => attack.outcome !== undefined, 'the end');
              expect([story, ['protocol', 'peer-gone']]).toEqual([
                story,
                expect.arrayContaining([attack.outcome]),
              ]);
              return 'early';
            }
            if (model.state === 'failed') return ends(verdict);
            expect([story, attack.outcome]).toEqual([story, undefined]);
          }
          return ends(model.ending);
        });
        endings.set(end, (endings.get(end) ?? 0) + 1);
      }),
      // The story of a run says more than a shorter one that takes minutes to find.
      { endOnFailure: true },
    );
    // It went far, and it went wrong.
    for (const end of ['ok', 'protocol', 'declined']) expect([...endings.keys()].join()).toContain(end);
  },
);
