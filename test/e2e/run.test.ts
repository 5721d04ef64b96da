import { chmod, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { machine, pairMachines, runOn } from '../support/devices.js';
import { ServedFolder, stop } from '../support/served-folder.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { isRunning } from '../support/processes.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { xfer, xferOnTerminal, type XferProcess } from '../support/xfer-process.js';

let served: ServedFolder;
/** Where the owner keeps programs. */
let programs: string;
beforeEach(async () => {
  served = await ServedFolder.make();
  programs = await temporaryFolder();
});

/** Puts a program of the owner there, and gives its path. */
async function program(name: string, script: string, folder = programs): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

/** Writes the settings of the owner. */
async function settings(text: string): Promise<void> {
  await writeFile(served.settings, text);
}

/** An action in the settings, of the laptop alone. */
const action = (name: string, file: string, rest = ''): string =>
  `[actions.${name}]\nprogram = "${file}"\ndevices = ["laptop"]\n${rest}\n`;

const start = (...words: readonly string[]): Promise<XferProcess> =>
  xfer(['run', 'pi', ...words, ...served.flags], served.laptop);

async function ran(...words: readonly string[]): Promise<XferProcess> {
  const process = await start(...words);
  await process.status();
  return process;
}

async function expectRefusal(words: readonly string[], status: number, error: string): Promise<void> {
  const process = await ran(...words);
  expect(await process.status(), process.text).toBe(status);
  expect(process.stderr).toContain(`xfer: error: ${error}`);
  expect(process.stderr).toContain('xfer: hint: ');
}

/** Fails where a process does not go. */
async function gone(pid: number): Promise<void> {
  await expect.poll(() => isRunning(pid), { timeout: 20_000, interval: 20 }).toBe(false);
}

/** A program, and one that it started in the background, which say their numbers and end for no SIGTERM. */
const STUBBORN = `trap '' TERM; sleep 600 & echo "$$ $!."; wait; wait; sleep 600`;

async function pidsOf(process: XferProcess): Promise<number[]> {
  const [, program, grandchild] = await process.waitFor(/(\d+) (\d+)\./);
  const pids = [Number(program), Number(grandchild)];
  for (const pid of pids) expect(isRunning(pid)).toBe(true);
  return pids;
}

describe('an action of a share', () => {
  it('gives what it writes and its exit status to who had it run', async () => {
    const file = await program('hello', 'echo to out; echo to err >&2; printf "no end"; exit 7');
    await settings(action('hello', file));
    const server = await served.serve('--run');
    const process = await ran('hello');
    expect(await process.status(), process.text).toBe(7);
    expect(process.stdout).toBe('to out\nno end');
    expect(process.stderr).toBe('to err\n');
    const json = await ran('hello', '--json');
    expect(await json.status()).toBe(7);
    const events = json.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>); // prettier-ignore
    const written = (stream: string): string =>
      events
        .filter((event) => event['event'] === 'output' && event['stream'] === stream)
        .map((event) => Buffer.from(String(event['base64']), 'base64').toString())
        .join('');
    expect([written('stdout'), written('stderr')]).toEqual(['to out\nno end', 'to err\n']);
    expect(events.at(-1)).toEqual({ event: 'ran', how: 'exit', status: 7, exitCode: 7 });
    await stop(server);
    expect(server.stderr).toContain('laptop: ran hello: exit status 7, 20 B written');
  });

  it('is one that a signal ended as shells say it, and a line of JSON for its owner', async () => {
    await settings(action('die', await program('die', 'echo bye; kill -KILL $$')));
    const server = await served.serve('--run', '--json');
    const process = await ran('die');
    expect(await process.status(), process.text).toBe(137);
    await expectRefusal(['live'], 2, "there is no action 'live'");
    await stop(server);
    const events = server.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>); // prettier-ignore
    const common = { event: 'action', device: 'laptop', action: 'run', paths: [], words: [] };
    expect(events.filter(({ event }) => event === 'action')).toEqual([
      { ...common, session: 1, name: 'die', begun: true, how: 'signal', signal: 9, bytes: 4 },
      { ...common, session: 2, name: 'live', begun: false, problem: 'no-action' },
    ]);
  });

  it('row 73: gets words as they are, and nothing else of who asks or of the share', async () => {
    const show = await program(
      'show',
      'printf "<%s>" "$@"; echo; env; pwd; cat; readlink /proc/self/fd/*; true',
    );
    await settings(
      action(
        'show',
        show,
        `arguments = ["fixed; $(id)", "--word={word}", "{other}"]\n[actions.show.parameters]\nword = ".*"\nother = ".+"`,
      ),
    );
    // As a careless shell starts it.
    const wrapper = ['bash', '-c', 'exec 77</etc/hostname 5<&77; exec "$0" "$@"'];
    const server = await served.serveBelow(wrapper, '--run');
    const evil = ['; id $(touch /tmp/x) `id` && "\'\\', '*  {word} ~ 😀'];
    const process = await ran('show', ...evil);
    expect(await process.status(), process.text).toBe(0);
    const lines = process.stdout.trimEnd().split('\n');
    expect(lines.shift()).toBe(`<fixed; $(id)><--word=${evil[0]}><${evil[1]}>`);
    const environment = lines.splice(0, lines.indexOf('/'));
    expect(environment.filter((line) => !/^(?:PWD|OLDPWD|SHLVL|_)=/.test(line)).sort()).toEqual([
      'LANG=C.UTF-8',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'XFER_ACTION=show',
      'XFER_DEVICE=laptop',
    ]);
    expect(lines.shift()).toBe('/');
    // Input, what was left open, output and errors.
    expect(lines.filter((file) => file !== '/dev/null')).toEqual([
      expect.stringMatching(/^(?:socket|pipe):/),
      expect.stringMatching(/^(?:socket|pipe):/),
    ]);
    await stop(server);
  });

  it('row 73: takes no word that is a flag or more than a line, nor one that its owner does not want', async () => {
    const file = await program('one', 'echo ran');
    await settings(action('one', file, `arguments = ["{to}"]\n[actions.one.parameters]\nto = "[a-z]{1,4}"`));
    const server = await served.serve('--run');
    await expectRefusal(['one', '--help-me'], 2, "the argument '--help-me' begins with a dash");
    await expectRefusal(['one', '--', '-x'], 2, "the argument '-x' begins with a dash");
    await expectRefusal(['one', 'a\nb'], 2, "the argument 'a\\u{a}b' has a line break");
    await expectRefusal(['one', 'x'.repeat(257)], 2, "the argument 'xxx");
    await expectRefusal(['one', 'abcde'], 2, "the argument 'abcde' is none that this action takes");
    await expectRefusal(['one', 'abcd1'], 2, "the argument 'abcd1' is none that this action takes");
    await expectRefusal(['one'], 2, "the action 'one' takes another number of arguments");
    await expectRefusal(['one', 'a', 'b'], 2, "the action 'one' takes another number of arguments");
    await expectRefusal(['two'], 2, "there is no action 'two' for this device");
    expect((await ran('one', 'abcd')).stdout).toBe('ran\n');
    await stop(server);
    expect(server.stderr.match(/exit status/g)).toHaveLength(1);
  });

  it('row 77: is for the devices that its owner names, with the right to it, and others do not hear of it', async () => {
    const phone = await machine();
    await pairMachines(phone, served.pi, { name: 'pi', otherName: 'phone' });
    const file = await program('one', 'echo ran');
    await settings(
      action('one', file, `arguments = ["{to}"]\n[actions.one.parameters]\nto = "[a-z]+"`) +
        `[actions.two]\nprogram = "${file}"\ndevices = ["phone"]\n`,
    );
    let server = await served.serve('--run');
    expect((await ran()).stdout).toBe('one <to>\n');
    expect((await ran('--json')).stdout).toContain('{"event":"runnable","name":"one","parameters":["to"]}\n');
    const other = async (...words: string[]): Promise<XferProcess> => {
      const process = await xfer(['run', 'pi', ...words, ...served.flags], phone);
      await process.status();
      return process;
    };
    expect((await other()).stdout).toBe('two\n');
    const refused = [await other('one', 'abc'), await other('one'), await other('six')];
    expect(refused.map(({ stderr }) => stderr.replace("'one'", "'six'"))).toEqual(
      Array(3).fill(refused[2]!.stderr),
    );
    await stop(server);

    // Named in the settings, and without the right.
    server = await served.serve();
    await expectRefusal(['one', 'abc'], 1, 'this share does not let you run actions');
    await expectRefusal([], 1, 'this share does not let you run actions');
    await stop(server);
    server = await served.serve('--run', '--allow', 'laptop=read');
    await expectRefusal(['one', 'abc'], 1, 'this share does not let you run actions');
    await runOn(served.laptop, 'ls', 'pi:', ...served.flags);
    await stop(server);
    server = await served.serve('--allow', 'laptop=run');
    expect((await ran('one', 'abc')).stdout).toBe('ran\n');
    await stop(server);
  });

  it('row 77: shows a terminal nothing that it would obey', async () => {
    const script = String.raw`printf 'a\033[2Jb\r\nc\302'; sleep 0.1; printf '\251\033]0;x\007'`;
    await settings(action('paint', await program('paint', script)));
    const server = await served.serve('--run');
    const terminal = await xferOnTerminal(['run', 'pi', 'paint', ...served.flags], served.laptop);
    expect(await terminal.status(), terminal.text).toBe(0);
    expect(terminal.screen).toContain(String.raw`a\u{1b}[2Jb`);
    expect(terminal.screen).toContain(String.raw`c©\u{1b}]0;x\u{7}`);
    const process = await ran('paint');
    expect(process.stdout).toBe('a\u001b[2Jb\r\nc©\u001b]0;x\u0007');
    await stop(server);
  });

  it('is in the shell as other commands are', async () => {
    await settings(action('one', await program('one', 'echo ran; exit 3')));
    const server = await served.serve('--run');
    const shell = await xfer(['shell', 'pi', ...served.flags], {
      ...served.laptop,
      stdin: 'run\nrun one\nls\n',
    });
    expect(await shell.status(), shell.text).toBe(3);
    expect(shell.stdout).toBe('one\nran\n');
    await stop(server);
  });
});

