import { describe, expect, it } from 'vitest';
import { resultTable } from '../../../bench/figures.js';
import { goalTable } from '../../../bench/goals.js';
import { barPlot, scaleFor } from '../../../bench/plot.js';
import { figure, median, sizeName, table } from '../../../bench/statistics.js';

const MIB = 2 ** 20;

/** What one tool measured. */
function rounds(name: string, seconds: readonly number[], peakMib = 50) {
  const side = { cpuS: 1, peakBytes: peakMib * MIB };
  return { name, rounds: seconds.map((elapsedS) => ({ elapsedS, sender: side, receiver: side })) };
}

describe('figures', () => {
  it('takes the middle, and the mean of the middle two', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it.each([
    [12.345, '12.3'],
    [1234.5, '1235'],
    [0.0321, '0.032'],
    [0, '0'],
    [undefined, '–'],
    [NaN, '–'],
  ])('writes %s as %s', (value, text) => {
    expect(figure(value)).toBe(text);
  });

  it.each([
    [1024, '1 KiB'],
    [1.5 * MIB, '1.5 MiB'],
    [10 * 1024 * MIB, '10 GiB'],
    [999, '999 B'],
  ])('names %d bytes %s', (bytes, name) => {
    expect(sizeName(bytes)).toBe(name);
  });

  it('puts columns below each other', () => {
    expect(table(['program', 's'], [['xfer', '1.5']])).toBe(
      ['| program |   s |', '| ------- | --: |', '| xfer    | 1.5 |'].join('\n'),
    );
  });
});

describe('tables of a scenario', () => {
  const result = {
    name: 'random',
    title: 'a file',
    bytes: 100 * MIB,
    tools: [rounds('xfer', [2, 1, 3]), rounds('socat (raw TCP)', [1]), { name: 'croc', rounds: [] }],
  };

  it('have medians, the range, the ratio to the first, and both sides', () => {
    const [, , xfer = '', socat = '', ...rest] = resultTable(result).split('\n');
    const cells = (line: string) => line.split('|').map((cell) => cell.trim());
    expect(cells(xfer)).toEqual([
      ...['', 'xfer', '2.00', '1.00 – 3.00', '1.00', '50.0', '1.00 + 1.00', '50 + 50', ''],
    ]);
    expect(cells(socat)[4]).toBe('0.500');
    expect(rest).toEqual([]);
  });

  it('have the share of the line', () => {
    expect(resultTable({ ...result, lineS: 4 })).toContain('× line');
  });

  it('say which goals were reached, missed and not measured', () => {
    const lines = goalTable([result]).split('\n');
    const verdict = (text: string) => lines.find((line) => line.includes(text));
    expect(verdict('large random file, direct: × socat')).toMatch(/1\.50 \|\s+2\.00 \| no /);
    expect(verdict('large random file, direct: × croc')).toMatch(/– \| not measured/);
    expect(verdict('memory of one side')).toMatch(/200 \|\s+50\.0 \| yes/);
  });
});

describe('the plot', () => {
  const bars = [
    { name: 'xfer', value: 2, low: 1, high: 3, isOurs: true },
    { name: '<other> & co', value: 4, low: 4, high: 4, isOurs: false },
  ];
  const svg = barPlot('title', 'seconds', [{ title: 'first', bars }]);

  it('draws bars whose lengths are as their values', () => {
    const widths = [...svg.matchAll(/<rect class="bar[^"]*"[^>]*width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    );
    expect(widths).toHaveLength(2);
    expect(widths[1]).toBeCloseTo(2 * widths[0]!, 0);
  });

  it('labels its axis, escapes names, and has colours for light and dark', () => {
    expect(svg).toContain('>seconds</text>');
    expect(svg).toContain('&lt;other&gt; &amp; co');
    expect(svg).not.toMatch(/NaN|undefined/);
    expect(svg).toContain('prefers-color-scheme: dark');
  });

  it.each([
    [4, { step: 1, end: 4 }],
    [0.43, { step: 0.1, end: 0.5 }],
    [17, { step: 5, end: 20 }],
    [700, { step: 200, end: 800 }],
  ])('has a scale of round steps for %d', (most, { step, end }) => {
    expect(scaleFor(most).step).toBeCloseTo(step);
    expect(scaleFor(most).end).toBeCloseTo(end);
  });
});
