import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { machine, pairMachines } from '../support/devices.js';
import { freePort } from '../support/direct.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { eventsOf } from '../support/transfer-run.js';
import { noise } from '../support/trees.js';
import { xfer, xferOnTerminal, type XferProcess } from '../support/xfer-process.js';

const lines: TcpProxy[] = [];
afterEach(() => {
  for (const line of lines.splice(0)) line.close();
});

interface Room {
  readonly host: XferProcess;
  readonly code: string;
  readonly port: number;
}

async function room(flags: readonly string[] = []): Promise<Room> {
  const port = await freePort();
  const host = await xfer(
    ['chat', '--name', 'ann', '--commands', '--listen', `127.0.0.1:${port}`, ...flags],
    {
      keepInputOpen: true,
    },
  );
  return { host, port, code: await host.code() };
}

async function join(
  { code, port }: Pick<Room, 'code' | 'port'>,
  name: string,
  flags: readonly string[] = [],
): Promise<XferProcess> {
  const member = await xfer(
    ['chat', code, '--name', name, '--commands', '--connect', `127.0.0.1:${port}`, ...flags],
    { keepInputOpen: true },
  );
  await member.waitFor(/you are /);
  return member;
}

describe('xfer chat', () => {
  it('passes lines on between several, who are told apart', async () => {
    const { host, ...there } = await room();
    const [bob, other] = [await join(there, 'bob'), await join(there, 'Bob')];
    await host.waitFor(/\* bob is here[^]*\* Bob-2 is here/);
    expect(other.stderr).toContain('* you are Bob-2; here: ann, bob; /help');
    host.input.write('hello to both\n');
    for (const member of [bob, other]) await member.waitFor(/^ann: hello to both$/m);
    bob.input.write('//not a command\n');
    await host.waitFor(/^bob: \/not a command$/m);
    await other.waitFor(/^bob: \/not a command$/m);
    bob.input.write('/quit\n');
    expect(await bob.status(), bob.screen).toBe(0);
    await other.waitFor(/\* bob is gone/);
    host.input.end('that was all\n');
    expect(await host.status(), host.screen).toBe(0);
    expect(await other.status(), other.screen).toBe(0);
    expect(other.stdout).toBe('ann: hello to both\nbob: /not a command\nann: that was all\n');
    expect(host.stdout).toBe(`${there.code}\nbob: /not a command\n`);
  });

  it.each(['ann', 'bob'])(
    'brings a file of %s to whoever wants it, while the talk goes on',
    async (owner) => {
      const [from, to, too] = [await temporaryFolder(), await temporaryFolder(), await temporaryFolder()];
      const content = noise(20 * 2 ** 20 + 3, owner);
      await writeFile(path.join(from, 'large.bin'), content);
      const { host, ...there } = await room(['--out', too]);
      const bob = await join(there, 'bob', ['--out', too]);
      const eve = await join(there, 'eve', ['--out', to]);
      await bob.waitFor(/eve is here/);
      const sender = owner === 'ann' ? host : bob;
      const second = owner === 'ann' ? bob : host;
      sender.input.write(`/send ${path.join(from, 'large.bin')}\n`);
      await eve.waitFor(/offers large\.bin, 21 MB: \/accept 1/);
      await second.waitFor(/offers large\.bin/);
      eve.input.write('/accept\nwhile it comes\n');
      second.input.write('/accept 1\n');
      await host.waitFor(/eve: while it comes/);
      await eve.waitFor(/large\.bin is here/);
      await second.waitFor(/large\.bin is here/);
      await sender.waitFor(/large\.bin was received[^]*large\.bin was received/);
      for (const folder of [to, too])
        expect((await readFile(path.join(folder, 'large.bin'))).equals(content)).toBe(true);
      expect(eve.stdout).toContain(`${path.join(to, 'large.bin')}\n`);
      host.input.end('/quit\n');
      for (const side of [host, bob, eve]) expect(await side.status(), side.screen).toBe(0);
    },
  );

  it('loses no line where the connection is lost', async () => {
    const { host, code, port } = await room();
    const line = await TcpProxy.start(port, Infinity);
    lines.push(line);
    const bob = await join({ code, port: line.port }, 'bob');
    const said = Array.from({ length: 300 }, (_, number) => `line ${number}`);
    for (const [number, text] of said.entries()) {
      host.input.write(`${text}\n`);
      if (number % 100 === 50) {
        await bob.waitFor(new RegExp(`line ${number - 20}\\n`));
        line.cut();
      }
    }
    host.input.end();
    expect(await bob.status(), bob.screen).toBe(0);
    expect(await host.status(), host.screen).toBe(0);
    expect(bob.stdout).toBe(said.map((text) => `ann: ${text}\n`).join(''));
  });

  it('row 58: shows what others say on one line and harmless', async () => {
    const { host, ...there } = await room();
    const bob = await join(there, 'b\u001b[2Job\u202e');
    await host.waitFor(/\* b-2Job is here/);
    bob.input.write('\u001b]52;c;aGk=\u0007 \u202eabc \u009b2J\r\n');
    await host.waitFor(/^b-2Job: \\u\{1b\}\]52;c;aGk=\\u\{7\} \\u\{202e\}abc \\u\{9b\}2J/m);
    host.input.end();
    await Promise.all([host.status(), bob.status()]);
  });

  it('row 58: lets a flood wait at whoever makes it', async () => {
    const { host, ...there } = await room();
    const bob = await join(there, 'bob');
    bob.input.write('flood\n'.repeat(500));
    await host.waitFor(/(bob: flood\n){200}/);
    const startMs = performance.now();
    await host.waitFor(/(bob: flood\n){300}/);
    expect(performance.now() - startMs).toBeGreaterThan(1_000);
    bob.kill('SIGINT');
    expect(await bob.status()).toBe(130);
    await host.waitFor(/bob is gone/);
    host.input.end();
    expect(await host.status(), host.stderr).toBe(0);
  });

  it('writes events for scripts', async () => {
    const { host, ...there } = await room(['--json']);
    const bob = await join(there, 'bob');
    bob.input.end('hi\n');
    expect(await bob.status(), bob.screen).toBe(0);
    await host.waitFor(/"went"/);
    host.input.end();
    expect(await host.status()).toBe(0);
    const events = eventsOf(host).filter(({ event }) =>
      ['entered', 'came', 'line', 'went'].includes(String(event)),
    );
    expect(events).toEqual([
      { event: 'entered', name: 'ann', others: [] },
      { event: 'came', name: 'bob' },
      { event: 'line', from: 'bob', text: 'hi' },
      { event: 'went', name: 'bob' },
    ]);
  });

  it('says what cannot be done, and goes on', async () => {
    const { host, ...there } = await room();
    const bob = await join(there, 'bob');
    bob.input.write('/send\n/send /nonexistent/file\n/accept 7\n/dance\n/help\n');
    await bob.waitFor(/\/send needs a path/);
    await bob.waitFor(/\/nonexistent\/file/);
    await bob.waitFor(/no such file was offered/);
    await bob.waitFor(/there is no \/dance/);
    await bob.waitFor(/\/quit +leaves/);
    host.kill('SIGINT');
    expect(await host.status()).toBe(130);
    expect(await bob.status()).toBe(3);
    expect(bob.stderr).toContain('the other side was interrupted');
  });

  it('says all that is piped in, and obeys nothing of it', async () => {
    const { host, code, port } = await room();
    const log = '/usr/include/x.h:3: error\n/send /etc/hostname\n//two\n/quit\nthe last\n';
    const to = ['--connect', `127.0.0.1:${port}`];
    const piped = await xfer(['chat', code, '--name', 'log', ...to], { stdin: log });
    expect(await piped.status()).toBe(0);
    await host.waitFor(/log: the last/);
    const said = host.stdout.split('\n').filter((line) => line.startsWith('log: '));
    expect(said.map((line) => `${line.slice('log: '.length)}\n`).join('')).toBe(log);
    expect(host.text).not.toContain('offers');
    host.input.end();
    expect(await host.status()).toBe(0);
  });

  it('says that a file is gone by now to both who want to move it, and goes on', async () => {
    const file = path.join(await temporaryFolder(), 'gone.txt');
    await writeFile(file, 'here');
    const { host, ...there } = await room();
    const bob = await join(there, 'bob');
    host.input.write(`/send ${file}\n`);
    await bob.waitFor(/gone\.txt/);
    await rm(file);
    bob.input.write('/accept\n');
    for (const side of [host, bob])
      await side.waitFor(
        /gone\.txt did not (?:go|come) through: (?:there is no such path|the other side stopped)/,
      );
    bob.input.write('well then\n');
    await host.waitFor(/bob: well then/);
    bob.input.end();
    expect(await bob.status()).toBe(0);
    host.input.end();
    expect(await host.status()).toBe(0);
  });

  it('gives a code for a room to nothing else', async () => {
    const { host, code, port } = await room();
    const receiver = await xfer(['receive', code, '--connect', `127.0.0.1:${port}`, '--yes']);
    expect(await receiver.status()).toBe(4);
    await host.waitFor(/somebody tried a wrong code/);
    host.kill('SIGINT');
    expect(await host.status()).toBe(130);
  });

  it('lets a paired machine into a room without a code, under the name that it has there', async () => {
    const [laptop, pi, stranger] = [await machine(), await machine(), await machine()];
    await pairMachines(laptop, pi, { name: 'pi', otherName: 'laptop' });
    const port = await freePort();
    const listen = ['--listen', `127.0.0.1:${port}`];
    const open = { keepInputOpen: true };
    const host = await xfer(['chat', '--wait', '--name', 'pi', ...listen], { ...pi, ...open });
    await host.waitFor(/you are pi/);
    const to = ['--to', 'pi', '--addr', `127.0.0.1:${port}`];
    const guest = await xfer(['chat', ...to, '--name', 'somebody else'], { ...laptop, ...open });
    await guest.waitFor(/you are laptop; here: pi/);
    const other = await xfer(['chat', ...to], stranger);
    expect(await other.status()).toBe(2);
    guest.input.write('hello\n');
    await host.waitFor(/^laptop: hello$/m);
    host.input.end('goodbye\n');
    expect(await host.status(), host.screen).toBe(0);
    expect(await guest.status(), guest.screen).toBe(0);
    expect(guest.stdout).toBe('pi: goodbye\n');
  });

  it('keeps what is being typed whole on a terminal', async () => {
    const { host, code, port } = await room();
    const bob = await xferOnTerminal(['chat', code, '--name', 'bob', '--connect', `127.0.0.1:${port}`]);
    await bob.waitFor(/> $/);
    bob.type('half a sent');
    await bob.waitFor(/half a sent$/);
    host.input.write('in between\n');
    await bob.waitFor(/ann: in between\r?\n> half a sent$/);
    bob.type('ence\r');
    await host.waitFor(/^bob: half a sentence$/m);
    bob.type('\u0004');
    expect(await bob.status(), bob.text).toBe(0);
    host.input.end();
    expect(await host.status()).toBe(0);
  });
});
