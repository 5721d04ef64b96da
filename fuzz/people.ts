/** What a person writes: on a command line, in the settings, in a `.gitignore`. */
import { isIP } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'smol-toml';
import { bootstrapNodes, parseConfig, relayKeys } from '../src/config.js';
import { parseDuration, parsePatience } from '../src/duration.js';
import { parseEndpoint } from '../src/endpoint.js';
import { matchGlobs, pathMatcher } from '../src/files/filter.js';
import { Gitignore } from '../src/files/gitignore.js';
import { formatAddress } from '../src/peer/address.js';
import { isRate, parseRate, parseSize } from '../src/rate.js';
import { demand, only, type Kind } from './kind.js';

const LONGEST_MS = 2 ** 31 - 1;

export const PEOPLE: Readonly<Record<string, Kind>> = {
  endpoint: {
    read: (input) => {
      const { host, port } = only('bad-address', () => parseEndpoint(input.toString()));
      demand(Number.isInteger(port) && port >= 0 && port <= 65_535, 'a port that none is');
      const again = parseEndpoint(host === undefined ? String(port) : formatAddress(host, port));
      demand(isDeepStrictEqual(again, { host, port }), 'written and read again it is somewhere else');
      demand(host === undefined || isIP(host) !== 0 || /^[\w.-]+$/.test(host), 'no name of a machine');
    },
    seeds: ['host.example:80', '[::1]:7337', '::1', '7337', '1.2.3.4:1', '0x7f.1', ':80', '[fe80::1%eth0]:9'],
  },
  duration: {
    read: (input) => {
      const text = input.toString();
      const patienceMs = only('usage', () => parsePatience(text));
      demand(isWhole(patienceMs, 0, LONGEST_MS), 'a time that no timer can wait for');
      if (patienceMs === 0) return;
      demand(only('usage', () => parseDuration(text)) === patienceMs, 'patience is another duration');
      demand(
        parseDuration(`${String(patienceMs / 1000)}s`) === patienceMs,
        'written in seconds it is another',
      );
    },
    seeds: ['90s', '30m', '1.5h', '24d', '25d', '0.0001s', '0  ', ' 2 h '],
  },
  rate: {
    read: (input) => {
      const text = input.toString();
      const rate = only('usage', () => parseRate(text));
      demand(isRate(rate), 'a rate that nobody may have');
      demand(parseRate(String(rate)) === rate, 'written in bytes it is another');
    },
    seeds: ['500K', '1.5GB/s', '10MiB', '80Mbit', '99999999999999G', '10000', '9999'],
  },
  size: {
    read: (input) => {
      const size = only('usage', () => parseSize(input.toString()));
      demand(isWhole(size, 0, 1e15), 'a size that is none');
      demand(parseSize(String(size)) === size, 'written in bytes it is another');
    },
    seeds: ['500M', '1.5GB', '10GiB', '1001T', '0.4'],
  },
  settings: {
    read: async (input) => {
      const config = await only('config-invalid', () => parseConfig(input.toString(), 'config.toml'));
      bootstrapNodes(config, {});
      relayKeys(config, {});
      if (config.expire !== undefined) parseDuration(config.expire);
      if (config.patience !== undefined) parsePatience(config.patience);
      if (config.limit !== undefined) parseRate(config.limit);
      const again = await parseConfig(stringify(config), 'config.toml');
      demand(isDeepStrictEqual({ ...again }, { ...config }), 'saved and read again they are others');
    },
    seeds: [
      'words = 3\nverify = true\nout = "a b"\n',
      'expire = "30m"\npatience = "0"\nlimit = "10M"\nlanes = 8\nport = 7337\n',
      `bootstrap = ["127.0.0.1:1", "[::1]:2"]\nrelay = ["${'aB'.repeat(32)}"]\n`,
      'words = 99999999999999999999',
      '[words]\n__proto__ = 1',
      'out = "\\u0000',
      'lanes = 0x8\nport = 1_024',
      'out = 2026-01-01T00:00:00Z',
    ],
  },
  environment: {
    read: (input) => {
      const text = input.toString();
      for (const node of only('bad-address', () => bootstrapNodes({}, { XFER_BOOTSTRAP: text })) ?? [])
        demand(parseEndpoint(node).host !== undefined, 'a node that is nowhere');
      const keys = only('usage', () => relayKeys({}, { XFER_RELAY: text }));
      demand(
        keys.every((key) => /^[\da-f]{64}$/.test(key)),
        'a key that is none',
      );
      demand(isDeepStrictEqual(relayKeys({}, { XFER_RELAY: keys.join() }), keys), 'other keys');
    },
    seeds: [
      '127.0.0.1:1, host.example:2',
      'aB'.repeat(32),
      `${'09'.repeat(32)},,${'af'.repeat(32)} `,
      ' , ,',
    ],
  },
  globs: {
    read: (input) => {
      const [path, ...globs] = linesOf(input);
      const isFolder = input.length % 2 === 0;
      const ask = only('usage', () => matchGlobs(globs.slice(0, MOST_RULES)));
      const isNamed = ask(path, isFolder);
      demand(ask(path, isFolder) === isNamed, 'asked twice it says something else');
      const isBelow = pathMatcher(globs.slice(0, MOST_RULES));
      demand(!isNamed || isBelow(path, isFolder), 'named, but not taken');
      demand(!isNamed || !isFolder || isBelow(`${path}/x`), 'a folder is taken, and not what lies in it');
    },
    seeds: ['r/a/b.jpg\n*.jpg', 'r/a\n{a,b}/\n[!a]', 'r/x/y\n**/x/**\n!(a|b)', 'r/a\n\\', 'r\n/', '\n./', 'r/a/b\n+(a)/*(b)'],
  }, // prettier-ignore
  gitignore: {
    read: (input) => {
      const [path, ...lines] = linesOf(input);
      const isFolder = input.length % 2 === 0;
      // As the walk asks: what is below the folder of the file, folder by folder.
      const names = path.split('/').filter((name) => name !== '' && name !== '.' && name !== '..');
      if (names.length === 0) return;
      const above = new Gitignore('r', lines.slice(0, MOST_RULES / 2).join('\n'), undefined);
      const rules = new Gitignore(`r/${names[0] ?? ''}`, lines.slice(MOST_RULES / 2, MOST_RULES).join('\n'), above);
      const asked = ['r', ...names, 'x'].join('/');
      const isLeftOut = rules.ignores(asked, isFolder);
      demand(rules.ignores(asked, isFolder) === isLeftOut, 'asked twice it says something else');
      const alone = new Gitignore(`r/${names[0] ?? ''}`, '', above);
      demand(alone.ignores(asked, isFolder) === above.ignores(asked, isFolder), 'a file that says nothing decides');
    },
    seeds: ['a/b\n*.log\n!x.log', 'build\nbuild/\n/top', 'a/c\n\\#x\n[a-', 'a b/c\n\n# no\na\\ \n**/c', '..x/y\n*\n!*/', 'a\\b/[c]\n(\n+'],
  }, // prettier-ignore
};

/** More are only slower. */
const MOST_RULES = 8;

function linesOf(input: Buffer): [first: string, ...string[]] {
  const [first = '', ...others] = input.subarray(0, 256).toString().split('\n');
  return [first, ...others];
}

function isWhole(value: number, from: number, to: number): boolean {
  return Number.isInteger(value) && value >= from && value <= to;
}
