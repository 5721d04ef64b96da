/** Which entries of a manifest part the receiver takes, as the runs of a `want` message. */
import { LEAF_BYTES } from '../crypto/digest.js';
import type { ControlMessage } from './messages.js';
import type { Entry } from './ports.js';
import { malformed } from './wire.js';

type Want = Extract<ControlMessage, { type: 'want' }>;
export type Runs = Want['runs'];

/** What is wanted of a part. */
export type Wish = Pick<Want, 'runs' | 'held'>;

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

/** The files among the entries that the runs take. Throws `protocol` where they reach beyond the part. */
export function filesIn(entries: readonly Entry[], runs: Runs): Entry[] {
  const files: Entry[] = [];
  let next = 0;
  for (const [skip, take] of runs) {
    next += skip + take;
    if (next > entries.length) throw malformed('want beyond its part');
    for (const entry of entries.slice(next - take, next)) if (entry.type === 'file') files.push(entry);
  }
  return files;
}
