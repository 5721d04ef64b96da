import fc from 'fast-check';
import { expect, it } from 'vitest';
import { digestOf } from '../../../src/crypto/digest.js';
import { deferred } from '../../../src/transfer/deferred.js';
import type { Decision } from '../../../src/transfer/events.js';
import type { ConflictPolicy } from '../../../src/transfer/ports.js';
import { Draw } from '../../support/draw.js';
import { honest, hostile } from '../../support/hostile-sender.js';
import { EXISTING, HELD, OLDER, UNCHOSEN, WORLDS, heldOf } from '../../support/hostile-world.js';
import type { Item, ScriptedPeer } from '../../support/memory-channel.js';
import { MemorySink } from '../../support/memory-sink.js';
import { ending, receiveFromScript, type Side } from '../../support/memory-transfer.js';
import { ReceiverModel, type Case, type Said } from '../../support/receiver-model.js';
import { atMost } from '../../support/soak.js';
import { settle, until, withoutTime } from '../../support/turns.js';

/** What a receiver lets come before its yes, and after it. */
const [FIRST_CREDIT, WINDOW] = [2 ** 18, 2 ** 24];

/** A receiver, and a sender that says what the test likes. */
class Attack {
  readonly sink: MemorySink;
  readonly side: Side;
  readonly peer: ScriptedPeer;
  readonly heard: Item[] = [];
  /** What the sender said of files: the digests that it stated. */
  readonly stated = new Map<string, Uint8Array[]>();
  isAsked = false;
  hasSaidYes = false;
  outcome: string | undefined;
  readonly #answer = deferred<Decision>();
  readonly #case: Case;
  #owed = 0;
  #released = 0;

  constructor(given: Case) {
    this.#case = given;
    const isFiles = given.world.offer.kind === 'files';
    this.sink = new MemorySink(
      isFiles ? { held: { [HELD.path]: given.held }, older: OLDER, existing: EXISTING } : {},
    );
    const decide = (): Promise<Decision> => {
      this.isAsked = true;
      return this.#answer.promise;
    };
    [this.side, this.peer] = receiveFromScript(this.sink, {
      decide,
      early: given.early,
      wants: (path) => path !== UNCHOSEN,
      now: () => 0,
    });
    const { channel } = this.side;
    const release = channel.release.bind(channel);
    channel.release = (cost) => {
      this.#released += cost;
      release(cost);
    };
    void this.#listen().catch(() => {});
    void ending(this.side).then(
      (end) => (this.outcome = end),
      (error: unknown) => (this.outcome = String(error)),
    );
  }

  /** Says something; resolves when it was dealt with. */
  async say({ item, files = [] }: Said): Promise<void> {
    const { paths } = this.#case.world;
    const state = (entry: number, digest: Uint8Array): void => {
      const path = paths[entry] ?? '';
      this.stated.set(path, [...(this.stated.get(path) ?? []), digest]);
    };
    for (const [entry, content] of files) state(entry, digestOf(content));
    if ('kind' in item && item.kind === 'chunk' && item.digest !== undefined) state(item.entry, item.digest);
    let hasLeft = false;
    const before = this.#owed;
    this.peer.say(item).then(() => (hasLeft = true), () => (hasLeft = true)); // prettier-ignore
    await until(() => this.outcome !== undefined || hasLeft, `nobody takes ${nameOf(item)}`);
    this.#owed = this.side.channel.arrivedCost;
    const { channel } = this.side;
    // A side that gives up says so and gives nothing back.
    const isDealtWith = (): boolean =>
      this.outcome !== undefined || this.#released >= this.#owed || channel.isDestroyed || channel.isEnded;
    if (this.#owed > before) await until(isDealtWith, `with ${nameOf(item)}`);
    await settle();
  }

  async decide(isYes: boolean, conflicts: ConflictPolicy): Promise<void> {
    expect(this.isAsked).toBe(true);
    this.hasSaidYes ||= isYes;
    this.#answer.resolve(isYes ? { accept: true, conflicts } : { accept: false });
    await until(() => this.heard.some((item) => 'type' in item && item.type === 'answer'), 'the answer');
    await settle();
  }

  /** Ends our direction, or the connection. Resolves with what became of the receiver. */
  async end(isOrderly: boolean): Promise<string> {
    if (isOrderly) await this.peer.channel.end().catch(() => {});
    else this.peer.channel.destroy();
    await until(() => this.outcome !== undefined, 'the end');
    return this.outcome!;
  }

  /** What has to be so at every end. */
  expectNoHarm(): void {
    const { sink, side, outcome } = this;
    expect(sink.openParts).toBe(0);
    expect(sink.openCopies).toBe(0);
    expect(sink.isFinished).toBe(outcome === 'ok');
    if (!this.hasSaidYes) expect([...sink.arrived.keys()]).toEqual([]);
    for (const [path, content] of sink.arrived) {
      expect(path).not.toBe(UNCHOSEN);
      if (content === 'folder') continue;
      const digest = Buffer.from(digestOf(content)).toString('hex');
      expect((this.stated.get(path) ?? []).map((each) => Buffer.from(each).toString('hex'))).toContain(
        digest,
      );
    }
    expect(side.channel.peakCost).toBeLessThanOrEqual(this.hasSaidYes ? WINDOW : FIRST_CREDIT);
  }

  async #listen(): Promise<void> {
    const { channel } = this.peer;
    for (let received = await channel.receive(); received !== undefined; received = await channel.receive()) {
      channel.release(received.cost);
      this.heard.push(received.item);
    }
  }
}

