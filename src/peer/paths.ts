/** The ways that a session has for its records: the pairing connection, and lanes. */
import { deferred, type Deferred } from '../transfer/deferred.js';
import type { RecordPath } from './record-path.js';

export class Paths {
  #pairing: RecordPath;
  #isPairingFast: boolean;
  readonly #lanes = new Set<RecordPath>();
  #roomArrived: Deferred<void> | undefined;
  #isOver = false;
  #blockedMs = 0;

  /** @param isPairingFast Whether the pairing connection carries data beside lanes too, and not only in their place. */
  constructor(pairing: RecordPath, isPairingFast: boolean) {
    this.#pairing = pairing;
    this.#isPairingFast = isPairingFast;
  }

  get pairing(): RecordPath {
    return this.#pairing;
  }

  /** Another pairing connection takes the place of one that is lost. */
  replacePairing(pairing: RecordPath, isPairingFast: boolean): void {
    this.#pairing = pairing;
    this.#isPairingFast = isPairingFast;
    this.wake();
  }

  /** Lanes in use. */
  get laneCount(): number {
    return this.#lanes.size;
  }

  /** How long data waited for a path that takes it, in milliseconds. */
  get blockedMs(): number {
    return this.#blockedMs;
  }

  addLane(lane: RecordPath): void {
    this.#lanes.add(lane);
    this.wake();
  }

  removeLane(lane: RecordPath): void {
    this.#lanes.delete(lane);
    this.wake();
  }

  /** The way for a few bytes that may come before others. */
  get fastest(): RecordPath {
    if (!this.#isPairingFast) for (const lane of this.#lanes) return lane;
    return this.pairing;
  }

  /** Where data goes next: where there is room, if anywhere. */
  get next(): RecordPath {
    const paths = [...(this.#isPairingFast ? [this.pairing] : []), ...this.#lanes];
    return paths.find(({ hasRoom }) => hasRoom) ?? paths[0] ?? this.pairing;
  }

  /** Waits until `next` takes data without keeping it waiting, or until nobody wants that any more; `wake` has it look. */
  async room(isWanted: () => boolean = () => true): Promise<void> {
    if (this.#isReady()) return;
    const sinceMs = performance.now();
    while (isWanted() && !this.#isReady()) {
      this.#roomArrived ??= deferred();
      await this.#roomArrived.promise;
    }
    this.#blockedMs += performance.now() - sinceMs;
  }

  /** Whoever waits looks again: there is room, or other paths than before. */
  wake(): void {
    this.#roomArrived?.resolve();
    this.#roomArrived = undefined;
  }

  /** Nobody waits any more. */
  close(): void {
    this.#isOver = true;
    this.wake();
  }

  #isReady(): boolean {
    return this.#isOver || this.next.hasRoom;
  }
}
