import { describe, expect, test } from 'vitest';
import {
  MAX_PENDING_HANDSHAKES,
  PendingHandshakes,
  type Handshake,
} from '../../../src/peer/pending-handshakes.js';

class FakeStream {
  destroying = false;

  destroy(): void {
    this.destroying = true;
  }
}

/** A handshake as hyperdht keeps it. */
class Begun implements Handshake {
  rawStream: FakeStream | null = new FakeStream();
  readonly relaySocket = new FakeStream();
  encryptedSocket: object | null = null;

  get isGivenUp(): boolean {
    return this.rawStream?.destroying === true && this.relaySocket.destroying;
  }
}

/** So many handshakes begin, one after the other. */
function begin(pending: PendingHandshakes, count: number, prefixOf: (index: number) => string): Begun[] {
  return Array.from({ length: count }, (_, index) => {
    const handshake = new Begun();
    pending.admit(handshake, prefixOf(index));
    return handshake;
  });
}

const HERE = (): string => '192.0.2';
const ELSEWHERE = (): string => '198.51.100';
const EVERYWHERE = (index: number): string => `10.0.${String(index)}`;

describe('handshakes that are no connections yet', () => {
  test('row 30: of a crowd the oldest makes room, and nobody who comes from elsewhere', () => {
    const pending = new PendingHandshakes();
    const honest = begin(pending, 2, HERE);
    const crowd = begin(pending, 200, ELSEWHERE);
    const late = begin(pending, 1, EVERYWHERE);
    expect([...honest, ...late].map(({ isGivenUp }) => isGivenUp)).toEqual([false, false, false]);
    const left = crowd.filter(({ isGivenUp }) => !isGivenUp);
    expect(left).toEqual(crowd.slice(-(MAX_PENDING_HANDSHAKES - 3)));
  });

  test('row 30: where addresses are made up one lives until all places are taken anew', () => {
    const pending = new PendingHandshakes();
    begin(pending, 100, EVERYWHERE);
    const [honest] = begin(pending, 1, HERE);
    begin(pending, MAX_PENDING_HANDSHAKES - 1, EVERYWHERE);
    expect(honest!.isGivenUp).toBe(false);
    begin(pending, 1, (index) => EVERYWHERE(index + 200));
    expect(honest!.isGivenUp).toBe(true);
  });

  test.each<[string, (handshake: Begun) => unknown]>([
    ['came to be a connection', (handshake) => (handshake.rawStream = null)],
    ['came to be one by a relay', (handshake) => (handshake.encryptedSocket = {})],
    ['was given up', (handshake) => handshake.rawStream?.destroy()],
  ])('one that %s has no place any more', (_, end) => {
    const pending = new PendingHandshakes();
    const ended = begin(pending, MAX_PENDING_HANDSHAKES / 2, EVERYWHERE);
    for (const handshake of ended) end(handshake);
    const others = begin(pending, MAX_PENDING_HANDSHAKES, EVERYWHERE);
    expect([...ended, ...others].filter(({ isGivenUp }) => isGivenUp)).toEqual([]);
  });
});
