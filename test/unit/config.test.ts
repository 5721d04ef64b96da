import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bootstrapNodes, loadConfig, saveSetting } from '../../src/config.js';
import { parseDuration } from '../../src/duration.js';
import { parseEndpoint } from '../../src/endpoint.js';
import { configPath } from '../../src/folders.js';
import { settingsIn } from '../../src/settings.js';

let home: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'xfer-config-'));
  env = { XFER_HOME: home };
});

afterEach(() => rm(home, { recursive: true }));

describe('settings', () => {
  test('are empty where there is no file', async () => {
    expect(await loadConfig(env)).toEqual({});
  });

  test('stay, in a file of their owner only', async () => {
    env = { XFER_HOME: join(home, 'new', 'folder') };
    await saveSetting('bootstrap', ['127.0.0.1:49737,[::1]:49737', 'dht.example:1'], env);
    await saveSetting('words', ['3'], env);
    await saveSetting('expire', ['30m'], env);
    await saveSetting('out', ['my', 'folder'], env);
    await saveSetting('verify', ['true'], env);
    await saveSetting('limit', ['10M'], env);
    await saveSetting('lanes', ['0'], env);
    await saveSetting('port', ['7337'], env);
    expect(await loadConfig(env)).toEqual({
      bootstrap: ['127.0.0.1:49737', '[::1]:49737', 'dht.example:1'],
      words: 3,
      expire: '30m',
      out: 'my folder',
      verify: true,
      limit: '10M',
      lanes: 0,
      port: 7337,
    });
    expect((await stat(configPath(env))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(home, 'new', 'folder'))).toEqual(['config.toml']);
  });

  test('stay where a link leads to, and the link with them', async () => {
    await mkdir(join(home, 'elsewhere'));
    await writeFile(join(home, 'elsewhere', 'mine.toml'), 'words = 2\n');
    await symlink(join('elsewhere', 'mine.toml'), configPath(env));
    await saveSetting('words', ['3'], env);
    expect(await readlink(configPath(env))).toBe(join('elsewhere', 'mine.toml'));
    expect(await readFile(join(home, 'elsewhere', 'mine.toml'), 'utf8')).toBe('words = 3\n');
    expect(await readdir(join(home, 'elsewhere'))).toEqual(['mine.toml']);
  });

  test('are removed by no value', async () => {
    await saveSetting('words', ['3'], env);
    await saveSetting('out', ['x'], env);
    await saveSetting('words', [], env);
    expect(await loadConfig(env)).toEqual({ out: 'x' });
  });

  test.each([
    ['words', ['1']],
    ['words', ['seventeen']],
    ['bootstrap', ['localhost']],
    ['bootstrap', [',']],
    ['expire', ['soon']],
    ['verify', ['yes']],
    ['out', ['']],
    ['limit', ['fast']],
    ['limit', ['1']],
    ['lanes', ['9']],
    ['lanes', ['']],
    ['port', ['80']],
    ['serve.folder', ['']],
    ['serve.write', ['yes']],
    ['serve.listen', ['a/b']],
    ['serve.allow.tv', ['everything']],
    ['serve.allow.tv', ['inbox', 'read']],
  ] as const)('%s cannot be %j', async (key, words) => {
    await saveSetting('out', ['kept'], env);
    await expect(saveSetting(key, words, env)).rejects.toMatchObject({ code: 'usage' });
    expect(await loadConfig(env)).toEqual({ out: 'kept' });
  });

  test.each([
    ['words = "two"', 'words must be a number from 2 to 16'],
    ['wrods = 2', "there is no setting 'wrods'"],
    ['bootstrap = []', 'bootstrap must be a list of host:port'],
    ['words = ', 'Invalid TOML'],
    ['limit = 5', 'limit must be a rate such as 10M, from 10K to 100G'],
    ['lanes = 1.5', 'lanes must be a number from 0 to 8'],
    ['actions = 1', 'actions must be a table'],
    ['[actions.x]\nprogram = "x"', 'actions.x.program must be the absolute path of a program'],
    ['__proto__ = { words = 2 }', "there is no setting '__proto__'"],
    ['constructor = 1', "there is no setting 'constructor'"],
    ['[serve]\nwirte = true', "there is no setting 'serve.wirte'"],
    ['[serve]\nwrite = "yes"', 'serve.write must be true or false'],
    ['[serve]\nfolder = "share"', 'serve.folder must be a whole path, such as /srv/share'],
    ['[serve]\nfolder = 5', 'serve.folder must be a whole path'],
    ['[serve]\nlisten = 70000', 'serve.listen must be a port or HOST:PORT'],
    ['[serve]\nlisten = true', 'serve.listen must be a port or HOST:PORT'],
    ['serve = true', 'serve must be a table: [serve]'],
    ['[serve]\nallow = ["laptop=read"]', 'serve.allow must be a table: [serve.allow]'],
    ['[serve.allow]\ntv = ["watch"]', 'serve.allow.tv must be "none", or a list of read, write'],
    ['[serve.allow]\ntv = ["read", "inbox"]', 'serve.allow.tv must be "none"'],
    ['[serve.allow]\ntv = true', 'serve.allow.tv must be "none"'],
    ['[serve.allow]\nmy.tv = "none"', 'serve.allow.my must be "none"'],
    ['[serve.allow]\ntv = "read"\nTV = "none"', 'serve.allow.TV is there twice'],
    ['[serve]\ninbox = true\nwrite = true', 'serve.inbox and serve.write do not go together'],
    ['[serve]\ninbox = true\ndelete = true', 'serve.inbox and serve.delete do not go together'],
    ['[serve]\nlocal = true\nlisten = 1', 'serve.local and serve.listen do not go together'],
    ['"serve.folder" = "/srv"', "there is no setting 'serve.folder'"],
    ['[serve.__proto__]\nx = 1', "there is no setting 'serve.__proto__'"],
  ])('a file with %j is refused and left alone', async (content, detail) => {
    const path = join(home, 'config.toml');
    await writeFile(path, content);
    const refusal = {
      code: 'config-invalid',
      subject: path,
      detail: expect.stringContaining(detail) as string,
    };
    await expect(loadConfig(env)).rejects.toMatchObject(refusal);
    await expect(saveSetting('out', ['x'], env)).rejects.toMatchObject(refusal);
    expect(await readFile(path, 'utf8')).toBe(content);
  });

  test('of a share stand in a table of their own, with one for the rights of devices', async () => {
    await saveSetting('out', ['x'], env);
    await saveSetting('serve.folder', ['/srv/my', 'share'], env);
    await saveSetting('serve.write', ['true'], env);
    await saveSetting('serve.exec', ['false'], env);
    await saveSetting('serve.listen', ['7337'], env);
    await saveSetting('serve.allow.laptop', ['read,', 'write'], env);
    await saveSetting('serve.allow.my.tv', ['none'], env);
    expect(await loadConfig(env)).toEqual({
      out: 'x',
      serve: {
        folder: '/srv/my share',
        write: true,
        exec: false,
        listen: '7337',
        allow: { laptop: ['read', 'write'], 'my.tv': 'none' },
      },
    });
    expect([...settingsIn(await loadConfig(env))]).toContainEqual(['serve.allow.my.tv', 'none']);
    for (const key of ['folder', 'write', 'exec', 'listen', 'allow.laptop', 'allow.my.tv'] as const)
      await saveSetting(`serve.${key}`, [], env);
    expect(await readFile(configPath(env), 'utf8')).toBe('out = "x"\n');
  });

  test('of a share may be written as a person writes them', async () => {
    await writeFile(
      configPath(env),
      '[serve]\nfolder = "/srv/share"\nlisten = 7337\n[serve.allow]\nlaptop = "read,write"\ntv = []\n"my.pi" = ["inbox"]\n',
    );
    expect((await loadConfig(env)).serve).toEqual({
      folder: '/srv/share',
      listen: 7337,
      allow: { laptop: 'read,write', tv: [], 'my.pi': ['inbox'] },
    });
  });

  test('of a share name a folder from where somebody is', async () => {
    await saveSetting('serve.folder', ['share'], env);
    expect((await loadConfig(env)).serve?.folder).toBe(join(process.cwd(), 'share'));
  });

  test('that contradict what is set are not saved', async () => {
    await saveSetting('serve.inbox', ['true'], env);
    await expect(saveSetting('serve.write', ['true'], env)).rejects.toMatchObject({
      code: 'usage',
      subject: 'serve.inbox and serve.write do not go together',
    });
    expect(await loadConfig(env)).toEqual({ serve: { inbox: true } });
  });

  test('a place that cannot be written is said', async () => {
    env = { XFER_HOME: join(home, 'file') };
    await writeFile(join(home, 'file'), '');
    await expect(saveSetting('out', ['x'], env)).rejects.toMatchObject({
      code: expect.any(String) as string,
    });
  });
});

