/** `xfer shell`: one session with a share, and commands in it. */
import { readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { devicesPath, loadConfig, XferError, type Config, type FarPath, type Share } from '../../index.js';
import { runChat } from '../chat.js';
import { canAsk, type Context } from '../context.js';
import { editFar } from '../edit.js';
import { reportFailure } from '../failure.js';
import { makeFarFolders, moveFar, removeFar } from '../far-commands.js';
import { getFar } from '../get.js';
import { listFar } from '../ls.js';
import { Prompts } from '../prompts.js';
import { putFar } from '../put.js';
import { runFar } from '../run.js';
import { showOn, widthOf, wrap } from '../show.js';
import { runTransfer, type Hooks } from '../transfer.js';
import { usageError } from '../usage.js';
import { useChoices, type Outcome, type UseFlags } from '../use.js';
import type { Word } from '../words.js';
import { COMMANDS, isCommand, readCommand, type Command, type CommandForm } from './commands.js';
import { completeLine, FolderCache, type Listed } from './completing.js';
import { FarSession } from './far-session.js';
import { PipedLines, TypedLines, type Lines } from './lines.js';
import { lineFor, MENU, menuLines } from './menu.js';
import { placeOf, type FarPlace } from './place.js';

/** How long the Tab key looks for names. */
const COMPLETE_MS = 3_000;

const BEGINNING = 'help lists the commands, menu leads through them, the Tab key completes names';

/** Lets somebody work with a share until they leave. Gives back the exit status. */
export async function runShell(name: string, flags: UseFlags, context: Context): Promise<number> {
  const { env } = context;
  const config = await loadConfig(env);
  // The colon of a path is easily typed too.
  const device = name.replace(/:$/, '');
  const session = new FarSession(context, {
    ...useChoices(flags, config, env),
    device: { name: device, devices: devicesPath(env) },
  });
  const shell = new Shell(device, flags, config, context, session);
  try {
    const status = await shell.begin();
    return status === 0 ? await shell.run() : status;
  } finally {
    await session.close();
  }
}

class Shell {
  readonly #device: string;
  readonly #flags: UseFlags;
  readonly #config: Config;
  readonly #context: Context;
  readonly #session: FarSession;
  readonly #prompts: Prompts;
  /** Whether a person is there. */
  readonly #isTyped: boolean;
  readonly #folders = new FolderCache((path) => this.#session.use((share) => share.list(path)));
  #at: FarPath = [];
  #isLeaving = false;

  constructor(device: string, flags: UseFlags, config: Config, context: Context, session: FarSession) {
    this.#device = device;
    this.#flags = flags;
    this.#config = config;
    this.#context = context;
    this.#session = session;
    this.#prompts = new Prompts(context);
    this.#isTyped = canAsk(context, flags);
  }

  /** Connects. Gives back the exit status. */
  begin(): Promise<number> {
    return this.#step('receive', () => Promise.resolve(undefined));
  }

  /** Does what the lines say. Gives back the status of the last command that failed, where nobody types them. */
  async run(): Promise<number> {
    if (!this.#isTyped) return this.#obey(new PipedLines(this.#context));
    const lines = this.#typedLines();
    const giveBack = this.#context.takeInterrupts(() => lines.interrupt());
    try {
      this.#say(BEGINNING);
      const status = await this.#obey(lines);
      return this.#context.signal.aborted ? status : 0;
    } finally {
      giveBack();
    }
  }

  /** Gives back the status of the last command that failed. */
  async #obey(lines: Lines): Promise<number> {
    let status = 0;
    while (!this.#isLeaving && !this.#context.signal.aborted) {
      const line = await lines.next(`${this.#device}:/${this.#shown(this.#at.join('/'))}> `);
      if (line === undefined) break;
      const ending = await this.#do(line);
      if (ending !== 0) status = ending;
    }
    return this.#context.signal.aborted ? 130 : status;
  }

  #typedLines(): TypedLines {
    return new TypedLines(this.#context, async (line) => {
      const far = async (path: string): Promise<readonly Listed[]> =>
        this.#session.isOpen ? this.#folders.in(this.#place({ text: path, glob: undefined }).path) : [];
      const local = async (path: string): Promise<readonly Listed[]> => localFolder(path === '' ? '.' : path);
      // A key that finds nothing says nothing, and one that finds nothing in time neither: the prompt takes no other until then.
      const nothing: [string[], string] = [[], line];
      const found = completeLine(line, { far, local }).catch(() => nothing);
      return Promise.race([found, sleep(COMPLETE_MS, nothing, { ref: false })]);
    });
  }

  /** Says what fails. Gives back the exit status. */
  async #do(line: string): Promise<number> {
    try {
      const command = readCommand(line);
      return command === undefined ? 0 : await this.#perform(command);
    } catch (error) {
      return reportFailure(error, this.#flags.debug === true ? ['--debug'] : [], this.#context);
    } finally {
      this.#folders.forget();
    }
  }

  async #perform({ name, words, flags }: Command): Promise<number> {
    const { stdout } = this.#context;
    const places = COMMANDS[name].kind === 'far' ? words.map((word) => this.#place(word)) : [];
    const [place] = places;
    const isSet = (flag: string): boolean => flags[flag] !== undefined;
    const to = flags['to'] === true ? undefined : flags['to'];
    const policy = {
      overwrite: isSet('overwrite'),
      update: isSet('update'),
      rename: isSet('rename'),
      skip: isSet('skip'),
    };
    switch (name) {
      case 'ls': {
        const targets = place === undefined ? [this.#place({ text: '.', glob: undefined })] : places;
        return this.#step('receive', (share) => listFar(share, targets, { long: isSet('long') }, { stdout }));
      }
      case 'cd':
        return this.#step('receive', (share, hooks) => this.#go(place, share, hooks));
      case 'pwd':
        stdout.write(`${showOn(stdout, `/${this.#at.join('/')}`)}\n`);
        return 0;
      case 'get':
      case 'cat': {
        const out = to === undefined ? {} : { out: to.text };
        const cat = name === 'cat' ? { stdout: true, quiet: true } : {};
        const receiving = { ...policy, ...out, ...cat, allowDotfiles: isSet('allowDotfiles') };
        return this.#step(
          'receive',
          async (share, hooks, context) =>
            getFar(share, await this.#present(places, share, hooks), {
              flags: receiving,
              config: this.#config,
              context,
              prompts: this.#prompts,
              hooks,
            }),
          name === 'cat',
        );
      }
      case 'put':
        return this.#step('send', async (share, hooks) => {
          const paths: string[] = [];
          for (const { text } of words) paths.push(await this.#presentHere(text, hooks));
          const target = to === undefined ? this.#at : this.#place(to).path;
          return putFar(share, paths, target, policy);
        });
      case 'edit':
        return editFar(place?.path ?? [], (role, work) => this.#step(role, work), this.#context, {
          input: this.#isTyped ? 'inherit' : 'ignore',
          quiet: this.#flags.quiet === true,
        });
      case 'rm':
        return this.#step('send', (share) => removeFar(share, places, { recursive: isSet('recursive') }));
      case 'mv': {
        const last = places.at(-1);
        if (last === undefined) return 0;
        return this.#step('send', (share) => moveFar(share, places.slice(0, -1), last, policy));
      }
      case 'mkdir':
        return this.#step('send', (share) => makeFarFolders(share, places));
      case 'run': {
        let status = 0;
        const ending = await this.#step(
          'receive',
          async (share, _hooks, context) => {
            const said = words.map(({ text }) => text);
            status = await runFar(share, said, {}, context);
            return undefined;
          },
          true,
        );
        return ending === 0 ? status : ending;
      }
      case 'chat':
        return this.#chat();
      case 'lls':
        for (const { name: entry, type } of await localFolder(words[0]?.text ?? '.')) {
          stdout.write(`${showOn(stdout, entry)}${type === 'folder' ? '/' : ''}\n`);
        }
        return 0;
      case 'lcd':
        goLocal(words[0]?.text ?? homedir());
        return 0;
      case 'lpwd':
        stdout.write(`${showOn(stdout, process.cwd())}\n`);
        return 0;
      case 'menu':
        return this.#menu();
      case 'help':
        for (const line of helpLines(words[0]?.text)) stdout.write(`${line}\n`);
        return 0;
      case 'exit':
        this.#isLeaving = true;
        return 0;
    }
  }

  /** Does something in the session, with the progress and the errors of any other command. Ctrl-C ends it and no more. */
  async #step(
    role: 'send' | 'receive',
    work: (share: Share, hooks: Hooks, context: Context) => Promise<Outcome>,
    quiet = false,
  ): Promise<number> {
    const controller = new AbortController();
    const signal = AbortSignal.any([this.#context.signal, controller.signal]);
    const context = { ...this.#context, signal };
    const giveBack = this.#context.takeInterrupts(() => {
      if (controller.signal.aborted) this.#isLeaving = true;
      controller.abort();
      this.#session.interrupt();
    });
    const flags = quiet ? { ...this.#flags, quiet } : this.#flags;
    const isThere = this.#session.isOpen;
    const meeting = { role, joins: true, device: this.#device, seeks: 'share' as const, isThere };
    try {
      return await runTransfer(context, this.#prompts, { flags, meeting }, (hooks) => {
        this.#session.listener = hooks.onEvent;
        return this.#session.use((share) => work(share, hooks, context));
      });
    } finally {
      this.#session.listener = undefined;
      giveBack();
    }
  }

  async #go(place: FarPlace | undefined, share: Share, hooks: Hooks): Promise<undefined> {
    const [target] = place === undefined ? [] : await this.#present([place], share, hooks);
    const path = target?.path ?? [];
    if (path.length > 0 && (await share.look(path)).type !== 'folder') {
      throw new XferError('not-a-folder', { subject: share.nameOf(path) });
    }
    this.#at = path;
  }

  /** These, or what is named in place of one that is not there. Throws `path-missing` where nobody names another one. */
  async #present(places: readonly FarPlace[], share: Share, hooks: Hooks): Promise<FarPlace[]> {
    const present: FarPlace[] = [];
    for (let place of places) {
      while (place.glob === undefined && place.path.length > 0) {
        try {
          await share.look(place.path);
          break;
        } catch (error) {
          const text = await this.#askAgain(error, hooks);
          place = this.#place({ text, glob: undefined });
        }
      }
      present.push(place);
    }
    return present;
  }

  /** As `present`, on this machine. */
  async #presentHere(path: string, hooks: Hooks): Promise<string> {
    for (let text = path; ;) {
      if ((await stat(text).catch(() => undefined)) !== undefined) return text;
      text = await this.#askAgain(new XferError('path-missing', { subject: text }), hooks);
    }
  }

  /** Another path for one that is not there. Throws `error` where nobody names one. */
  async #askAgain(error: unknown, { reporter }: Hooks): Promise<string> {
    if (!this.#isTyped || !(error instanceof XferError) || error.code !== 'path-missing') throw error;
    const question = `there is no ${this.#shown(error.subject ?? 'such path')}; another one, or Enter for none:`;
    const answer = await reporter.aside(() => this.#prompts.line(question));
    if (answer === undefined || answer === '') throw error;
    return answer;
  }

  /** In a session beside this one. Ctrl-C comes back here, as `/quit` does. */
  async #chat(): Promise<number> {
    // The lines of a pipe are commands.
    if (!this.#isTyped)
      throw usageError('chat needs a terminal here', 'xfer chat --to NAME takes lines from a pipe');
    const controller = new AbortController();
    const signal = AbortSignal.any([this.#context.signal, controller.signal]);
    const giveBack = this.#context.takeInterrupts(() => controller.abort());
    try {
      return await runChat(undefined, { ...this.#flags, to: this.#device }, { ...this.#context, signal });
    } finally {
      giveBack();
    }
  }

  async #menu(): Promise<number> {
    if (!this.#isTyped) return 0;
    let status = 0;
    while (!this.#isLeaving) {
      for (const line of menuLines()) this.#say(line);
      const answer = await this.#prompts.line('a number, or Enter to go back to the prompt:');
      if (answer === undefined || answer === '') break;
      const item = /^\d{1,2}$/.test(answer) ? MENU[Number(answer) - 1] : undefined;
      if (item === undefined) continue;
      const answers: string[] = [];
      for (const question of item.questions) answers.push((await this.#prompts.line(question)) ?? '');
      if (!answers.includes('')) status = await this.#do(lineFor(item, answers));
    }
    return status;
  }

  #place(word: Pick<Word, 'text' | 'glob'>): FarPlace {
    return placeOf(word, this.#at);
  }

  #say(line: string): void {
    const { stderr } = this.#context;
    if (this.#flags.quiet === true) return;
    for (const part of wrap(line, widthOf(stderr))) stderr.write(`${part}\n`);
  }

  #shown(text: string): string {
    return showOn(this.#context.stderr, text);
  }
}

function helpLines(name: string | undefined): readonly string[] {
  const forms: readonly CommandForm[] =
    name !== undefined && isCommand(name) ? [COMMANDS[name]] : Object.values(COMMANDS);
  return forms.map(({ usage, does }) => `${usage.padEnd(26)} ${does}`);
}

async function localFolder(path: string): Promise<readonly Listed[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .map((entry): Listed => ({ name: entry.name, type: entry.isDirectory() ? 'folder' : 'file' }))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  } catch (error) {
    throw localError(path, error);
  }
}

function goLocal(path: string): void {
  try {
    process.chdir(path);
  } catch (error) {
    throw localError(path, error);
  }
}

function localError(path: string, error: unknown): XferError {
  const { code } = error as NodeJS.ErrnoException;
  const isMissing = code === 'ENOENT';
  return new XferError(isMissing ? 'path-missing' : code === 'ENOTDIR' ? 'not-a-folder' : 'path-unreadable', {
    subject: path,
    cause: error,
  });
}
