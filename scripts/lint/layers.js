// @ts-check
/**
 * The layer rule of ARCHITECTURE.md as an ESLint rule: what a folder of `src/` may import, and in which one
 * file a third-party package may be imported.
 */
import { builtinModules } from 'node:module';
import path from 'node:path';

/**
 * @typedef {object} Layer
 * @property {string} where folder (with a slash at the end) or file below `src/`
 * @property {readonly string[]} [may] the only folders or files below `src/` that it may import besides itself
 * @property {readonly string[]} [mayNot] what it may not import, where it may import the rest
 * @property {readonly string[]} [builtins] the only modules of Node it may import; any if not given
 * @property {readonly string[]} [notBuiltins] modules of Node it may not import
 */

const DISK = ['fs', 'fs/promises'];
const NETWORK = ['net', 'dgram', 'tls', 'http', 'https', 'http2', 'dns', 'dns/promises'];
const PROCESSES = ['child_process', 'cluster'];

/** The first one that fits a file counts. @type {readonly Layer[]} */
export const LAYERS = [
  { where: 'errors.ts', may: [], builtins: [] },
  { where: 'rate.ts', may: ['errors.ts'], builtins: [] },
  { where: 'duration.ts', may: ['errors.ts'], builtins: [] },
  {
    where: 'action-settings.ts',
    may: ['errors.ts', 'rate.ts', 'duration.ts', 'transfer/share-messages.ts'],
    builtins: [],
  },
  { where: 'crypto/', may: ['errors.ts'], builtins: ['crypto', 'util', 'buffer'] },
  {
    where: 'transfer/',
    may: ['errors.ts', 'crypto/'],
    notBuiltins: [...DISK, ...NETWORK, ...PROCESSES, 'os', 'process'],
  },
  { where: 'peer/', may: ['errors.ts', 'crypto/', 'transfer/'], notBuiltins: [...DISK, ...PROCESSES] },
  {
    where: 'files/',
    may: [
      'errors.ts',
      'transfer/ports.ts',
      'transfer/manifest.ts',
      'transfer/entry-table.ts',
      'transfer/resume.ts',
    ],
    notBuiltins: [...NETWORK, 'cluster'],
  },
  {
    where: 'share/',
    may: ['errors.ts', 'action-settings.ts', 'crypto/', 'transfer/', 'peer/', 'files/'],
  },
  { where: 'endpoint.ts', may: ['errors.ts'], builtins: ['net'] },
  { where: 'folders.ts', may: [], builtins: ['path'] },
  {
    where: 'settings.ts',
    may: [
      'rate.ts',
      'duration.ts',
      'endpoint.ts',
      'action-settings.ts',
      'share/rights.ts',
      'transfer/messages.ts',
    ],
    builtins: ['path'],
  },
  { where: 'config.ts', may: ['errors.ts', 'folders.ts', 'settings.ts'], notBuiltins: NETWORK },
  {
    where: 'hash-thread.ts',
    may: ['errors.ts', 'transfer/ports.ts'],
    notBuiltins: [...DISK, ...NETWORK, ...PROCESSES],
  },
  { where: 'hash-worker.ts', may: ['crypto/digest.ts'], builtins: ['worker_threads'] },
  { where: 'cli/', may: ['index.ts'], notBuiltins: NETWORK },
  // The library's door: index.ts, session.ts and what they are cut into.
  { where: '', mayNot: ['cli/'] },
];

