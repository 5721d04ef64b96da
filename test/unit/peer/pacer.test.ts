import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Pacer } from '../../../src/peer/pacer.js';

/** A sender that waits as it is told, on a clock that goes on only then. */
class Line {
  nowMs = 0;
  bytes = 0;
  readonly pacer: Pacer;

  constructor(bytesPerSecond: number) {
    this.pacer = new Pacer(bytesPerSecond, () => this.nowMs);
  }

  /** Sends records until `untilMs`, each `lateMs` later than it was told. */
  run(untilMs: number, recordBytes = this.pacer.pieceBytes(), lateMs = (): number => 0): void {
    for (;;) {
      const waitMs = this.pacer.take(recordBytes);
      if (this.nowMs + waitMs > untilMs) break;
      if (waitMs > 0) this.nowMs += waitMs + lateMs();
      this.bytes += recordBytes;
    }
    this.nowMs = untilMs;
  }
}

describe.each([10_000, 20_000, 1e6, 10e6, 500e6, 100e9])('at %d bytes per second', (rate) => {
  test('ten seconds carry ten seconds of bytes, to 5 %', () => {
    const line = new Line(rate);
    line.run(10_000);
    expect(Math.abs(line.bytes / (10 * rate) - 1)).toBeLessThan(0.05);
  });

  test('timers that are late by up to 20 ms change nothing', () => {
    const line = new Line(rate);
    let late = 0;
    line.run(10_000, undefined, () => (late = (late + 7) % 20));
    expect(Math.abs(line.bytes / (10 * rate) - 1)).toBeLessThan(0.05);
  });

  test('a pause is not made up for', () => {
    const line = new Line(rate);
    line.run(1_000);
    line.nowMs += 3_600_000;
    const before = line.bytes;
    line.run(line.nowMs + 1);
    const burst = 0.1 * rate;
    expect(line.bytes - before).toBeLessThanOrEqual(burst + 0.001 * rate + line.pacer.pieceBytes());
  });
});

test('no stretch of time carries more than its bytes, a burst and a record', () => {
  const record = fc.record({ bytes: fc.integer({ min: 1, max: 1 << 20 }), idleMs: fc.nat(300) });
  fc.assert(
    fc.property(fc.integer({ min: 10_000, max: 1e9 }), fc.array(record), (rate, records) => {
      const line = new Line(rate);
      const sent = records.map(({ bytes, idleMs }) => {
        line.nowMs += idleMs;
        line.nowMs += line.pacer.take(bytes);
        return { atMs: line.nowMs, bytes };
      });
      for (let first = 0; first < sent.length; first++) {
        let sum = 0;
        for (const { atMs, bytes } of sent.slice(first)) {
          // Before this record; it may begin now, however long it is.
          expect(sum).toBeLessThanOrEqual(((atMs - sent[first]!.atMs + 100) / 1000) * rate + 1);
          sum += bytes;
        }
      }
    }),
  );
});

test('what did not wait is waited for by what follows', () => {
  const line = new Line(1_000_000);
  line.pacer.take(600_000);
  expect(line.pacer.take(1)).toBeCloseTo(500);
});

test.each([
  [10_000, 4 * 1024],
  [100_000, 12 * 1024],
  [1e6, 120 * 1024],
  [10e6, 1 << 20],
  [1e9, 1 << 20],
])('at %d bytes per second a record holds up to %d', (rate, bytes) => {
  expect(new Pacer(rate).pieceBytes()).toBe(bytes);
});
