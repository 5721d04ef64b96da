/** `xfer chat` */
import {
  devicesPath,
  loadConfig,
  registerPath,
  toXferError,
  XferError,
  type Chat,
  type ChatEvent,
  type ChatFile,
  type ErrorCode,
  type XferEvent,
} from '../index.js';
import { ChatScreen } from './chat-screen.js';
import { withCodeExtras } from './code-extras.js';
import { readCode } from './code-input.js';
import { canAsk, type Context } from './context.js';
import { DebugLog } from './debug.js';
import { explain } from './explain.js';
import { formatShare, formatSize } from './figures.js';
import { JsonReporter } from './json-reporter.js';
import { forDevices, meetingOptions, type MeetingFlags } from './meeting-flags.js';
import { Prompts } from './prompts.js';
import { show, showOn } from './show.js';
import { assertComparable, compareWords, openReporter } from './transfer.js';
import { usageError } from './usage.js';

/** As commander gives them. */
export interface ChatFlags extends MeetingFlags {
  readonly join?: boolean;
  /** For devices, in place of a code. */
  readonly wait?: boolean;
  /** The name of a device. */
  readonly to?: string;
  readonly addr?: string;
  readonly name?: string;
  /** Obeys what is piped in, too. */
  readonly commands?: boolean;
  readonly out?: string;
  readonly allowDotfiles?: boolean;
  /** False for `--no-exec`. */
  readonly exec?: boolean;
  /** False for `--no-sync`. */
  readonly sync?: boolean;
}

const HELP = [
  '/send PATH     offers a file or folder to all',
  '/accept [N]    takes file N that was offered, or the latest',
  '/quit          leaves; so does Ctrl-D',
  '//…            says a line that begins with /',
];
/** How often it is said how far a file is. */
const PROGRESS_EVERY_MS = 5_000;

/** Talks until `/quit`, the end of the input, or the end of the room. Gives back the exit status. */
export async function runChat(
  argument: string | undefined,
  flags: ChatFlags,
  context: Context,
): Promise<number> {
  const { env, stdout, stderr, signal, library } = context;
  const config = await loadConfig(env);
  const prompts = new Prompts(context);
  const { to, wait = false } = flags;
  if (argument !== undefined && (wait || to !== undefined)) {
    throw usageError('a device needs no code', 'leave one of them out');
  }
  const opensRoom = argument === undefined && flags.join !== true && to === undefined;
  const isHost = opensRoom && (wait || context.code === undefined);
  const code = isHost || to !== undefined ? undefined : await readCode(argument, context, flags, prompts);
  const found = flags.addr === undefined ? flags : { ...flags, connect: flags.addr };
  const isByDevice = wait || to !== undefined;
  const choices = meetingOptions(found, isByDevice ? forDevices(config) : config, env, isHost);
  assertComparable(context, flags, choices.verify);
  const now = (): number => performance.now();
  const debug = flags.debug === true ? new DebugLog(stderr, now) : undefined;
  if (code !== undefined) debug?.hide(code);
  const screen = new ChatScreen(context);
  const json = flags.json === true ? new JsonReporter(stdout, now) : undefined;
  const said = flags.quiet === true ? () => undefined : (text: string) => screen.say(text);
  const quiet = {
    get width() {
      return screen.width;
    },
    say: said,
    status: () => undefined,
    aside: <T>(ask: () => Promise<T>) => ask(),
    close: () => undefined,
  };
  const meeting = {
    role: 'chat' as const,
    joins: !isHost,
    several: true,
    ...choices,
    ...(to === undefined ? {} : { device: to }),
  };
  const reporter = openReporter(context, flags, meeting, now, { screen: quiet, fields: {} });
  const conversation = new Conversation(screen, json, said);
  const out = flags.out ?? config.out;
  try {
    await library.chat(
      {
        ...choices,
        ...(code === undefined ? {} : { code }),
        ...(to === undefined ? {} : { device: { name: to, devices: devicesPath(env) } }),
        ...(wait ? { devices: devicesPath(env) } : {}),
        ...(flags.name === undefined ? {} : { name: flags.name }),
        ...(out === undefined ? {} : { out }),
        ...(flags.exec === false ? { noExec: true } : {}),
        ...(flags.sync === false ? { sync: false } : {}),
        ...(flags.allowDotfiles === true ? { dotfiles: true } : {}),
        ...(canAsk(context, flags)
          ? { compareWords: (words, ended) => compareWords(words, ended, reporter, prompts) }
          : {}),
        register: registerPath(env),
        onChat: (event) => conversation.hear(event),
        onEvent: withCodeExtras(flags, reporter, (event) => {
          debug?.event(event);
          if (!conversation.passes(event)) reporter.event(event);
        }),
        signal,
      },
      async (chat) => {
        const isTyped = context.stdin.isTTY === true;
        // What is piped in is for somebody.
        if (!isTyped) await conversation.company(chat.over);
        // Others may write into a log, and have no say in what is done here.
        const obeys = isTyped || flags.commands === true;
        for await (const line of screen.lines(chat.over)) {
          if (!obeys) await conversation.pass(line, chat);
          else if (!(await conversation.obey(line, chat))) break;
        }
      },
    );
    return 0;
  } catch (thrown) {
    const error = toXferError(thrown);
    debug?.error(error);
    reporter.failed(error);
    return explain(error).exitCode;
  }
}

