import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ServedFolder, stop } from '../support/served-folder.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { xfer, xferOnTerminal, type XferProcess } from '../support/xfer-process.js';

let served: ServedFolder;
/** Where drafts are. */
let drafts: string;

beforeEach(async () => {
  served = await ServedFolder.make();
  drafts = await temporaryFolder();
  await writeFile(served.at('notes.txt'), 'first\n');
});

/** An editor: a script that gets the path of the file as its last argument. */
async function editor(script: string): Promise<string> {
  const file = path.join(await temporaryFolder(), 'my editor');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return `'${file}'`;
}

async function edit(script: string, place = 'pi:notes.txt'): Promise<XferProcess> {
  const { env } = served.laptop;
  return xfer(['edit', place, ...served.flags], {
    env: { ...env, TMPDIR: drafts, VISUAL: await editor(script), EDITOR: 'false' },
  });
}

/** The path that a failed edit names, and what is in it. */
async function keptIn({ stderr }: XferProcess): Promise<string> {
  const file = /^xfer: your edit is kept in (.*)$/m.exec(stderr)?.[1] ?? '';
  expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);
  return readFile(file, 'utf8');
}

describe('a file of a share is edited', () => {
  it('and put back over the old one', async () => {
    const server = await served.serve('--write', '--delete');
    await chmod(served.at('notes.txt'), 0o640);
    const process = await edit('stat -c %a "$(dirname "$1")"; echo second >> "$1"');
    expect(await process.status(), process.stderr).toBe(0);
    expect(process.stdout).toBe('700\n');
    expect(await readFile(served.at('notes.txt'), 'utf8')).toBe('first\nsecond\n');
    expect((await stat(served.at('notes.txt'))).mode & 0o777).toBe(0o640);
    expect(await readdir(served.folder)).toEqual(['notes.txt']);
    expect(await readdir(drafts)).toEqual([]);
    await stop(server);
  });

  it('by an editor with arguments, of which no shell sees anything', async () => {
    const server = await served.serve('--write', '--delete');
    await mkdir(served.at('a $(touch x)'));
    await writeFile(served.at('a $(touch x)/;b'), 'old');
    const program = await editor('printf "%s|%s|%s" "$1" "$2" "${3##*/}" > "$3"');
    const process = await xfer(['edit', 'pi:a $(touch x)/;b', ...served.flags], {
      env: { ...served.laptop.env, TMPDIR: drafts, VISUAL: '', EDITOR: `${program} --wait "a  b"` },
    });
    expect(await process.status(), process.stderr).toBe(0);
    expect(await readFile(served.at('a $(touch x)/;b'), 'utf8')).toBe('--wait|a  b|;b');
    await stop(server);
  });

  it('and not put back where it did not change', async () => {
    const server = await served.serve('--write', '--delete');
    const process = await edit('touch "$1"');
    expect(await process.status(), process.stderr).toBe(0);
    expect(process.stderr).toContain('not changed, so nothing was put back');
    expect(await readdir(drafts)).toEqual([]);
    await stop(server);
    expect(server.stderr).not.toContain('put');
  });

  it('that begins empty where there is none', async () => {
    const server = await served.serve('--write');
    const process = await edit('test -f "$1" && test ! -s "$1" && echo hello > "$1"', 'pi:new.txt');
    expect(await process.status(), process.stderr).toBe(0);
    expect(await readFile(served.at('new.txt'), 'utf8')).toBe('hello\n');
    const nowhere = await edit('echo never > "$1"', 'pi:no/where.txt');
    expect(await nowhere.status()).toBe(2);
    expect(nowhere.stderr).toContain('xfer: error: there is no pi:no');
    expect(await readdir(drafts)).toEqual([]);
    await stop(server);
  });

  it('on a terminal, where Ctrl-C is for the editor', async () => {
    const server = await served.serve('--write', '--delete');
    const script = `trap 'echo caught' INT\necho ready\nuntil read line; do :; done\necho "$line" > "$1"`;
    const terminal = await xferOnTerminal(['edit', 'pi:notes.txt', ...served.flags], {
      env: { ...served.laptop.env, TMPDIR: drafts, VISUAL: await editor(script) },
    });
    await terminal.waitFor(/ready/);
    terminal.type('\u0003');
    await terminal.waitFor(/caught/);
    terminal.type('typed\r');
    expect(await terminal.status(), terminal.text).toBe(0);
    expect(await readFile(served.at('notes.txt'), 'utf8')).toBe('typed\n');
    await stop(server);
  });
});

