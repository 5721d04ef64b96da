// @ts-check
/** A plot of bars as SVG, readable on light and on dark pages, with no library. */
import { figure } from './statistics.js';

const WIDTH = 760;
const LEFT = 190;
const RIGHT = 70;
const BAR = 16;
const GAP = 6;
const TITLE = 34;
const AXIS = 42;
const MARGIN = 16;
const TICKS = 5;

const STYLE = `
  .page { fill: #ffffff } .grid { stroke: #d8dee4 } .axis, .range { stroke: #57606a }
  .bar { fill: #8c96a0 } .ours { fill: #1a7f5a } text { fill: #24292f; font: 12px system-ui, sans-serif }
  .title { font-weight: 600; font-size: 13px } .small { fill: #57606a; font-size: 11px }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .grid { stroke: #30363d } .axis, .range { stroke: #9198a1 }
    .bar { fill: #6e7681 } .ours { fill: #3fb98a } text { fill: #e6edf3 } .small { fill: #9198a1 }
  }`;

/**
 * @typedef {object} Bar
 * @property {string} name
 * @property {number} value
 * @property {number} low the least that was measured
 * @property {number} high the most
 * @property {boolean} isOurs
 */

/** @typedef {{ readonly title: string, readonly bars: readonly Bar[] }} Panel */

/**
 * One panel below the other, each with its own scale that begins at 0.
 *
 * @param {string} title for who does not see it
 * @param {string} axis what the scale shows
 * @param {readonly Panel[]} panels
 */
export function barPlot(title, axis, panels) {
  let top = MARGIN;
  const drawn = panels.map((panel) => {
    const part = drawPanel(panel, axis, top);
    top += heightOf(panel);
    return part;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img">
<title>${escape(title)}</title>
<style>${STYLE}
</style>
<rect class="page" width="${WIDTH}" height="${top}"/>
${drawn.join('\n')}
</svg>
`;
}

/** @param {Panel} panel */
function heightOf({ bars }) {
  return TITLE + bars.length * (BAR + GAP) + AXIS;
}

/** @param {Panel} panel @param {string} axis @param {number} top */
function drawPanel({ title, bars }, axis, top) {
  const first = top + TITLE;
  const bottom = first + bars.length * (BAR + GAP);
  const { step, end } = scaleFor(Math.max(...bars.map(({ high }) => high)));
  /** @param {number} value */
  const x = (value) => round(LEFT + (value / end) * (WIDTH - LEFT - RIGHT));

  const lines = [text(MARGIN, top + 16, title, 'title')];
  for (let tick = 0; tick <= Math.round(end / step); tick++) {
    const at = x(tick * step);
    lines.push(
      `<line class="${tick === 0 ? 'axis' : 'grid'}" x1="${at}" y1="${first - 4}" x2="${at}" y2="${bottom}"/>`,
      text(at, bottom + 14, `${Number((tick * step).toPrecision(6))}`, 'small', 'middle'),
    );
  }
  lines.push(text((LEFT + WIDTH - RIGHT) / 2, bottom + 28, axis, 'small', 'middle'));
  for (const [index, { name, value, low, high, isOurs }] of bars.entries()) {
    const y = first + index * (BAR + GAP);
    const middle = y + BAR / 2;
    lines.push(
      text(LEFT - 8, middle + 4, name, '', 'end'),
      `<rect class="${isOurs ? 'bar ours' : 'bar'}" x="${LEFT}" y="${y}" width="${round(x(value) - LEFT)}" height="${BAR}"/>`,
      `<line class="range" x1="${x(low)}" y1="${middle}" x2="${x(high)}" y2="${middle}"/>`,
      text(x(Math.max(value, high)) + 6, middle + 4, figure(value), 'small'),
    );
  }
  return lines.join('\n');
}

/**
 * Round steps of a scale that holds `most`.
 *
 * @param {number} most
 */
export function scaleFor(most) {
  const power = 10 ** Math.floor(Math.log10(most / TICKS));
  const step = ([1, 2, 5].find((factor) => factor * power * TICKS >= most) ?? 10) * power;
  return { step, end: Math.ceil(most / step - 1e-9) * step };
}

/** @param {number} x @param {number} y @param {string} content @param {string} kind @param {string} [anchor] */
function text(x, y, content, kind, anchor = 'start') {
  return `<text class="${kind}" x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escape(content)}</text>`;
}

/** @param {string} text */
function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
