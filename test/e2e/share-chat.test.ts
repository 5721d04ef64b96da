import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { machine, pairMachines, runOn, type Machine } from '../support/devices.js';
import { ServedFolder, stop } from '../support/served-folder.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { rowsOn } from '../support/tiny-terminal.js';
import { eventsOf } from '../support/transfer-run.js';
import { noise } from '../support/trees.js';
import {
  onTerminal,
  PROGRAM,
  xfer,
  xferOnTerminal,
  type XferProcess,
  type XferTerminal,
} from '../support/xfer-process.js';

let share: ServedFolder;
let phone: Machine;

beforeEach(async () => {
  share = await ServedFolder.make();
  phone = await machine();
  await pairMachines(phone, share.pi, { name: 'pi', otherName: 'phone' });
});

/** Shares at a terminal at which its owner sits. */
async function owned(...flags: readonly string[]): Promise<XferTerminal> {
  const server = await xferOnTerminal(
    ['serve', share.folder, '--listen', share.flags[1]!, ...flags],
    share.pi,
  );
  await server.waitFor(/listening at/);
  return server;
}

async function join(on: Machine): Promise<XferProcess> {
  const guest = await xfer(['chat', '--to', 'pi', '--commands', ...share.flags], {
    ...on,
    keepInputOpen: true,
  });
  await guest.waitFor(/you are /);
  return guest;
}

const owner = hostname().replace(/[^\p{L}\p{M}\p{N}._-]+/gu, '-');