describe('an edit is kept, and nothing replaced', () => {
  it('where the far file changed meanwhile', async () => {
    const server = await served.serve('--write', '--delete');
    const process = await edit(`echo mine >> "$1"; echo theirs >> '${served.at('notes.txt')}'`);
    expect(await process.status()).toBe(1);
    expect(process.stderr).toContain('xfer: error: pi:notes.txt changed there while you edited it');
    expect(process.stderr).toContain('xfer: hint: ');
    expect(await keptIn(process)).toBe('first\nmine\n');
    expect(await readFile(served.at('notes.txt'), 'utf8')).toBe('first\ntheirs\n');
    await stop(server);
  });

  it('where the far file is another one of the same size', async () => {
    const server = await served.serve('--write', '--delete');
    const process = await edit(`echo mine >> "$1"; printf 'FIRST\\n' > '${served.at('notes.txt')}'`);
    expect(await process.status()).toBe(1);
    expect(await keptIn(process)).toBe('first\nmine\n');
    expect(await readFile(served.at('notes.txt'), 'utf8')).toBe('FIRST\n');
    await stop(server);
  });

  it('where the far file went away, or came', async () => {
    const server = await served.serve('--write', '--delete');
    const gone = await edit(`echo mine >> "$1"; rm '${served.at('notes.txt')}'`);
    expect(await gone.status()).toBe(1);
    expect(await keptIn(gone)).toBe('first\nmine\n');
    const come = await edit(`echo mine >> "$1"; echo theirs > '${served.at('notes.txt')}'`);
    expect(await come.status()).toBe(1);
    expect(await keptIn(come)).toBe('mine\n');
    expect(await readFile(served.at('notes.txt'), 'utf8')).toBe('theirs\n');
    await stop(server);
  });

  it('where the editor failed', async () => {
    const server = await served.serve('--write', '--delete');
    const failed = await edit('echo mine >> "$1"; exit 3');
    expect(await failed.status()).toBe(1);
    expect(failed.stderr).toMatch(
      /xfer: error: the editor .*my editor failed \(3\), so nothing was put back/,
    );
    expect(await keptIn(failed)).toBe('first\nmine\n');
    await stop(server);
    expect(await readFile(served.at('notes.txt'), 'utf8')).toBe('first\n');
  });

  it('where it may not be written', async () => {
    const server = await served.serve('--write');
    const process = await edit('echo mine >> "$1"');
    expect(await process.status()).toBe(1);
    expect(process.stderr).toContain('this share does not let you replace what is there');
    expect(await keptIn(process)).toBe('first\nmine\n');
    await stop(server);
  });

  it('where nobody shares any more', async () => {
    const server = await served.serve('--write', '--delete');
    const process = await xfer(['edit', 'pi:notes.txt', ...served.flags, '--expire', '2s'], {
      env: {
        ...served.laptop.env,
        TMPDIR: drafts,
        VISUAL: await editor(
          `echo mine >> "$1"; kill ${server.pid}; while kill -0 ${server.pid}; do sleep 0.1; done`,
        ),
      },
    });
    expect(await process.status()).toBe(3);
    expect(await keptIn(process)).toBe('first\nmine\n');
  });
});

describe('nothing is edited', () => {
  it('where there is no editor, or no file', async () => {
    const server = await served.serve('--write', '--delete');
    const env = { ...served.laptop.env, TMPDIR: drafts };
    const missing = await xfer(['edit', 'pi:notes.txt', ...served.flags], {
      env: { ...env, EDITOR: '/no/editor' },
    });
    expect(await missing.status()).toBe(1);
    expect(missing.stderr).toContain('xfer: error: the editor /no/editor cannot be started');
    const open = await xfer(['edit', 'pi:notes.txt', ...served.flags], { env: { ...env, EDITOR: "vi '" } });
    expect(await open.status()).toBe(2);
    expect(open.stderr).toContain("xfer: error: a quote in EDITOR is not closed: vi '");
    await mkdir(served.at('docs'));
    for (const place of ['pi:', 'pi:docs/', 'pi:docs', 'docs']) {
      const process = await edit('echo never > "$1"', place);
      expect(await process.status(), process.stderr).toBe(2);
    }
    expect(await readdir(drafts)).toEqual([]);
    await stop(server);
  });

  it('of what only takes files', async () => {
    const server = await served.serve('--inbox');
    const process = await edit('echo never > "$1"');
    expect(await process.status()).toBe(1);
    expect(process.stderr).toContain('this share does not let you read');
    expect(await readdir(drafts)).toEqual([]);
    await stop(server);
  });
});
