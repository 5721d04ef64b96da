// @ts-check
/** Lines as a web server logs them: what people have much of, and what compresses well but is no repeated line. */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const START_MS = Date.UTC(2026, 2, 1);
const SITE = 'https://www.example.org';
const WORDS =
  'album archive autumn bicycle bridge cloud coffee concert desert evening family forest garden guitar harbour holiday island kitchen lake letter market morning mountain museum night ocean orange painting paper picture planet rain recipe river school shadow silver song station storm street summer sunset table theatre train travel valley village violin water weather window winter'.split(
    ' ',
  );
const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/% Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/% Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/% Safari/605.1.15',
  'Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/% Mobile Safari/537.36',
  'Mozilla/5.0 (X11; Linux x86_64; rv:%) Gecko/20100101 Firefox/%',
  'Mozilla/5.0 (compatible; examplebot/%; +https://example.net/bot)',
  'curl/%',
];

/**
 * Endless lines of a web server's log, some thousands of visitors with their own addresses and programs, in time
 * order.
 *
 * @param {() => number} next numbers in [0, 1)
 * @returns {Generator<string, never>}
 */
export function* logLines(next) {
  /** @param {number} count more often small than large */
  const skewed = (count) => Math.floor(count * next() ** 3);
  const visitors = Array.from({ length: 5_000 }, () => ({
    address: [0, 0, 0, 0].map(() => 1 + Math.floor(next() * 254)).join('.'),
    agent: (AGENTS[skewed(AGENTS.length)] ?? '').replaceAll('%', `${100 + skewed(40)}.0.${skewed(7000)}.0`),
    from: '-',
  }));
  const places = Array.from({ length: 4_000 }, () => placeOf(next));
  let timeMs = START_MS;
  let second = '';
  let secondMs = -1;
  for (;;) {
    timeMs += next() * 40;
    if (Math.floor(timeMs / 1000) !== secondMs) {
      secondMs = Math.floor(timeMs / 1000);
      second = timestamp(secondMs * 1000);
    }
    const visitor = visitors[skewed(visitors.length)];
    const place = places[skewed(places.length)];
    if (visitor === undefined || place === undefined) continue;
    const chance = next();
    const query =
      chance < 0.2 ? `?page=${skewed(60)}&session=${Math.floor(next() * 2 ** 32).toString(16)}` : '';
    const status = chance < 0.86 ? 200 : chance < 0.93 ? 304 : chance < 0.98 ? 404 : 500;
    const size = status === 304 ? 0 : status === 200 ? place.size + skewed(2_000) : 162 + skewed(400);
    const method = chance > 0.06 && chance < 0.1 ? 'POST' : 'GET';
    const request = `${method} ${place.path}${query} HTTP/1.1`;
    const tookS = (0.001 + next() ** 6 * 2).toFixed(3);
    yield `${visitor.address} - - [${second}] "${request}" ${status} ${size} "${visitor.from}" "${visitor.agent}" ${tookS}\n`;
    visitor.from = SITE + place.path;
  }
}

/** @param {() => number} next */
function placeOf(next) {
  const word = () => WORDS[Math.floor(next() * WORDS.length)] ?? '';
  const kinds = [
    () => `/${word()}/${word()}-${word()}.html`,
    () => `/static/${word()}.${Math.floor(next() * 2 ** 32).toString(16)}.${next() < 0.5 ? 'js' : 'css'}`,
    () => `/images/${word()}/${1000 + Math.floor(next() * 9000)}_${next() < 0.5 ? 'large' : 'small'}.jpg`,
    () => `/api/v2/${word()}/${Math.floor(next() * 100_000)}`,
  ];
  const kind = kinds[Math.floor(next() * kinds.length)];
  return { path: kind?.() ?? '/', size: Math.floor(10 ** (2.5 + 3 * next())) };
}

/** @param {number} ms */
function timestamp(ms) {
  const date = new Date(ms);
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()] ?? ''}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

/** @param {number} number */
function two(number) {
  return String(number).padStart(2, '0');
}
