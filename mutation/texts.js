// @ts-check
import { PluginKind, declareValuePlugin } from '@stryker-mutator/api/plugin';

/**
 * Where a node of the syntax tree stands: what of Babel's paths is needed here, which come without types.
 * @typedef {{ key: unknown, listKey?: string, parentPath: { node: { callee?: { name?: string } } } | null }} Place
 */

/** What an error says beside its code, which no test should repeat: of `XferError` the second argument, of `malformed` the only one. */
export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, 'texts', {
    shouldIgnore(path) {
      const { key, listKey, parentPath } = /** @type {Place} */ (/** @type {unknown} */ (path));
      const called = listKey === 'arguments' ? parentPath?.node.callee?.name : undefined;
      const isText = called === 'malformed' || (called === 'XferError' && key === 1);
      return isText ? 'the text of an error' : undefined;
    },
  }),
];
