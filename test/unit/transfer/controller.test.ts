import { describe, expect, it } from 'vitest';
import { Controller, LEVELS, type Level, type Turn } from '../../../src/transfer/controller.js';

const MIB = 1 << 20;
/** Bytes a millisecond of a line with so many Mbit/s. */
const mbit = (rate: number): number => (rate * 1e6) / 8 / 1000;

/** Numbers in [0, 1), the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface World {
  /** Bytes a millisecond that the line takes, at a time in milliseconds. */
  readonly line: (ms: number) => number;
  /** What the sender may give to a line that takes no more, in bytes. */
  readonly buffer?: number;
  /** Whether a record counts as sent as soon as the one before it is. */
  readonly early?: boolean;
  /** Bytes that `fast` takes in a millisecond on one core, and what it leaves. */
  readonly packs?: number;
  readonly leaves?: number;
  readonly cores?: number;
  /** Bytes a millisecond that the receiver unpacks, and that it writes. */
  readonly unpacks?: number;
  readonly writes?: number;
  /** Times come out longer or shorter by so much. */
  readonly noise?: number;
  readonly recordBytes?: number;
}

interface Result {
  readonly tookMs: number;
  readonly changes: number;
  readonly level: Level;
}

/**
 * Sends `bytes` through a pipeline as deep as the outbox, over a line with a buffer, to a receiver with 16 MiB of
 * credit, and gives what became of it: with the controller, or always on one level.
 */
function send(world: World, bytes: number, always?: Level): Result {
  const { line, buffer = MIB, packs = 300_000, leaves = 0.25, cores = 2, early = false } = world;
  const { unpacks = 400_000, writes = 1_500_000, noise = 0, recordBytes = MIB } = world;
  const random = seeded(7);
  const jitter = (): number => 1 + noise * (2 * random() - 1);
  const costOf = { none: 0, fast: 1 / packs, strong: 5 / packs };
  const leavesOf = { none: 1, fast: leaves, strong: 0.85 * leaves };
  let nowMs = 0;
  const controller = new Controller(() => nowMs);
  const coreFreeMs = Array.from({ length: cores }, () => 0);
  const sentMs: number[] = [];
  const takenMs: number[] = [];
  const told: (() => void)[] = [];
  let wiredMs = 0;
  let changes = 0;
  let level = controller.level;
  for (let record = 0; record * recordBytes < bytes; record++) {
    nowMs = Math.max(nowMs, sentMs[record - 5] ?? 0);
    const putMs = nowMs;
    told[record - 5]?.();
    const turn: Turn =
      always === undefined ? controller.next(recordBytes) : { level: always, passed: () => {} };
    if (controller.level !== level) changes++;
    level = controller.level;
    const packMs = recordBytes * costOf[turn.level] * jitter();
    const core = coreFreeMs.indexOf(Math.min(...coreFreeMs));
    const packedMs = turn.level === 'none' ? putMs : Math.max(putMs, coreFreeMs[core]!) + packMs;
    if (turn.level !== 'none') coreFreeMs[core] = packedMs;
    const previousMs = record === 0 ? putMs : sentMs[record - 1]!;
    const startMs = Math.max(packedMs, previousMs);
    const wire = recordBytes * leavesOf[turn.level];
    const rate = line(startMs) * jitter();
    const creditMs = takenMs[record - Math.floor((16 * MIB) / recordBytes)] ?? 0;
    const onLineMs = Math.max(wiredMs, startMs, creditMs);
    wiredMs = onLineMs + wire / rate;
    // Sealing costs something also where the line takes everything.
    sentMs.push(
      Math.max(
        startMs + recordBytes / 4e6,
        creditMs,
        (early ? wiredMs - wire / rate : wiredMs) - buffer / rate,
      ),
    );
    const unpackMs = turn.level === 'none' ? 0 : recordBytes / unpacks;
    takenMs.push(Math.max(takenMs[record - 1] ?? 0, wiredMs) + unpackMs + recordBytes / writes);
    const endMs = sentMs[record]!;
    told.push(() => {
      if (turn.level === 'fast') controller.measured(recordBytes, wire, packedMs - putMs);
      turn.passed({
        tookMs: endMs - previousMs,
        packMs: startMs - Math.max(previousMs, putMs),
        lineMs: endMs - startMs,
      });
    });
  }
  return { tookMs: takenMs.at(-1)!, changes, level };
}