/** One package, one door: the only file below `src/` that imports it. @type {ReadonlyMap<string, string>} */
export const DOORS = new Map([
  ['@hyperswarm/secret-stream', 'peer/noise.ts'],
  ['@napi-rs/blake-hash', 'crypto/digest.ts'],
  ['blind-relay', 'share/relay.ts'],
  ['clipboardy', 'cli/clipboard.ts'],
  ['commander', 'cli/program.ts'],
  ['env-paths', 'folders.ts'],
  ['fastest-levenshtein', 'crypto/code.ts'],
  ['hyperdht', 'peer/discreet-dht.ts'],
  ['hyperswarm', 'peer/dht.ts'],
  ['get-east-asian-width', 'cli/display-width.ts'],
  ['ignore', 'files/gitignore.ts'],
  ['libsodium-wrappers', 'crypto/sodium.ts'],
  ['libsodium-wrappers-sumo', 'crypto/sodium.ts'],
  ['multicast-dns', 'peer/lan.ts'],
  ['noise-handshake', 'peer/lane-handshake.ts'],
  ['ora', 'cli/screen.ts'],
  ['picomatch', 'files/filter.ts'],
  ['smol-toml', 'config.ts'],
  ['socks', 'peer/proxy.ts'],
  ['uqr', 'cli/qr.ts'],
]);

/** Byte strings are no decision to hide: hyperswarm's packages take and give what this one makes. */
const WITHOUT_DOOR = new Set(['b4a']);

const builtins = new Set(builtinModules);

/**
 * Why `file` may not import `specifier`, or `undefined` when it may.
 *
 * @param {string} file below `src/`, with forward slashes
 * @param {string} specifier as written in the import
 * @returns {string | undefined}
 */
export function forbidden(file, specifier) {
  const layer = LAYERS.find(({ where }) => fits(file, where));
  if (layer === undefined) return `${file} belongs to no layer`;
  if (specifier.startsWith('.')) return forbiddenFile(file, specifier, layer);
  const builtin = specifier.replace(/^node:/, '');
  if (specifier.startsWith('node:') || builtins.has(builtin)) return forbiddenBuiltin(builtin, layer);
  return forbiddenPackage(file, specifier);
}

/** @param {string} file @param {string} specifier @param {Layer} layer */
function forbiddenFile(file, specifier, layer) {
  const target = path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts');
  /** @param {string} where */
  const isTarget = (where) => fits(target, where);
  if (layer.mayNot !== undefined) {
    return layer.mayNot.some(isTarget) ? `${name(layer)} may not import ${target}` : undefined;
  }
  const may = layer.may ?? [];
  if (fits(target, layer.where) || may.some(isTarget)) return undefined;
  return `${name(layer)} may not import ${target}; it may import ${may.join(', ') || 'nothing'}`;
}

/** @param {string} builtin @param {Layer} layer */
function forbiddenBuiltin(builtin, layer) {
  const allowed = layer.builtins?.includes(builtin) ?? layer.notBuiltins?.includes(builtin) !== true;
  return allowed ? undefined : `${name(layer)} may not import node:${builtin}`;
}

/** @param {string} file @param {string} specifier */
function forbiddenPackage(file, specifier) {
  const segments = specifier.split('/');
  const pkg = segments.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  if (WITHOUT_DOOR.has(pkg)) return undefined;
  const door = DOORS.get(pkg);
  if (door === file) return undefined;
  return door === undefined
    ? `${pkg} has no door yet: name the one file that imports it in scripts/lint/layers.js`
    : `${pkg} is imported in ${door} and nowhere else`;
}

/** @param {string} file @param {string} where */
function fits(file, where) {
  return where === '' || file === where || (!where.endsWith('.ts') && file.startsWith(where));
}

/** @param {Layer} layer */
function name(layer) {
  return layer.where === '' ? 'the library' : layer.where;
}

/** @type {import('eslint').Rule.RuleModule} */
const rule = {
  meta: { type: 'problem', schema: [], messages: { forbidden: '{{why}}' } },
  create(context) {
    const file = context.filename.split(path.sep).join('/').split('/src/').at(-1) ?? '';
    /** @param {import('estree').Node | null | undefined} source */
    const check = (source) => {
      if (source?.type !== 'Literal' || typeof source.value !== 'string') return;
      const why = forbidden(file, source.value);
      if (why !== undefined) context.report({ node: source, messageId: 'forbidden', data: { why } });
    };
    return {
      ImportDeclaration: (node) => check(node.source),
      ImportExpression: (node) => check(node.source),
      ExportNamedDeclaration: (node) => check(node.source),
      ExportAllDeclaration: (node) => check(node.source),
    };
  },
};

export default { rules: { layers: rule } };
