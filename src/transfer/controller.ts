/**
 * Picks how hard to compress. It looks at what kept the last records, tries another level on a few where that could
 * be faster, and believes what it sees. No clock and no I/O: whoever sends says how long things took.
 */

/** How hard to compress, from not at all. */
export const LEVELS = ['none', 'fast', 'strong'] as const;
export type Level = (typeof LEVELS)[number];

/** How a record left. */
export interface Passage {
  /** Milliseconds since the record before it was gone. */
  readonly tookMs: number;
  /** How much of that the line stood idle until this record was packed. */
  readonly packMs: number;
  /** How much of that it waited for the line, and for the peer's credit. */
  readonly lineMs: number;
}

/** A level for one record. Every turn that was taken is to be told how its record left. */
export interface Turn {
  readonly level: Level;
  readonly passed: (passage: Passage) => void;
}

interface Sum {
  records: number;
  raw: number;
  tookMs: number;
  packMs: number;
  lineMs: number;
}

/** Another level, for a few records first and for more as long as they do well. */
interface Trial {
  readonly level: Level;
  /** What the settled level did, in bytes a millisecond. */
  readonly rival: number;
  step: number;
  /** Records of this step that are still to be packed. */
  left: number;
  sum: Sum;
}

/** A level that failed is left alone until then, unless the settled one does twice or half as much as it did. */
interface Bar {
  readonly untilMs: number;
  readonly forMs: number;
  readonly rival: number;
}

// One record tells a slow line from a fast one, and costs little where it was the wrong thing to try. A receiver has
// credit for 16 MiB open: only behind those is seen what it can take.
const TRIAL_RECORDS = [1, 8, 16, 8];
/** A trial goes on while the level does so much of what its rival did, */
const TRIAL_GOES_ON = [0.75, 0.9, 0.9];
/** is over at once with so much, */
const TRIAL_WINS_EARLY = 1.5;
/** and is won with so much at its end. Less is not forecast to be worth one. */
const TRIAL_WINS = 1.1;

/** What must have passed before it is looked at. */
const ENOUGH_BYTES = 1 << 21;
const ENOUGH_MS = 250;
/** Records after which the older ones count half. */
const REMEMBERED_RECORDS = 32;
/** After a change nothing is tried for so long. */
const SETTLE_MS = 250;
/** How long a level is left alone that failed: twice as long each time, and so long that trials cost no more than a share. */
const FIRST_BAR_MS = 1_000;
const LONGEST_BAR_MS = 30_000;
const TRIALS_COST = 1 / 30;
/** What `strong` leaves of what `fast` leaves, and how much slower it is: a guess that a trial puts right. */
const STRONG_LEAVES = 0.85;
const STRONG_COSTS = 5;
/** Calls that surely run side by side. */
const SIDE_BY_SIDE = 2;
/** Weight of the latest in a running mean. */
const LATEST = 0.3;

export class Controller {
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  #level: Level = 'fast';
  #sum = nothing();
  #trial: Trial | undefined;
  #settledMs = -Infinity;
  readonly #bars = new Map<Level, Bar>();
  /** Of one call of `fast`: what it leaves of a byte, and bytes a millisecond. */
  #fast: { readonly leaves: number; readonly speed: number } | undefined;

  constructor(now: () => number) {
    this.now = now;
  }

  /** The level of records that are not on trial. */
  get level(): Level {
    return this.#level;
  }

