/** Which entries of a manifest part the receiver takes, as the runs of a `want` message. */
import { LEAF_BYTES } from '../crypto/digest.js';
import type { ControlMessage } from './messages.js';
import type { Entry } from './ports.js';
import { malformed } from './wire.js';

type Want = Extract<ControlMessage, { type: 'want' }>;
export type Runs = Want['runs'];

/** What is wanted of a part. */
export type Wish = Pick<Want, 'runs' | 'held' | 'older'>;

/** Collects the answer for each entry in turn. */
export class RunBuilder {
  readonly runs: [skip: number, take: number][] = [];
  #skip = 0;

  add(isWanted: boolean): void {
    const last = this.runs.at(-1);
    if (!isWanted) this.#skip++;
    else if (this.#skip === 0 && last !== undefined) last[1]++;
    else {
      this.runs.push([this.#skip, 1]);
      this.#skip = 0;
    }
  }
}

/** Throws `protocol` unless what is held are beginnings of those files, in their order. */
export function demandHeld(files: readonly Entry[], held: Wish['held']): void {
  let next = 0;
  for (const [index, leaves] of held) {
    while (next < files.length && files[next]?.index !== index) next++;
    const size = files[next++]?.size ?? 0;
    if (leaves === 0 || leaves * LEAF_BYTES > size) throw malformed('a part of no file that is wanted');
  }
}

/** Throws `protocol` unless those with an older copy are among the files, have content, and none of them is held in part too. */
export function demandOlder(files: readonly Entry[], held: Wish['held'], older: readonly Entry[]): void {
  const asked = new Set(files.map(({ index }) => index));
  for (const [index] of held) asked.delete(index);
  for (const { index, size } of older) {
    if (!asked.delete(index) || size === undefined || size === 0)
      throw malformed('an older copy of no file that is wanted');
  }
}

/** The files among the entries that the runs take. Throws `protocol` where they reach beyond the part. */
export function filesIn(entries: readonly Entry[], runs: Runs): Entry[] {
  return takenOf(entries, runs).filter(({ type }) => type === 'file');
}

/** The items that the runs take. Throws `protocol` where they reach beyond the last one, and for one that takes nothing: of those there could be any number. */
export function takenOf<T>(items: readonly T[], runs: Runs): T[] {
  const taken: T[] = [];
  let next = 0;
  for (const [skip, take] of runs) {
    if (take === 0) throw malformed('a run that takes nothing');
    next += skip + take;
    if (next > items.length) throw malformed('runs beyond what they are about');
    for (const item of items.slice(next - take, next)) taken.push(item);
  }
  return taken;
}
