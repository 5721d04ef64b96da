/** Whether one more lane would help: found out by trying, since nothing that can be asked tells. */

/** How a session stands at one moment. Counts since it began. */
export interface Sample {
  readonly nowMs: number;
  /** Bytes of content that this side handed to its lines. */
  readonly sentBytes: number;
  /** How long content waited for a line. */
  readonly blockedMs: number;
  /** Lines that carry content. */
  readonly lines: number;
}

/** What to do about it: open one more, or close the one that was tried. */
export type Advice = 'more' | 'fewer' | undefined;

/** More than this many TCP connections help nobody's line, and take it from others. */
export const MAX_TRIED_LINES = 4;
/** How long to look before a trial, and at its result. */
const BEFORE_MS = 2_000;
const AFTER_MS = 3_000;
/** A line is the bottleneck that is waited for at least this part of the time. */
const MOSTLY = 0.5;
const WORTH_IT = 1.1;
/** A lane that is not there after this long will not come. */
const OPENING_MS = 5_000;
const PAUSE_MS = 60_000;

interface Trial {
  readonly began: Sample;
  /** Bytes per millisecond. */
  readonly rateBefore: number;
  /** When the lane was there. */
  opened: Sample | undefined;
}

/**
 * Decides from samples, taken a few times a second, by one trial after the other: while lines are what holds this side
 * up, one more is tried; it stays if the rate rose by a tenth, otherwise nothing is tried for a minute.
 */
export class LaneTrial {
  /** Of the last two seconds and a little more, oldest first. */
  #recent: Sample[] = [];
  #pausedUntilMs = -Infinity;
  #trial: Trial | undefined;

  next(sample: Sample): Advice {
    return this.#trial === undefined ? this.#consider(sample) : this.#judge(sample, this.#trial);
  }

  #consider(sample: Sample): Advice {
    this.#recent.push(sample);
    while ((this.#recent[1]?.nowMs ?? Infinity) <= sample.nowMs - BEFORE_MS) this.#recent.shift();
    const [first = sample] = this.#recent;
    const elapsedMs = sample.nowMs - first.nowMs;
    if (elapsedMs < BEFORE_MS || sample.nowMs < this.#pausedUntilMs) return undefined;
    // A line more or less by anybody's doing: figures from before say nothing of now.
    if (sample.lines >= MAX_TRIED_LINES || sample.lines !== first.lines) return undefined;
    if (sample.blockedMs - first.blockedMs < MOSTLY * elapsedMs) return undefined;
    this.#trial = { began: sample, rateBefore: rate(first, sample), opened: undefined };
    this.#recent = [];
    return 'more';
  }

  #judge(sample: Sample, trial: Trial): Advice {
    if (sample.lines > trial.began.lines) trial.opened ??= sample;
    if (trial.opened === undefined) {
      return sample.nowMs - trial.began.nowMs < OPENING_MS ? undefined : this.#giveUp(sample);
    }
    if (sample.lines <= trial.began.lines) return this.#giveUp(sample);
    if (sample.nowMs - trial.opened.nowMs < AFTER_MS) return undefined;
    if (rate(trial.opened, sample) < WORTH_IT * trial.rateBefore) return this.#giveUp(sample);
    this.#trial = undefined;
    return undefined;
  }

  #giveUp({ nowMs }: Sample): Advice {
    this.#trial = undefined;
    this.#pausedUntilMs = nowMs + PAUSE_MS;
    return 'fewer';
  }
}

function rate(from: Sample, to: Sample): number {
  return (to.sentBytes - from.sentBytes) / (to.nowMs - from.nowMs);
}