describe('a process group', () => {
  it('row 78: ends with the time of its action, and all in it', async () => {
    await settings(action('slow', await program('slow', STUBBORN), 'timeout = "4s"'));
    const server = await served.serve('--run');
    const process = await start('slow');
    const pids = await pidsOf(process);
    expect(await process.status(), process.text).toBe(1);
    expect(process.stderr).toContain("xfer: error: the action 'slow' took longer than its owner allows");
    for (const pid of pids) await gone(pid);
    await stop(server);
    expect(server.stderr).toMatch(/laptop: ran slow: it took too long/);
  });

  it('row 78: ends where its program does', async () => {
    await settings(action('fork', await program('fork', 'sleep 600 & echo "$$ $!."')));
    const server = await served.serve('--run');
    const process = await start('fork');
    const [, , grandchild] = await process.waitFor(/(\d+) (\d+)\./);
    expect(await process.status(), process.text).toBe(0);
    await gone(Number(grandchild));
    await stop(server);
  });

  it('row 78: does not keep anybody waiting that left it', async () => {
    await settings(action('leave', await program('leave', 'setsid sleep 20 & sleep 0.2; echo started')));
    const server = await served.serve('--run');
    const process = await ran('leave');
    expect(await process.status(), process.text).toBe(0);
    expect(process.stdout).toBe('started\n');
    await stop(server);
  });

  it('row 78: ends where it writes too much, and what was allowed arrives', async () => {
    await settings(action('yes', await program('yes', 'exec yes'), 'max-output = "100K"'));
    const server = await served.serve('--run');
    const process = await ran('yes');
    expect(await process.status(), process.stderr).toBe(1);
    expect(process.stderr).toContain("xfer: error: the action 'yes' wrote more than its owner allows");
    expect(process.stdout).toBe('y\n'.repeat(50_000));
    await stop(server);
  });

  it.each<[string, (process: XferProcess, server: XferProcess) => Promise<unknown>]>([
    ['who had it run presses Ctrl-C', async (process) => process.kill('SIGINT')],
    ['the device is removed', () => runOn(served.pi, 'devices', 'remove', 'laptop')],
    ['the share is stopped', async (_, server) => server.kill('SIGTERM')],
    [
      'the share is stopped twice',
      async (_, server) => {
        server.kill('SIGTERM');
        await server.waitFor(/stopping/);
        server.kill('SIGTERM');
      },
    ],
    [
      'nobody reads any more',
      async (process) => {
        process.output.destroy();
      },
    ],
  ])('row 78: ends where %s', async (_, end) => {
    await settings(action('slow', await program('slow', '')));
    const chatty = `trap '' TERM PIPE; sleep 600 & echo "$$ $!."; while :; do echo on || sleep 1; sleep 0.05; done`;
    await program('slow', chatty);
    const server = await served.serve('--run');
    const process = await start('slow');
    const pids = await pidsOf(process);
    await end(process, server);
    for (const pid of pids) await gone(pid);
    // A share that is gone without a word may come back.
    process.kill('SIGINT');
    expect(await process.status()).not.toBe(0);
    server.kill('SIGINT');
    await server.status();
  });

  it('row 78: ends where who had it run is gone for longer than the share waits', async () => {
    await settings(action('slow', await program('slow', STUBBORN)));
    const server = await served.serve('--run', '--patience', '1s');
    const process = await start('slow');
    const pids = await pidsOf(process);
    process.kill('SIGKILL');
    for (const pid of pids) await gone(pid);
    await stop(server);
    expect(server.stderr).toContain('laptop: ran slow: ended with the session');
  });

  it('goes on where the connection is lost and made again, and nothing of what it writes is', async () => {
    await settings(action('count', await program('count', 'seq 200000; exit 5'), 'max-output = "10M"'));
    const server = await served.serve('--run');
    const line = await TcpProxy.start(served.port, 400_000);
    try {
      const flags = ['--addr', `127.0.0.1:${line.port}`, '--lanes', '0'];
      const process = await xfer(['run', 'pi', 'count', ...flags], served.laptop);
      await line.held;
      line.cut();
      line.release();
      expect(await process.status(), process.stderr).toBe(5);
      expect(process.stdout).toBe(Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join(''));
    } finally {
      line.close();
    }
    await stop(server);
    expect(server.stderr).toContain('laptop: connected again');
  });

  it('row 78: ends within its time where who had it run is stuck, and another one can begin', async () => {
    await settings(
      action('flood', await program('flood', 'echo "$$ $$."; exec yes'), 'timeout = "6s"\nmax-output = "1G"'),
    );
    const server = await served.serve('--run');
    const stuck = await Promise.all([start('flood'), start('flood')]);
    const pids = await Promise.all(stuck.map(pidsOf));
    for (const process of stuck) process.kill('SIGSTOP');
    await expectRefusal(['flood'], 3, 'the share runs as many actions as it may');
    for (const pid of pids.flat()) await gone(pid);
    const again = await start('flood');
    await pidsOf(again);
    again.kill('SIGINT');
    expect(await again.status()).toBe(130);
    await stop(server);
    for (const process of stuck) process.kill('SIGKILL');
  });
});