  /** The level for the next record that is worth packing, of `raw` bytes. */
  next(raw: number): Turn {
    const trial = this.#trial;
    if (trial === undefined || trial.left === 0) {
      const level = this.#level;
      return { level, passed: (passage) => this.#weigh(level, raw, passage) };
    }
    trial.left--;
    return { level: trial.level, passed: (passage) => this.#judge(trial, raw, passage) };
  }

  /** What one call of `fast` made of bytes that shrink. */
  measured(raw: number, packed: number, tookMs: number): void {
    const leaves = packed / raw;
    const speed = raw / Math.max(tookMs, 0.001);
    const before = this.#fast ?? { leaves, speed };
    this.#fast = { leaves: mean(before.leaves, leaves), speed: mean(before.speed, speed) };
  }

  /** Takes in a record of the settled level. */
  #weigh(level: Level, raw: number, passage: Passage): void {
    // Packed before the level changed, or between the records of a trial.
    if (level !== this.#level || this.#trial !== undefined) return;
    add(this.#sum, raw, passage);
    const sum = this.#sum;
    if (sum.records < 2 || (sum.raw < ENOUGH_BYTES && sum.tookMs < ENOUGH_MS)) return;
    if (sum.records > REMEMBERED_RECORDS) this.#sum = half(sum);
    if (this.now() - this.#settledMs < SETTLE_MS) return;
    const rival = speedOf(sum);
    const challenger = this.#challengers(sum).find((one) => !this.#isBarred(one, rival));
    if (challenger !== undefined) this.#trial = begin(challenger, rival);
  }

  /** Levels that could be faster than the one that did this. */
  #challengers(sum: Sum): Level[] {
    const weaker = LEVELS[LEVELS.indexOf(this.#level) - 1];
    const stronger = LEVELS[LEVELS.indexOf(this.#level) + 1];
    const challengers: Level[] = [];
    // What a stronger one would do where the line is what keeps the records.
    if (sum.lineMs > sum.tookMs / 2 && stronger !== undefined && this.#forecast(stronger, speedOf(sum)))
      challengers.push(stronger);
    // Where packing keeps them, nobody knows what the line could take; and what looks like a slow line may be
    // a receiver that unpacks slowly.
    const isKept = Math.max(sum.packMs, sum.lineMs) > sum.tookMs / 2;
    if (isKept && weaker !== undefined) challengers.push(weaker);
    return challengers;
  }

  /** Whether a stronger level should be worth a trial against the settled one with that speed. */
  #forecast(stronger: Level, speed: number): boolean {
    if (this.#fast === undefined) return false;
    const leaves = stronger === 'strong' ? STRONG_LEAVES : this.#fast.leaves;
    const costs = stronger === 'strong' ? STRONG_COSTS : 1;
    return Math.min(speed / leaves, (SIDE_BY_SIDE * this.#fast.speed) / costs) > TRIAL_WINS * speed;
  }

  #isBarred(level: Level, rival: number): boolean {
    const bar = this.#bars.get(level);
    return bar !== undefined && this.now() < bar.untilMs && rival > bar.rival / 2 && rival < bar.rival * 2;
  }

  /** Takes in a record of a trial, and ends its step with the last one. */
  #judge(trial: Trial, raw: number, passage: Passage): void {
    add(trial.sum, raw, passage);
    const { level, rival, step, sum } = trial;
    if (sum.records < (TRIAL_RECORDS[step] ?? 0)) return;
    const gain = speedOf(sum) / rival;
    const isLast = step === TRIAL_RECORDS.length - 1;
    const isWeaker = LEVELS.indexOf(level) < LEVELS.indexOf(this.#level);
    if (isLast ? gain >= TRIAL_WINS : isWeaker && step > 0 && gain >= TRIAL_WINS_EARLY) {
      this.#end();
      this.#level = level;
      this.#sum = nothing();
      this.#bars.delete(level);
    } else if (isLast || gain < (TRIAL_GOES_ON[step] ?? 0)) {
      this.#end();
      // The line is another than what went before made believe.
      if (step === 0) this.#sum = nothing();
      this.#bar(level, rival, sum.tookMs - sum.raw / rival);
    } else {
      this.#trial = begin(level, rival, step + 1);
    }
  }

  #end(): void {
    this.#trial = undefined;
    this.#settledMs = this.now();
  }

  #bar(level: Level, rival: number, lostMs: number): void {
    const before = this.#bars.get(level);
    const forMs = Math.min(before === undefined ? FIRST_BAR_MS : 2 * before.forMs, LONGEST_BAR_MS);
    const untilMs = this.now() + Math.max(forMs, lostMs / TRIALS_COST);
    this.#bars.set(level, { untilMs, forMs, rival });
  }
}

function begin(level: Level, rival: number, step = 0): Trial {
  return { level, rival, step, left: TRIAL_RECORDS[step] ?? 0, sum: nothing() };
}

function nothing(): Sum {
  return { records: 0, raw: 0, tookMs: 0, packMs: 0, lineMs: 0 };
}

function add(sum: Sum, raw: number, { tookMs, packMs, lineMs }: Passage): void {
  sum.records++;
  sum.raw += raw;
  sum.tookMs += tookMs;
  sum.packMs += packMs;
  sum.lineMs += lineMs;
}

function half({ records, raw, tookMs, packMs, lineMs }: Sum): Sum {
  return { records: records / 2, raw: raw / 2, tookMs: tookMs / 2, packMs: packMs / 2, lineMs: lineMs / 2 };
}

/** Bytes a millisecond. */
function speedOf({ raw, tookMs }: Sum): number {
  return raw / Math.max(tookMs, 0.001);
}

function mean(before: number, latest: number): number {
  return before + LATEST * (latest - before);
}
