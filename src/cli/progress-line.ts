/** One line that says how far a transfer is. Pure: what it draws depends on what it was told and on the clock given. */
import type { Path, Progress } from '../index.js';
import { formatDuration, formatPart, formatRate, formatShare, formatSize } from './figures.js';
import { displayWidth } from './display-width.js';
import { show } from './show.js';

/** The speed is measured over the last seconds: a mean over all of it would answer too slowly. */
const WINDOW_MS = 5_000;
/** Below this many columns a file's name says nothing. */
const NARROWEST_NAME = 8;
const GAP = '  ';

/** How fast bytes arrive at the receiver, over the last seconds. */
export class Speed {
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = [];

  /** Takes note that `bytes` in all were there at `atMs`. */
  add(atMs: number, bytes: number): void {
    const samples = this.#samples;
    samples.push({ atMs, bytes });
    // One sample from before the window stays: the window reaches back to it.
    while (samples.length > 2 && (samples[1]?.atMs ?? atMs) <= atMs - WINDOW_MS) samples.shift();
  }

  /** Bytes per second, `undefined` until there is something to measure. */
  get bytesPerSecond(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs - first.atMs < 200) return undefined;
    return ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000;
  }
}

export interface ProgressLine {
  /** What is going on, such as `sending`. */
  readonly doing: string;
  readonly progress: Progress;
  readonly bytesPerSecond: number | undefined;
  readonly path: Path | undefined;
  /** Path of the file that is moved now. Foreign text. */
  readonly file: string | undefined;
}

/**
 * The line in at most `width` columns. What matters least goes first: the file, the path of the bytes, what is
 * being done, the time left, the speed; the share and the bytes stay.
 */
export function formatProgress(line: ProgressLine, width: number): string {
  const { doing, progress, bytesPerSecond, path, file } = line;
  const parts: { readonly text: string; readonly keep: number }[] = [
    { text: doing, keep: 2 },
    { text: shareOf(progress), keep: 5 },
    { text: bytesOf(progress), keep: 6 },
  ];
  if (bytesPerSecond !== undefined) {
    parts.push({ text: formatRate(bytesPerSecond), keep: 4 });
    const left = timeLeft(progress, bytesPerSecond);
    if (left !== undefined) parts.push({ text: `${left} left`, keep: 3 });
  }
  if (path !== undefined) parts.push({ text: path, keep: 1 });

  let kept = parts.filter(({ text }) => text !== '');
  const widthOf = (): number => displayWidth(kept.map(({ text }) => text).join(GAP));
  while (widthOf() > width && kept.length > 1) {
    const least = Math.min(...kept.map(({ keep }) => keep));
    kept = kept.filter(({ keep }) => keep !== least);
  }
  const room = width - widthOf() - GAP.length;
  const texts = kept.map(({ text }) => text);
  if (file !== undefined && room >= NARROWEST_NAME) texts.push(show(file, room));
  return show(texts.join(GAP), width);
}

function shareOf({ bytes, totalBytes, totalKnown }: Progress): string {
  return totalKnown && totalBytes > 0 ? formatShare(bytes, totalBytes) : '';
}

function bytesOf({ bytes, totalBytes, totalKnown }: Progress): string {
  return totalKnown && totalBytes > 0 ? formatPart(bytes, totalBytes) : formatSize(bytes);
}

function timeLeft({ bytes, totalBytes, totalKnown }: Progress, bytesPerSecond: number): string | undefined {
  if (!totalKnown || bytes >= totalBytes || bytesPerSecond < 1) return undefined;
  // Tenths of a second would only flicker.
  const seconds = Math.max(1, Math.round((totalBytes - bytes) / bytesPerSecond));
  return seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1000);
}
