import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { runOn } from '../support/devices.js';
import { ServedFolder, stop } from '../support/served-folder.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

let share: ServedFolder;
let here: string;
/** Where the settings of the pi are. */
let file: string;

beforeEach(async () => {
  share = await ServedFolder.make();
  here = await temporaryFolder();
  file = share.settings;
  await writeFile(path.join(here, 'note'), 'a');
});

/** Serves what the settings say. */
async function serving(...flags: readonly string[]): Promise<XferProcess> {
  const server = await xfer(['serve', ...flags], share.pi);
  await server.waitFor(/listening at/);
  return server;
}

async function status(...args: readonly string[]): Promise<number | null> {
  return (await xfer([...args, ...share.flags], share.laptop)).status();
}

const settings = (text: string): Promise<void> =>
  writeFile(file, `[serve]\nfolder = ${JSON.stringify(share.folder)}\nlisten = "${share.flags[1]}"\n${text}`);

const put = (): string[] => ['put', path.join(here, 'note'), 'pi:'];

describe('settings of a share', () => {
  it('are what is shared, where, and what devices may do', async () => {
    for (const [key, value] of [
      ['folder', share.folder],
      ['listen', share.flags[1]!],
      ['write', 'true'],
    ] as const)
      await runOn(share.pi, 'config', 'set', `serve.${key}`, value);
    const server = await serving();
    expect(server.text).toContain(`[serve] in ${file}`);
    expect(await status(...put())).toBe(0);
    expect(await status('rm', 'pi:note')).toBe(1);
    await stop(server);
  });

  it('give way to flags', async () => {
    await settings('write = true\n[serve.allow]\nlaptop = "read,write,delete"\n');
    let server = await serving('--allow', 'laptop=read');
    expect(await status(...put())).toBe(1);
    await stop(server);
    await settings('write = true\n');
    server = await serving('--no-write');
    expect(await status(...put())).toBe(1);
    await stop(server);
    const other = await temporaryFolder();
    await mkdir(path.join(other, 'elsewhere'));
    server = await serving(other);
    const ls = await xfer(['ls', 'pi:', ...share.flags], share.laptop);
    expect(await ls.status(), ls.stderr).toBe(0);
    expect(ls.stdout).toBe('elsewhere/\n');
    await stop(server);
  });

  it.each<[string, readonly string[], string]>([
    ['wirte = true', [], "there is no setting 'serve.wirte'"],
    ['write = 1', [], 'serve.write must be true or false'],
    ['inbox = true\nwrite = true', [], 'serve.inbox and serve.write do not go together'],
    ['[serve.allow]\ntv = "none"', [], 'serve.allow.tv names no device that is known here'],
    ['[serve.allow]\nlaptop = "everything"', [], 'serve.allow.laptop must be "none", or a list of'],
    ['inbox = true', ['--write'], '--write does not go with serve.inbox = true in'],
  ])('with %j and %j are refused at the start', async (text, flags, sentence) => {
    await settings(text);
    const server = await xfer(['serve', ...flags], share.pi);
    expect(await server.status()).toBe(2);
    expect(server.stderr).toContain(sentence);
    expect(server.stderr).toContain(file);
    expect(server.stderr).toContain('xfer: hint: ');
  });

  it.each([
    ['"share"', 'serve.folder must be a whole path'],
    ['"/nowhere/at/all"', 'serve.folder: there is no /nowhere/at/all'],
  ])('do not share %s', async (folder, sentence) => {
    await writeFile(file, `[serve]\nfolder = ${folder}\n`);
    const server = await xfer(['serve'], share.pi);
    expect(await server.status()).toBe(2);
    expect(server.stderr).toContain(`xfer: error: the settings in ${file} are not valid: ${sentence}`);
  });

  it('are named where nobody says what to share', async () => {
    const server = await xfer(['serve'], share.pi);
    expect(await server.status()).toBe(2);
    expect(server.stderr).toContain('xfer: error: the folder to share is missing');
    expect(server.stderr).toContain('xfer config set serve.folder /srv/share');
  });
});
