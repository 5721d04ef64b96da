import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Resequencer } from '../../../src/peer/resequencer.js';

test('items come out in their order, each as soon as none is missing before it', () => {
  const orders = fc.integer({ min: 1, max: 30 }).chain((count) => {
    const places = Array.from({ length: count }, (_, place) => place);
    return fc.shuffledSubarray(places, { minLength: count });
  });
  fc.assert(
    fc.property(orders, (order) => {
      const resequencer = new Resequencer<string>();
      const here = new Set<number>();
      const out: string[] = [];
      for (const place of order) {
        expect(order.filter((other) => resequencer.has(other)).sort()).toEqual([...here].sort());
        here.add(place);
        out.push(...resequencer.put(place, `item ${place}`));
        let whole = 0;
        while (here.has(whole)) whole++;
        expect(resequencer.next).toBe(whole);
        expect(out).toEqual(Array.from({ length: whole }, (_, one) => `item ${one}`));
      }
      expect(out).toHaveLength(order.length);
    }),
  );
});