describe('a share whose actions are not safe does not start', () => {
  async function expectRefused(error: string, ...flags: readonly string[]): Promise<void> {
    const server = await xfer(['serve', served.folder, '--listen', '127.0.0.1:0', ...flags], served.pi);
    expect(await server.status(), server.text).toBe(2);
    expect(server.stderr).toContain('xfer: error: ');
    expect(server.stderr).toContain(error);
  }

  it('row 77: where a program is what devices may write', async () => {
    const file = await program('evil', 'echo evil', served.folder);
    await symlink(file, path.join(programs, 'link'));
    for (const given of [file, path.join(programs, 'link')]) {
      await settings(action('evil', given));
      for (const flags of [['--write'], ['--delete'], ['--inbox'], ['--allow', 'laptop=read,write']]) {
        await expectRefused(`actions.evil.program names ${given}`, '--run', ...flags);
      }
      // Nobody may change it.
      const server = await served.serve('--run');
      expect((await ran('evil')).stdout).toBe('evil\n');
      await stop(server);
    }
  });

  it('row 77: where others could change a program', async () => {
    const file = await program('one', '');
    await settings(action('one', file));
    await chmod(file, 0o757);
    await expectRefused(`others may write to ${file}`, '--run');
    await chmod(file, 0o755);
    await chmod(programs, 0o777);
    await expectRefused(`others may write to ${programs}`, '--run');
  });

  it('where there is no program, no action, or no such device', async () => {
    await expectRefused('there are no actions to run', '--run');
    await settings(action('one', '/nope/one'));
    await expectRefused('actions.one.program names /nope/one, which is not there', '--run');
    await settings(action('one', '/etc/passwd'));
    await expectRefused('which is no program', '--run');
    await settings('[actions.one]\nprogram = "/bin/true"\ndevices = ["nobody"]\n');
    await expectRefused("actions.one.devices names 'nobody'", '--run');
    // Nobody may have anything run: what stands there is nobody's business.
    const server = await served.serve();
    await stop(server);
  });
});

it('row 77: a program that others can change once the share runs is not started', async () => {
  const file = await program('one', 'echo ran');
  await settings(action('one', file));
  const server = await served.serve('--run');
  await chmod(file, 0o777);
  await expectRefusal(['one'], 1, "the action 'one' cannot be started there");
  await chmod(file, 0o755);
  expect((await ran('one')).stdout).toBe('ran\n');
  await stop(server);
  expect(await readFile(file, 'utf8')).toContain('echo ran');
});
