/** What a sender may say next, right or wrong. */
import { digestOf } from '../../src/crypto/digest.js';
import type { Span } from '../../src/transfer/messages.js';
import type { Chunk } from '../../src/transfer/ports.js';
import type { Draw } from './draw.js';
import { FROM_RECEIVER, HELD, LEAVES, STRAY, batchOf, spansOf, stored, transfer } from './hostile-world.js';
import type { Item } from './memory-channel.js';
import type { ReceiverModel, Said } from './receiver-model.js';
import { noise } from './trees.js';

/** Less than what a receiver lets come before the yes. */
const MOST_BYTES = 150_000;
const OTHER = noise(32, 'other');
const LARGE = [2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER - 2 ** 23] as const;

const say = (item: Item, extra: Omit<Said, 'item'> = {}): Said => ({ item, ...extra });
const failed = (entry: number): Item => ({ type: 'entry-failed', transfer, entry, reason: 'source-changed' });

/** Something that the protocol allows now. */
export function honest(model: ReceiverModel, draw: Draw): Said {
  const { world } = model;
  if (model.state === 'waiting') return say(world.offer);
  const choices: (() => Said)[] = [];
  if (!model.isComplete) {
    const part = world.parts[model.parts];
    const counting: Item = { type: 'counting', transfer, entries: draw.below(9), bytes: draw.below(99) };
    choices.push(() => say(draw.once(4) ? counting : (part ?? world.end)));
  }
  if (model.state === 'accepted') {
    const isOver = model.isComplete && model.expected.length === 0 && model.compared === undefined;
    if (model.open !== undefined) choices.push(() => nextPiece(model, draw));
    else if (model.compared !== undefined) choices.push(() => nextLeaves(model, draw));
    else if (model.expected.length > 0) choices.push(() => nextFile(model, draw));
    else if (isOver)
      choices.push(() => say({ type: 'sent', transfer, files: model.files, bytes: model.bytes }));
  }
  // Until the person answers there is nothing to say but this.
  return choices.length === 0 ? say({ type: 'error', code: 'interrupted' }) : draw.one(choices)();
}

function nextFile(model: ReceiverModel, draw: Draw): Said {
  const { expected, world } = model;
  const next = expected[0]!;
  const [older] = model.older;
  if (older !== undefined && draw.once(2)) return nextSpans(model, draw, older);
  if (model.isHeld(next) && draw.below(6) > 0) return nextLeaves(model, draw);
  if (draw.once(12)) return say(failed(next));
  const small = expected
    .slice(0, 1 + draw.below(4))
    .map((index) => [index, world.contents.get(index)!] as const);
  const isBatch = world.offer.kind !== 'pipe' && small.every(([, { length }]) => length < MOST_BYTES);
  return isBatch && draw.once(2) ? say(batchOf(small), { files: small }) : nextPiece(model, draw);
}

/** The next piece of the file that is open or begins. */
function nextPiece(model: ReceiverModel, draw: Draw): Said {
  const index = model.open?.index ?? model.expected[0]!;
  if (draw.once(20)) return say(failed(index));
  const content = model.world.contents.get(index)!;
  const offset = draw.one(model.places);
  const rest = content.subarray(offset);
  const zeros = rest.findIndex((byte) => byte !== 0);
  if (zeros > MOST_BYTES || (zeros > 0 && draw.once(2)))
    return say({ kind: 'hole', transfer, entry: index, offset, length: zeros });
  const isRest = rest.length <= MOST_BYTES && draw.below(3) > 0;
  const bytes = isRest ? rest : rest.subarray(0, 1 + draw.below(Math.min(rest.length - 1, MOST_BYTES)));
  const isLast = bytes.length === rest.length;
  return say(chunk(index, offset, bytes, isLast ? digestOf(content) : undefined));
}

function nextLeaves({ compared }: ReceiverModel, draw: Draw): Said {
  const said = compared?.leaves ?? 0;
  const digests = LEAVES.slice(said, said + 1 + draw.below(2));
  return say({ type: 'leaves', transfer, entry: HELD.index, digests });
}

function nextSpans({ matching, world }: ReceiverModel, draw: Draw, older: number): Said {
  const index = matching?.index ?? older;
  const spans = spansOf(world.contents.get(index)!).slice(matching?.spans.length ?? 0);
  return say({
    type: 'spans',
    transfer,
    files: [{ entry: index, spans: draw.once(2) ? spans : spans.slice(0, 1 + draw.below(spans.length)) }],
  });
}

function chunk(entry: number, offset: number, bytes: Uint8Array, digest: Uint8Array | undefined): Chunk {
  const piece = { kind: 'chunk', transfer, entry, offset, body: stored(bytes) } as const;
  return digest === undefined ? piece : { ...piece, digest };
}

/** Anything: out of its place, once more, or with one thing in it that is not so. */
export function hostile(model: ReceiverModel, draw: Draw, before: readonly Said[]): Said {
  if (before.length > 0 && draw.once(6)) return draw.one(before);
  if (draw.once(8)) return anotherTransfer(honest(model, draw));
  const isContent = draw.below(4) > (model.state === 'accepted' ? 0 : 2);
  return draw.one(isContent ? contentOf(model, draw) : wordsOf(model, draw))();
}