class Conversation {
  readonly #screen: ChatScreen;
  readonly #json: JsonReporter | undefined;
  readonly #say: (text: string) => void;
  #hasCompany = (): void => undefined;
  readonly #company = new Promise<void>((resolve) => (this.#hasCompany = resolve));
  #saidMs = 0;

  /** @param say Says what goes on to a person. */
  constructor(screen: ChatScreen, json: JsonReporter | undefined, say: (text: string) => void) {
    this.#screen = screen;
    this.#json = json;
    this.#say = say;
  }

  /** Resolves when somebody else is there, or the room is over. */
  async company(over: AbortSignal): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      over.addEventListener('abort', () => resolve(), { once: true });
      if (over.aborted) resolve();
    });
    await Promise.race([this.#company, ended]);
  }

  /** Whether this is about a file, and not for whoever tells of the meeting. */
  passes(event: XferEvent): boolean {
    if (event.type === 'progress') {
      const { bytes, totalBytes, totalKnown } = event.progress;
      if (this.#json !== undefined) return false;
      if (totalKnown && totalBytes > 0 && performance.now() - this.#saidMs > PROGRESS_EVERY_MS) {
        this.#saidMs = performance.now();
        this.#say(`* ${formatShare(bytes, totalBytes)} of ${formatSize(totalBytes)}`);
      }
      return true;
    }
    return false;
  }

  hear(event: ChatEvent): void {
    if (event.type === 'came' || (event.type === 'entered' && event.others.length > 0)) this.#hasCompany();
    if (this.#json !== undefined) {
      this.#json.chat(event);
      return;
    }
    switch (event.type) {
      case 'entered': {
        const others = event.others.length === 0 ? 'nobody else is here yet' : `here: ${list(event.others)}`;
        this.#say(`* you are ${show(event.name)}; ${others}; /help lists what you can do`);
        return;
      }
      case 'came':
        this.#say(`* ${show(event.name)} is here`);
        return;
      case 'went':
        this.#say(`* ${show(event.name)} is gone`);
        return;
      case 'line':
        this.#screen.write(`${show(event.from)}: ${show(event.text, Infinity)}`);
        return;
      case 'file-offered':
        this.#say(`* ${show(event.from)} offers ${fileOf(event.file)}: /accept ${event.file.number}`);
        return;
      case 'file-gone':
        this.#say(`* ${fileOf(event.file)} is not to be had any more`);
        return;
      case 'file-moved':
        this.#say(`* ${movedOf(event)}`);
        for (const path of event.paths) this.#screen.write(showOn({ isTTY: true }, path));
        return;
    }
  }

  /** Says a line as it is. */
  async pass(line: string, chat: Chat): Promise<void> {
    if (line.trim() !== '') await chat.say(line);
  }

  /** Does what a line asks for. False for the last one. */
  async obey(line: string, chat: Chat): Promise<boolean> {
    const [, command, argument = ''] = /^\/(\w+)\s*(.*?)\s*$/.exec(line) ?? [];
    if (command === undefined) {
      await this.pass(line.startsWith('//') ? line.slice(1) : line, chat);
      return true;
    }
    if (command === 'quit') return false;
    try {
      await this.#run(command, argument, chat);
    } catch (thrown) {
      const { sentence, hint } = explain(toXferError(thrown));
      this.#say(`* ${sentence}${hint === undefined ? '' : `: ${hint}`}`);
    }
    return true;
  }

  async #run(command: string, argument: string, chat: Chat): Promise<void> {
    switch (command) {
      case 'send': {
        if (argument === '') throw usageError('/send needs a path', '/send photos/cat.jpg');
        const file = await chat.offer(argument);
        this.#say(`* offered: ${fileOf(file)}`);
        return;
      }
      case 'accept': {
        if (!/^\d{0,6}$/.test(argument)) throw usageError('/accept takes the number of a file', '/accept 1');
        const file = chat.accept(argument === '' ? undefined : Number(argument));
        this.#say(`* asked for ${fileOf(file)}`);
        return;
      }
      case 'help':
        for (const one of HELP) this.#say(one);
        return;
      default:
        throw usageError(`there is no /${show(command)}`, '/help lists what there is');
    }
  }
}

function list(names: readonly string[]): string {
  return names.map((name) => show(name)).join(', ');
}

function fileOf({ name, entry, size }: ChatFile): string {
  return `${show(name)}${entry === 'folder' ? '/' : ''}${size === undefined ? '' : `, ${formatSize(size)}`}`;
}

function movedOf({ sends, file, problem }: Extract<ChatEvent, { type: 'file-moved' }>): string {
  const name = `${show(file.name)}${file.entry === 'folder' ? '/' : ''}`;
  if (problem !== undefined) return `${name} did not ${sends ? 'go' : 'come'} through: ${whyOf(problem)}`;
  return sends ? `${name} was received` : `${name} is here`;
}

function whyOf(problem: ErrorCode): string {
  return explain(new XferError(problem)).sentence;
}