describe('the chat of a share', () => {
  it('is between devices and the owner at the terminal, whose log and draft stay whole', async () => {
    const server = await owned();
    const laptop = await join(share.laptop);
    await server.waitFor(/laptop: joined the chat/);
    await server.waitFor(/what you type goes to all[^]*> $/);
    const other = await join(phone);
    expect(other.stderr).toContain(`you are phone; here: ${owner}, laptop`);
    await laptop.waitFor(/\* phone is here/);
    laptop.input.write('hello\n');
    await other.waitFor(/^laptop: hello$/m);
    await server.waitFor(/laptop says: hello/);
    server.type('half a sent');
    await server.waitFor(/> half a sent$/);
    other.input.write('in between\n');
    await server.waitFor(/phone says: in between\r?\n> half a sent$/);
    server.type('ence\r');
    for (const guest of [laptop, other]) await guest.waitFor(/: half a sentence$/m);
    other.input.end('/quit\n');
    expect(await other.status(), other.screen).toBe(0);
    await server.waitFor(/phone: left the chat/);
    server.type('\u0003');
    expect(await server.status(), server.text).toBe(0);
    expect(await laptop.status(), laptop.text).toBe(0);
    expect(server.text).not.toContain('laptop: gone: ');
  });

  it('keeps a long draft and the log whole, and the draft for who comes next', async () => {
    const server = await owned();
    const laptop = await join(share.laptop);
    await server.waitFor(/> $/);
    const draft = Array.from({ length: 24 }, (_, number) => `word-${number}`).join(' ');
    server.type(draft);
    await server.waitFor(/word-23$/);
    for (const count of ['one', 'two', 'three']) {
      laptop.input.write(`line ${count}\n`);
      await server.waitFor(new RegExp(`line ${count}[^]*word-23$`));
    }
    const rows = rowsOn(server.screen);
    expect(rows.slice(-6)).toEqual([
      'laptop says: line one',
      'laptop says: line two',
      'laptop says: line three',
      ...(`> ${draft}`.match(/.{1,80}/g) ?? []).map((row) => row.trimEnd()),
    ]);
    laptop.input.end();
    await server.waitFor(/laptop: gone/);
    expect(rowsOn(server.screen).join('\n')).not.toContain('word-');
    const other = await join(phone);
    await server.waitFor(/phone: joined the chat[^]*word-23$/);
    server.type('\r');
    await other.waitFor(/: word-0 .* word-23$/m);
    server.type('\u0004');
    other.input.write('after it\n');
    await server.waitFor(/phone says: after it/);
    server.kill('SIGTERM');
    expect(await server.status(), server.text).toBe(0);
    expect(await other.status(), other.text).toBe(0);
  });

  it.each<[string, (shell: XferTerminal, command: string) => Promise<void>]>([
    [
      'from the start',
      async (shell, command) => {
        shell.type(`${command} &\r`);
        await shell.waitFor(/listening at/);
      },
    ],
    [
      'with Ctrl-Z',
      async (shell, command) => {
        shell.type(`${command}\r`);
        await shell.waitFor(/listening at/);
        const first = await join(share.laptop);
        await shell.waitFor(/help says more[^]*> $/);
        shell.type('\u001a');
        await shell.waitFor(/Stopped/);
        shell.type('bg; echo $((50 + 5))\r');
        await shell.waitFor(/55/);
        first.input.end('back again\n');
        await shell.waitFor(/laptop says: back again/);
        expect(await first.status(), first.text).toBe(0);
      },
    ],
  ])('leaves the keyboard alone in the background, %s', async (_how, start) => {
    const shell = await onTerminal(['sh', '-i'], share.pi);
    shell.type(`xfer() { "${process.execPath}" "${PROGRAM}" "$@"; }\r`);
    await start(shell, `xfer serve ${share.folder} --listen ${share.flags[1]}`);
    const [laptop, other] = [await join(share.laptop), await join(phone)];
    laptop.input.write('still there?\n');
    await shell.waitFor(/laptop says: still there\?/);
    await other.waitFor(/laptop: still there\?/);
    shell.type('echo typed $((40 + 2))\r');
    await shell.waitFor(/typed 42/);
    expect(other.stdout).not.toContain('typed');
    shell.type('fg\r');
    // The shell names the program before it hands the terminal over.
    await shell.untilOtherInFront();
    shell.type('\u0003');
    for (const guest of [laptop, other]) expect(await guest.status(), guest.text).toBe(0);
    shell.type('exit\r');
    await shell.status();
  });

  it('row 58: shows a hostile line harmless, each row of it as what somebody said', async () => {
    const server = await owned();
    const laptop = await join(share.laptop);
    await server.waitFor(/> $/);
    const spoof = `${'a'.repeat(65)}\u00a0phone:\u00a0removed\u00a0all`;
    laptop.input.write(`\u001b[2J\u001b]52;c;aGk=\u0007\u202eabc\u009b2J\r${spoof}\n`);
    await server.waitFor(/laptop says: \\u\{1b\}\[2J\\u\{1b\}\]52;c;aGk=\\u\{7\}\\u\{202e\}abc\\u\{9b\}2J/);
    await server.waitFor(/removed\u00a0all/);
    const shown = server.lines.filter((line) => /aaaa|removed/.test(line));
    expect(shown.length).toBeGreaterThan(1);
    for (const line of shown) expect(line).toMatch(/^(> ?)?laptop says: .{0,67}$/);
    expect(server.screen).not.toContain('\u001b]52');
    server.type('\u0003');
    expect(await server.status()).toBe(0);
  });

  it('goes on among devices where no owner reads, and what they say is in no log', async () => {
    const server = await share.serve();
    const [laptop, other] = [await join(share.laptop), await join(phone)];
    expect(other.stderr).toContain('you are phone; here: laptop; /help');
    laptop.input.write('between us\n');
    await other.waitFor(/^laptop: between us$/m);
    await stop(server);
    // What goes says goodbye.
    for (const guest of [laptop, other]) expect(await guest.status(), guest.text).toBe(0);
    expect(server.stderr).toContain('laptop: joined the chat\n');
    expect(server.stderr).toContain('phone: left the chat\n');
    expect(server.text).not.toContain('between us');
  });

  it('row 71: keeps a device with an inbox to itself and the owner', async () => {
    const server = await owned('--inbox', '--allow', 'laptop=read');
    const [laptop, drops] = [await join(share.laptop), await join(phone)];
    const again = await join(phone);
    expect(drops.stderr).toContain(`you are phone; here: ${owner}; /help`);
    expect(again.stderr).toContain(`you are phone; here: ${owner}; /help`);
    drops.input.write('of the phone\n');
    await server.waitFor(/phone says: of the phone/);
    laptop.input.write('of the laptop\n');
    await server.waitFor(/laptop says: of the laptop/);
    server.type('/to phone for you\r');
    await drops.waitFor(/: for you$/m);
    server.type('/to laptop x\r');
    await server.waitFor(/not said: laptop talks where all others hear it/);
    server.type('for all\r');
    for (const guest of [laptop, drops, again]) await guest.waitFor(/: for all$/m);
    expect(laptop.text).not.toContain('phone');
    expect(laptop.stdout).not.toContain('for you');
    for (const guest of [drops, again]) expect(guest.text).not.toContain('laptop');
    server.type('\u0003');
    expect(await server.status(), server.text).toBe(0);
  });

  it('row 58: goes on beside a device that stands still, and so does the end of the share', async () => {
    const server = await share.serve();
    const [laptop, other, third] = [await join(share.laptop), await join(phone), await join(phone)];
    laptop.kill('SIGSTOP');
    for (let count = 0; count < 30; count++) {
      other.input.write(`${count} ${'x'.repeat(4_000)}\n`);
      await third.waitFor(new RegExp(`^phone: ${count} x`, 'm'));
    }
    await stop(server);
    for (const guest of [other, third]) expect(await guest.status(), guest.text).toBe(0);
    laptop.kill('SIGCONT');
  });

  it('is a command of a shell, too', async () => {
    const server = await share.serve();
    const other = await join(phone);
    const shell = await xferOnTerminal(['shell', 'pi', ...share.flags], share.laptop);
    await shell.waitFor(/pi:\/> $/);
    shell.type('chat\r');
    await shell.waitFor(/you are laptop; here: phone[^]*> $/);
    shell.type('from a shell\r');
    await other.waitFor(/^laptop: from a shell$/m);
    shell.type('/quit\r');
    await other.waitFor(/\* laptop is gone/);
    await shell.waitFor(/pi:\/> $/);
    shell.type('chat\r');
    await shell.waitFor(/here: phone[^]*here: phone[^]*> $/);
    shell.type('\u0003');
    await shell.waitFor(/interrupted[^]*pi:\/> $/);
    shell.type('ls\r');
    await shell.waitFor(/pi:\/> ls\s+pi:\/> $/);
    shell.type('exit\r');
    expect(await shell.status(), shell.text).toBe(0);
    const piped = await xfer(['shell', 'pi', ...share.flags], { ...share.laptop, stdin: 'chat\nls\n' });
    expect(await piped.status()).toBe(2);
    expect(piped.stderr).toContain('xfer: error: chat needs a terminal here');
    await stop(server);
  });

  it('goes on while others fetch and put', async () => {
    const content = noise(16 * 2 ** 20, 'big');
    await writeFile(share.at('big'), content);
    const here = await temporaryFolder();
    const server = await share.serve('--write');
    const [laptop, other] = [await join(share.laptop), await join(phone)];
    const get = await xfer(['get', 'pi:big', here, '--limit', '8M', '--json', ...share.flags], phone);
    await get.waitFor(/"progress"/);
    for (let count = 0; count < 20; count++) {
      laptop.input.write(`line ${count}\n`);
      await other.waitFor(new RegExp(`^laptop: line ${count}$`, 'm'));
    }
    expect(get.text).not.toContain('"event":"done"');
    expect(await get.status(), get.text).toBe(0);
    expect((await readFile(path.join(here, 'big'))).equals(content)).toBe(true);
    await stop(server);
    for (const guest of [laptop, other]) expect(await guest.status(), guest.text).toBe(0);
  });

  it('row 76: loses a device at once that is removed', async () => {
    const server = await share.serve();
    const [laptop, other] = [await join(share.laptop), await join(phone)];
    await runOn(share.pi, 'devices', 'remove', 'laptop');
    await other.waitFor(/\* laptop is gone/);
    expect(await laptop.status(), laptop.text).toBe(4);
    await stop(server);
  });

  it('is for devices that may do something, and where its owner wants one', async () => {
    const refused = async (server: XferProcess): Promise<void> => {
      const guest = await xfer(['chat', '--to', 'pi', ...share.flags], share.laptop);
      expect(await guest.status(), guest.text).toBe(1);
      expect(guest.stderr).toContain('xfer: error: this share does not let you chat');
      await stop(server);
    };
    await refused(await share.serve('--allow', 'laptop=none'));
    await refused(await share.serve('--no-chat'));
    await runOn(share.pi, 'config', 'set', 'serve.chat', 'false');
    await refused(await share.serve());
  });

  it('says goodbye where the share is stopped from elsewhere', async () => {
    const password = 'correct horse battery';
    const setting = await xfer(['serve', '--set-password'], { ...share.pi, stdin: `${password}\n` });
    expect(await setting.status(), setting.stderr).toBe(0);
    const server = await share.serve();
    const laptop = await join(share.laptop);
    const stopping = await xfer(['stop', 'pi', ...share.flags], { ...phone, stdin: `${password}\n` });
    expect(await stopping.status(), stopping.stderr).toBe(0);
    expect(await laptop.status(), laptop.text).toBe(0);
    expect(await server.status(), server.text).toBe(0);
  });

  it('writes events for scripts, whose owner is seen to be there', async () => {
    const server = await share.serve('--json');
    const laptop = await join(share.laptop);
    expect(laptop.stderr).toContain(`you are laptop; here: ${owner}; /help`);
    laptop.input.end('hi\n');
    expect(await laptop.status(), laptop.text).toBe(0);
    await server.waitFor(/"left"/);
    await stop(server);
    const events = eventsOf(server).filter(({ event }) => ['joined', 'line', 'left'].includes(String(event)));
    const common = { device: 'laptop', session: 1 };
    expect(events).toEqual([
      { event: 'joined', ...common, name: 'laptop' },
      { event: 'line', ...common, from: 'laptop', text: 'hi' },
      { event: 'left', ...common, name: 'laptop' },
    ]);
  });
});
