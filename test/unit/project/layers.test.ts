import path from 'node:path';
import { ESLint, Linter } from 'eslint';
import { parser } from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import layers from '../../../scripts/lint/layers.js';

const root = path.resolve(import.meta.dirname, '../../..');

/** What the rule says about one line of code in one file below `src/`. */
function complaints(file: string, code: string): string[] {
  const config: Linter.Config = {
    files: ['**/*.ts'],
    languageOptions: { parser },
    plugins: { xfer: layers },
    rules: { 'xfer/layers': 'error' },
  };
  const filename = path.join(root, 'src', file);
  return new Linter({ cwd: root }).verify(code, [config], { filename }).map(({ message }) => message);
}

describe('the layer rule', () => {
  it.each([
    ['crypto/code.ts', "import { XferError } from '../errors.js';"],
    ['crypto/code.ts', "import { WORDS } from './wordlist.js';"],
    ['crypto/code.ts', "import { createHmac } from 'node:crypto';"],
    ['crypto/sodium.ts', "const sodium = await import('libsodium-wrappers-sumo');"],
    ['transfer/sender.ts', "import { TreeDigest } from '../crypto/digest.js';"],
    ['peer/channel.ts', "import { encode } from '../transfer/wire.js';"],
    ['peer/channel.ts', "import b4a from 'b4a';"],
    ['files/sink.ts', "import type { FileSink } from '../transfer/ports.js';"],
    ['session.ts', "import { FolderSource } from './files/source.js';"],
    ['cli/send.ts', "import { send } from '../index.js';"],
    ['cli/program.ts', "import { Command } from 'commander';"],
  ])('allows in %s: %s', (file, code) => {
    expect(complaints(file, code)).toEqual([]);
  });

  it.each([
    ['errors.ts', "import { formatCode } from './crypto/code.js';", 'crypto/code.ts'],
    ['crypto/code.ts', "import { readFile } from 'node:fs/promises';", 'node:fs/promises'],
    ['crypto/code.ts', "import { Readable } from 'stream';", 'node:stream'],
    ['crypto/code.ts', "import type { Channel } from '../transfer/ports.js';", 'transfer/ports.ts'],
    ['transfer/sender.ts', "import { connect } from '../peer/connect.js';", 'peer/connect.ts'],
    ['transfer/sender.ts', "import { open } from 'node:fs/promises';", 'node:fs/promises'],
    ['transfer/sender.ts', "export { connect } from 'node:net';", 'node:net'],
    ['peer/channel.ts', "export * from '../files/sink.js';", 'files/sink.ts'],
    ['files/sink.ts', "import { Sender } from '../transfer/sender.js';", 'transfer/sender.ts'],
    ['files/sink.ts', "const { dial } = await import('../peer/direct.js');", 'peer/direct.ts'],
    ['session.ts', "import { explain } from './cli/explain.js';", 'cli/explain.ts'],
    ['cli/send.ts', "import { XferError } from '../errors.js';", 'errors.ts'],
  ])('refuses in %s: %s', (file, code, target) => {
    expect(complaints(file, code)).toEqual([expect.stringContaining(`may not import ${target}`)]);
  });

  it('keeps a package behind its one door', () => {
    const code = "import { Command } from 'commander';";
    expect(complaints('cli/send.ts', code)).toEqual([
      'commander is imported in cli/program.ts and nowhere else',
    ]);
  });

  it('asks for the door of a new package', () => {
    const code = "import leftPad from '@scope/left-pad/deep.js';";
    expect(complaints('cli/send.ts', code)).toEqual([expect.stringContaining('@scope/left-pad has no door')]);
  });

  it.each(['errors.ts', 'crypto/new.ts', 'transfer/new.ts', 'peer/new.ts', 'files/new.ts', 'cli/new.ts'])(
    'is on for src/%s',
    async (file) => {
      const config: unknown = await new ESLint({ cwd: root }).calculateConfigForFile(
        path.join(root, 'src', file),
      );
      expect(config).toMatchObject({ rules: { 'xfer/layers': [2] } });
    },
  );
});

describe('the end of the process', () => {
  it('belongs to src/cli/main.ts', async () => {
    const eslint = new ESLint({ cwd: root });
    const restrictions = async (file: string): Promise<unknown> => {
      const config = (await eslint.calculateConfigForFile(path.join(root, file))) as {
        readonly rules: Readonly<Record<string, unknown>>;
      };
      return config.rules['no-restricted-properties'];
    };
    const rule: unknown = expect.objectContaining({ object: 'process', property: 'exit' });
    const ofOthers = await restrictions('src/cli/send.ts');
    expect(ofOthers).toEqual(expect.arrayContaining([2, rule]));
    expect(await restrictions('src/cli/main.ts')).not.toEqual(expect.arrayContaining([rule]));
  });
});