const best = (world: World, bytes: number): number =>
  Math.min(...LEVELS.map((level) => send(world, bytes, level).tookMs));
const FOREVER = 2 ** 33;

const fixed: Record<string, [World, Level]> = {
  'a line of 20 Mbit/s': [{ line: () => mbit(20) }, 'strong'],
  'a line of 100 Mbit/s': [{ line: () => mbit(100) }, 'strong'],
  'a line of 100 Mbit/s with much room before it': [{ line: () => mbit(100), buffer: 4 * MIB }, 'strong'],
  'a line that has sent a record when the next begins': [{ line: () => mbit(100), early: true }, 'strong'],
  'a line of 1 Gbit/s': [{ line: () => mbit(1_000) }, 'fast'],
  'a line of 10 Gbit/s': [{ line: () => mbit(10_000) }, 'none'],
  'loopback, where both sides share two busy cores': [{ line: () => 900_000, packs: 100_000, unpacks: 200_000 }, 'none'],
  'a receiver that unpacks slowly': [{ line: () => 700_000, packs: 800_000, unpacks: 250_000 }, 'none'],
}; // prettier-ignore

describe.each(Object.entries(fixed))('%s', (_, [world, level]) => {
  it('is found out, and that is that', () => {
    const { tookMs, changes, level: last } = send(world, FOREVER);
    expect(last).toBe(level);
    expect(changes).toBeLessThanOrEqual(1);
    expect(tookMs).toBeLessThan(1.1 * best(world, FOREVER));
  });

  it('is followed through noise', () => {
    const noisy = { ...world, noise: 0.3 };
    const { tookMs, changes } = send(noisy, FOREVER);
    expect(changes).toBeLessThan(2 + tookMs / 40_000);
    expect(tookMs).toBeLessThan(1.1 * best(noisy, FOREVER));
  });
});

it('costs a few MiB to find out', () => {
  const loopback: World = { line: () => 900_000, packs: 150_000, unpacks: 200_000 };
  const lostMs = send(loopback, 1024 * MIB).tookMs - best(loopback, 1024 * MIB);
  expect(lostMs).toBeLessThan((36 * MIB) / 300_000);
  for (const rate of [20, 100, 1000]) {
    const world: World = { line: () => mbit(rate) };
    expect(send(world, 64 * MIB).tookMs).toBeLessThan(1.2 * best(world, 64 * MIB));
  }
});

it('content that hardly shrinks is worth what it is worth', () => {
  const world: World = { line: () => mbit(2_500), leaves: 0.9 };
  expect(send(world, FOREVER).tookMs).toBeLessThan(1.02 * best(world, FOREVER));
});

it('a disk that is slower than everything else makes nothing flap', () => {
  const world: World = { line: () => mbit(1_000), writes: 30_000, noise: 0.1 };
  const { tookMs, changes } = send(world, FOREVER);
  expect(changes).toBeLessThanOrEqual(2);
  expect(tookMs).toBeLessThan(1.1 * best(world, FOREVER));
});

it('a line that changes is followed', () => {
  for (const [before, after, level] of [[10_000, 50, 'strong'], [50, 10_000, 'none'], [1_000, 20, 'strong']] as const) {
    const bytes = before === 50 ? 2 ** 34 : 2 ** 32;
    const { tookMs, changes, level: last } = send({ line: (ms) => mbit(ms < 3_000 ? before : after) }, bytes);
    expect(last).toBe(level);
    expect(changes).toBeLessThanOrEqual(4);
    if (after < before) continue;
    // What it lost with the wrong level after the change.
    expect(tookMs).toBeLessThan(3_000 + 1.2 * best({ line: () => mbit(after) }, bytes));
  }
}); // prettier-ignore

it('small records are judged as well', () => {
  for (const rate of [5, 20, 100]) {
    const world: World = { line: () => mbit(rate), buffer: 1 << 17, recordBytes: 1 << 15 };
    const { tookMs, level } = send(world, 256 * MIB);
    expect(level).toBe('strong');
    expect(tookMs).toBeLessThan(1.05 * best(world, 256 * MIB));
  }
});

it('a clock that stands still changes nothing', () => {
  const controller = new Controller(() => 0);
  for (let record = 0; record < 1000; record++) {
    controller.next(MIB).passed({ tookMs: 0, packMs: 0, lineMs: 0 });
  }
  expect(controller.level).toBe('fast');
});