describe('nodes of a private DHT', () => {
  test('come from the environment first', () => {
    const config = { bootstrap: ['a.example:1'] };
    expect(bootstrapNodes(config, { XFER_BOOTSTRAP: '127.0.0.1:1, [::1]:2' })).toEqual([
      '127.0.0.1:1',
      '[::1]:2',
    ]);
    expect(bootstrapNodes(config, { XFER_BOOTSTRAP: '' })).toEqual(['a.example:1']);
    expect(bootstrapNodes({}, {})).toBeUndefined();
  });

  test.each(['localhost', '127.0.0.1', 'a:b', ':1', '127.0.0.1:0', '127.0.0.1:65536'])(
    '%j is not one, and never becomes the public DHT',
    (node) => {
      expect(() => bootstrapNodes({}, { XFER_BOOTSTRAP: node })).toThrow(
        expect.objectContaining({ code: 'bad-address', subject: node }) as Error,
      );
    },
  );
});

test.each([
  ['192.168.1.5:80', '192.168.1.5', 80],
  ['192.168.1.5', '192.168.1.5', 7337],
  ['example.org:80', 'example.org', 80],
  ['my_host', 'my_host', 7337],
  ['7338', undefined, 7338],
  [':7338', undefined, 7338],
  ['[::1]:80', '::1', 80],
  ['[::1]', '::1', 7337],
  ['::1', '::1', 7337],
  ['fe80::1%eth0', 'fe80::1%eth0', 7337],
])('%j is an address', (text, host, port) => {
  expect(parseEndpoint(text)).toEqual({ host, port });
});

test.each([
  '',
  'a b',
  'host:',
  'host:x',
  'host:65536',
  '[::1',
  '::1]:80',
  '[1.2.3.4]:5',
  '1:2:3',
  'a/b',
  '-x',
  '1.2.3',
  '192.168.1:80',
  '300.1.1.1',
  '0x7f.1:80',
  '127.1:80',
])('%j is no address', (text) => {
  expect(() => parseEndpoint(text)).toThrow(expect.objectContaining({ code: 'bad-address' }) as Error);
});

test.each([
  ['90s', 90_000],
  ['1.5h', 5_400_000],
  ['30 m', 1_800_000],
  ['24d', 2_073_600_000],
])('%j is a duration', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', '10', '0s', '-1h', '1w', '25d', 'h', '1e3s'])('%j is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'usage' }) as Error);
});