const nameOf = (item: Item): string => ('type' in item ? item.type : item.kind);

const cases = fc.record({
  kind: fc.constantFrom(...(['files', 'files', 'files', 'files', 'text', 'pipe'] as const)),
  policy: fc.constantFrom<ConflictPolicy>('update', 'update', 'update', 'overwrite', 'skip', 'refuse'),
  early: fc.boolean(),
  isHeldRight: fc.boolean(),
  /** Says no, or nothing, once in so many times. */
  isWilling: fc.constantFrom(true, true, true, true, false),
  isOrderly: fc.boolean(),
  /** From there on all is hostile, however honest it was until then. */
  spiteFrom: fc.option(fc.nat(35), { nil: Infinity }),
  /** One item in so many is hostile. */
  hostility: fc.constantFrom(6, 1_000, 1_000),
  seeds: fc.array(fc.integer(), { minLength: 1, maxLength: 60, size: 'max' }),
});

it(
  'rows 20, 45, 46: a receiver takes what the protocol allows, and nothing else, from a sender that says anything',
  { timeout: atMost(60_000) },
  async () => {
    const endings = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(cases, async (given) => {
        const { policy, early, isHeldRight, isWilling, isOrderly, spiteFrom, hostility, seeds } = given;
        const setting: Case = { world: WORLDS[given.kind], policy, early, held: heldOf(isHeldRight) };
        const end = await withoutTime(async () => {
          const attack = new Attack(setting);
          const model = new ReceiverModel(setting);
          const story: string[] = [];
          const before: Said[] = [];
          for (const [step, seed] of seeds.entries()) {
            const draw = new Draw(seed);
            if (model.isAsked && draw.once(3)) {
              story.push(isWilling ? 'yes' : 'no');
              await attack.decide(isWilling, policy);
              model.answer(isWilling);
              continue;
            }
            const isHostile = draw.once(hostility) || step >= spiteFrom;
            const said = isHostile ? hostile(model, draw, before) : honest(model, draw);
            // Whoever thinks is not interrupted by an honest sender.
            if (model.isAsked && 'type' in said.item && said.item.type === 'error' && !draw.once(hostility))
              continue;
            const verdict = model.take(said);
            story.push(`${nameOf(said.item)}: ${verdict}`);
            before.push(said);
            await attack.say(said);
            if (model.state === 'failed') {
              expect([story, await attack.end(isOrderly)]).toEqual([story, verdict]);
              attack.expectNoHarm();
              return verdict;
            }
            expect([story, attack.outcome]).toEqual([story, undefined]);
            await hearAnswer(attack, model, said.item);
          }
          const verdict = model.ending(isOrderly);
          expect([story, await attack.end(isOrderly)]).toEqual([story, verdict]);
          attack.expectNoHarm();
          if (verdict === 'ok') await expectAll(attack, model);
          return verdict;
        });
        endings.set(end, (endings.get(end) ?? 0) + 1);
      }),
      // The story of a run says more than a shorter one that takes minutes to find.
      { endOnFailure: true },
    );
    // It went far, and it went wrong.
    for (const end of ['ok', 'protocol', 'declined']) expect([...endings.keys()]).toContain(end);
  },
);

/** Some of what a sender says has an answer. */
async function hearAnswer({ heard }: Attack, model: ReceiverModel, item: Item): Promise<void> {
  if (model.state !== 'accepted' || !('type' in item)) return;
  const last = (type: string): Item | undefined =>
    heard.filter((each) => 'type' in each && each.type === type).at(-1);
  const count = (type: string): number => heard.filter((each) => 'type' in each && each.type === type).length;
  if (item.type === 'spans') {
    expect(count('need')).toBe(model.spansTaken);
    model.takeNeed((last('need') as Extract<Item, { type: 'need' }>).runs);
  }
  if (item.type === 'leaves' && model.kept !== undefined) {
    expect(last('keep')).toMatchObject({ entry: HELD.index, leaves: model.kept });
    model.kept = undefined;
  }
}

/** Everything that the model knows of a transfer that came to its end. */
async function expectAll({ side, sink, heard }: Attack, model: ReceiverModel): Promise<void> {
  const files = [...sink.arrived].filter(([, content]) => content !== 'folder').map(([path]) => path);
  expect(files.sort()).toEqual([...model.arrived.keys()].sort());
  for (const [path, content] of model.arrived)
    expect(digestOf(sink.arrived.get(path) as Uint8Array)).toEqual(digestOf(content));
  expect(await side.outcome).toMatchObject({
    files: model.arrived.size,
    missingCount: model.missing,
    alreadyFiles: model.unchanged,
  });
  expect(heard.at(-1)).toMatchObject({ type: 'received', files: model.arrived.size, missing: model.missing });
}
