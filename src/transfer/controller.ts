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

/**
 * A level that failed is left alone until then, unless the line is another: a weaker one while the settled one does not
 * do twice as much as it did, a stronger one while it does not do half as much.
 */
interface Bar {
  readonly untilMs: number;
  readonly forMs: number;
  readonly rival: number;
}

// One record tells a slow line from a fast one, and costs little where it was the wrong thing to try. A receiver has
// credit for 16 MiB open: only behind those is seen what it can take.
const TRIAL_RECORDS = [1, 4, 16, 8];
/** A trial is won with so much of what its rival did at its end. Less is not forecast to be worth one. */
const TRIAL_WINS = 1.1;
/** A trial goes on while it does so much, */
const TRIAL_GOES_ON = [0.75, 0.85, 0.9, TRIAL_WINS];
/** and that of a weaker level is won at once with so much. */
const TRIAL_WINS_EARLY = 1.5;

/** What must have passed before it is looked at. */
const ENOUGH_BYTES = 1 << 21;
const ENOUGH_MS = 250;
/** Records after which the older ones count half. */
const REMEMBERED_RECORDS = 32;
/** What buffers on the way may take of a level before the line shows itself. */
const UNSEEN_BYTES = 12 << 20;
/** After a change nothing is tried for so long. */
const SETTLE_MS = 250;
/** How long a level is left alone that failed: twice as long each time, and so long that trials cost no more than a share. */
const FIRST_BAR_MS = 250;
const LONGEST_BAR_MS = 30_000;
const TRIALS_COST = 1 / 30;
/** What `strong` leaves of what `fast` leaves, and how much slower it is: a guess that a trial puts right. */
const STRONG_LEAVES = 0.85;
const STRONG_COSTS = 5;
/** Calls that surely run side by side. */
const SIDE_BY_SIDE = 2;
/** A clock may show less than there was. */
const SHORTEST_MS = 0.001;
/** Weight of the latest in a running mean. */
const LATEST = 0.3;

export class Controller {
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  #level: Level = 'fast';
  #sum = nothing();
  #trial: Trial | undefined;
  #settledMs = -Infinity;
  /** What went since then, without trials. */
  #settledBytes = 0;
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
    return { level: trial.level, passed: (passage) => this.#tried(trial, raw, passage) };
  }

  /** What one call of `fast` made of bytes that shrink. */
  measured(raw: number, packed: number, tookMs: number): void {
    const leaves = packed / raw;
    const speed = raw / Math.max(tookMs, SHORTEST_MS);
    const before = this.#fast ?? { leaves, speed };
    this.#fast = { leaves: mean(before.leaves, leaves), speed: mean(before.speed, speed) };
  }

  /** Takes in a record of the settled level. */
  #weigh(level: Level, raw: number, passage: Passage): void {
    // Packed before the level changed.
    if (level !== this.#level) return;
    if (this.#trial !== undefined) {
      this.#judge(this.#trial, raw, passage.tookMs);
      return;
    }
    add(this.#sum, raw, passage);
    this.#settledBytes += raw;
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
    if (isKept && this.#settledBytes >= UNSEEN_BYTES && weaker !== undefined) challengers.push(weaker);
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
    if (bar === undefined || this.now() >= bar.untilMs) return false;
    return this.#isWeaker(level) ? rival < 2 * bar.rival : rival > bar.rival / 2;
  }

  /** Takes in a record of a trial. */
  #tried(trial: Trial, raw: number, passage: Passage): void {
    if (trial !== this.#trial) return;
    add(trial.sum, raw, passage);
    // As fast as those that are missing could make it.
    const most = trial.sum.raw + (recordsOf(trial.step) - trial.sum.records) * raw;
    if (most < this.#least(trial) * trial.sum.tookMs) this.#lose(trial);
  }

  /** Ends a step of a trial with the record behind it, which may be the one that waited until the last one was out. */
  #judge(trial: Trial, raw: number, tookMs: number): void {
    const { level, rival, step, sum } = trial;
    if (sum.records < recordsOf(step)) return;
    sum.tookMs += Math.max(0, tookMs - raw / rival);
    const isEarly = this.#isWeaker(level) && step > 0 && speedOf(sum) >= TRIAL_WINS_EARLY * rival;
    if (speedOf(sum) < this.#least(trial)) this.#lose(trial);
    else if (isEarly || step === TRIAL_RECORDS.length - 1) this.#win(level);
    else this.#trial = begin(level, rival, step + 1);
  }

  /** The speed below which a trial ends. */
  #least({ step, rival }: Trial): number {
    return (TRIAL_GOES_ON[step] ?? 0) * rival;
  }

  #lose({ level, rival, step, sum }: Trial): void {
    this.#settle(this.#level);
    // The line is another than what went before made believe.
    if (step === 0) this.#sum = nothing();
    this.#bar(level, rival, sum.tookMs - sum.raw / rival);
  }

  #isWeaker(level: Level): boolean {
    return LEVELS.indexOf(level) < LEVELS.indexOf(this.#level);
  }

  #win(level: Level): void {
    this.#settle(level);
    this.#sum = nothing();
    this.#bars.delete(level);
  }

  #settle(level: Level): void {
    this.#level = level;
    this.#trial = undefined;
    this.#settledMs = this.now();
    this.#settledBytes = 0;
  }

  #bar(level: Level, rival: number, lostMs: number): void {
    const before = this.#bars.get(level);
    const forMs = Math.min(before === undefined ? FIRST_BAR_MS : 2 * before.forMs, LONGEST_BAR_MS);
    const untilMs = this.now() + Math.max(forMs, lostMs / TRIALS_COST);
    this.#bars.set(level, { untilMs, forMs, rival });
  }
}

function begin(level: Level, rival: number, step = 0): Trial {
  return { level, rival, step, left: recordsOf(step), sum: nothing() };
}

function recordsOf(step: number): number {
  return TRIAL_RECORDS[step] ?? 0;
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
  return raw / Math.max(tookMs, SHORTEST_MS);
}

function mean(before: number, latest: number): number {
  return before + LATEST * (latest - before);
}
