import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { surplusOf } from '../../../src/peer/lanes.js';

interface Dialled {
  readonly bySender: boolean;
  readonly number: number;
}

const lanes = fc.uniqueArray(fc.record({ bySender: fc.boolean(), number: fc.nat({ max: 63 }) }), {
  maxLength: 16,
  selector: ({ bySender, number }) => `${String(bySender)} ${String(number)}`,
});

/** What one side closes of lanes that both know, in the order in which it happens to know them. */
function closedBy(isSender: boolean, open: readonly Dialled[], target: number, limit: number): Set<string> {
  const seen = open.map((lane) => ({ ...lane, isOurs: lane.bySender === isSender }));
  return new Set(
    surplusOf(seen, { isSender, target, limit }).map(
      ({ bySender, number }) => `${String(bySender)} ${String(number)}`,
    ),
  );
}

describe('which lanes are too many', () => {
  test('two sides that dialled at once keep what both want, whoever sees what first', () => {
    fc.assert(
      fc.property(lanes, fc.integer({ min: 1, max: 8 }), (open, wanted) => {
        const bySender = closedBy(true, open, wanted, wanted);
        const byReceiver = closedBy(false, [...open].reverse(), wanted, wanted);
        const left = open.filter(({ bySender: sender, number }) => {
          const name = `${String(sender)} ${String(number)}`;
          return !bySender.has(name) && !byReceiver.has(name);
        });
        expect(left).toHaveLength(Math.min(wanted, open.length));
      }),
    );
  });

  test('the sender closes its own where the receiver dialled as many', () => {
    const open = [
      { number: 0, isOurs: true },
      { number: 0, isOurs: false },
    ];
    expect(surplusOf(open, { isSender: true, target: 1, limit: 8 })).toEqual([open[0]]);
    expect(surplusOf(open, { isSender: false, target: 1, limit: 8 })).toEqual([]);
  });

  test('nobody closes what the other side dialled, up to the limit', () => {
    const open = [0, 1, 2].map((number) => ({ number, isOurs: false }));
    expect(surplusOf(open, { isSender: true, target: 1, limit: 8 })).toEqual([]);
    expect(surplusOf(open, { isSender: true, target: 1, limit: 2 })).toEqual([open[2]]);
  });
});