/** What is said apart from content. */
function wordsOf({ world, files, bytes }: ReceiverModel, draw: Draw): (() => Said)[] {
  const { offer, parts, end } = world;
  return [
    () => say(draw.one(STRAY)),
    () => say(draw.one(FROM_RECEIVER)),
    () => say(draw.one([offer, { ...offer, roots: [] }])),
    () => say(draw.one(parts)),
    () => say({ ...draw.one(parts), count: draw.below(9) + 20 }, { flaw: 'protocol' }),
    () => say({ ...draw.one(parts), part: draw.one(LARGE) }),
    () => say(end),
    () =>
      say(
        draw.one([
          { ...end, digest: OTHER },
          { ...end, files: end.files + 1 },
          { ...end, missing: 1 },
        ]),
      ),
    () => say({ type: 'counting', transfer, entries: 0, bytes: draw.one(LARGE) }),
    () => say({ type: 'error', code: draw.one(['interrupted', 'disk-full']) }),
    () => say({ type: 'sent', transfer, files: files + draw.below(2), bytes }),
  ];
}

function contentOf(model: ReceiverModel, draw: Draw): (() => Said)[] {
  const { world, open, expected } = model;
  const next = expected[0] ?? 0;
  const isPipe = world.offer.kind === 'pipe';
  const near = (): number => Math.max(0, (open?.offset ?? 0) + draw.one([-1, 0, 0, 1]));
  const anyEntry = (): number =>
    draw.one([draw.below(world.entries.length), open?.index ?? next, 2 ** 20 - 1]);
  const anyBytes = (): Uint8Array => {
    const length = draw.below(2_000);
    const content = world.contents.get(anyEntry()) ?? OTHER;
    return draw.one([noise(length, 'any'), Buffer.alloc(length), content.subarray(0, MOST_BYTES)]);
  };
  const spans = (entry: number, ...list: Span[]): Said =>
    say({ type: 'spans', transfer, files: [{ entry, spans: list }] });
  return [
    () => say(failed(anyEntry())),
    () => {
      const digests = draw.one([[], [OTHER], LEAVES, [...LEAVES, OTHER]]);
      return say({ type: 'leaves', transfer, entry: draw.one([HELD.index, anyEntry()]), digests });
    },
    () => draw.one([say({ type: 'spans', transfer, files: [] }), spans(anyEntry())]),
    () => {
      const length = draw.one([0, 1, 10, 40_000, 70_000, ...LARGE]);
      return spans(draw.below(world.entries.length), { length, digest: OTHER });
    },
    ...Array.from({ length: 3 }, () => () => {
      // What is so, of a file that may have come or may not be asked for.
      const all = [...world.contents.keys()];
      const index = draw.one(draw.once(3) ? all : all.filter((each) => model.mayBeOlder(each)).concat(next));
      return spans(index, ...spansOf(world.contents.get(index) ?? OTHER).slice(0, 1 + draw.below(9)));
    }),
    () => {
      const length = draw.one(isPipe ? [1, 1_000] : [1, 1_000, ...LARGE]);
      return say({ kind: 'hole', transfer, entry: anyEntry(), offset: near(), length });
    },
    () => {
      const bytes = anyBytes();
      // What would be an empty piece is the last one.
      const digest = bytes.length === 0 ? OTHER : draw.one([undefined, undefined, OTHER]);
      return say(chunk(anyEntry(), near(), bytes, digest));
    },
    () => {
      const files = Array.from({ length: 1 + draw.below(3) }, (_, place) => {
        const content = world.contents.get(expected[place] ?? 0) ?? OTHER;
        return [
          next + place + draw.below(2),
          draw.one([anyBytes(), content.subarray(0, MOST_BYTES)]),
        ] as const;
      });
      return say(batchOf(files), { files, ...(isRising(files) ? {} : { flaw: 'protocol' as const }) });
    },
    () => {
      const files = [[next, Buffer.alloc(10)] as const];
      const batch = batchOf(files);
      return say({ ...batch, body: stored(spoilt(batch.body.bytes, -1)) }, { files, flaw: 'integrity' });
    },
    () => {
      // All as it should be, but for one bit of the content.
      const { item, ...extra } = honest(model, draw);
      if (!('kind' in item) || item.kind !== 'chunk' || item.body.bytes.length === 0)
        return { item, ...extra };
      const { bytes } = item.body;
      return say({ ...item, body: stored(spoilt(bytes, draw.below(bytes.length))) });
    },
  ];
}

function spoilt(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.at(at)! ^ 1, at < 0 ? copy.length + at : at);
  return copy;
}

function isRising(files: readonly (readonly [number, Uint8Array])[]): boolean {
  return files.every(([entry], place) => place === 0 || entry > files[place - 1]![0]);
}

function anotherTransfer(said: Said): Said {
  return 'transfer' in said.item ? { ...said, item: { ...said.item, transfer: 2 } } : said;
}
