/** What a share says of those who use it: one line for each thing they do, and what goes on just now. */
import type { Ending, MemberEvent, Progress, Ran, ShareAction, XferError, XferEvent } from '../index.js';
import type { Output } from './context.js';
import { brief, explain } from './explain.js';
import { countOf, formatSize } from './figures.js';
import { JsonReporter } from './json-reporter.js';
import { quoteWord } from './other-side.js';
import { formatProgress, Speed } from './progress-line.js';
import type { Screen } from './screen.js';
import type { SharedScreen } from './shared-screen.js';
import { fold, show, wrap } from './show.js';
import { WaitingLines } from './waiting-lines.js';

/** Columns of what somebody says, also where there is hardly room for a name. */
const NARROWEST = 8;

/** Of one device, while it is there. */
export interface SessionLog {
  event(event: XferEvent): void;
  action(action: ShareAction): void;
  talk(event: MemberEvent): void;
  gone(): void;
  failed(error: XferError): void;
}

export interface ServeLog {
  /**
   * @param devices How many may come.
   * @param settings The file with settings that count, if there are any.
   */
  begin(folder: string, devices: number, settings?: string): void;
  /** What concerns all of them. */
  event(event: XferEvent): void;
  /** @param number Of the session, from 1. */
  session(device: string, number: number): SessionLog;
}

/** For people and for a journal. */
export class ServeLines implements ServeLog {
  readonly #screen: SharedScreen;
  readonly #own: WaitingLines;
  readonly #now: () => number;

  constructor(screen: SharedScreen, now: () => number) {
    this.#screen = screen;
    this.#own = new WaitingLines(screen.part(''));
    this.#now = now;
  }

  begin(folder: string, devices: number, settings?: string): void {
    this.#own.say(`sharing ${show(folder)} with ${countOf(devices, 'device')}`);
    if (settings !== undefined) this.#own.say(`what no flag says, [serve] in ${show(settings)} does`);
    if (devices > 0) return;
    this.#own.say(
      'xfer pair here and on another machine makes them known to each other; no restart is needed',
    );
  }

  event(event: XferEvent): void {
    this.#own.event(event);
  }

  session(device: string): SessionLog {
    return new SessionLines((mark) => this.#screen.part(mark), device, this.#now);
  }
}

class SessionLines implements SessionLog {
  readonly #marked: (mark: string) => Screen;
  readonly #device: string;
  readonly #screen: Screen;
  readonly #now: () => number;
  /** Of the transfer that goes on. */
  #drawn: Screen | undefined;
  #speed = new Speed();
  #doing: 'sending' | 'receiving' = 'sending';

  /** @param marked A screen that has this before each of its lines. */
  constructor(marked: (mark: string) => Screen, device: string, now: () => number) {
    this.#marked = marked;
    this.#device = device;
    this.#screen = marked(`${device}: `);
    this.#now = now;
  }

  event(event: XferEvent): void {
    switch (event.type) {
      case 'connected':
        this.#say(
          `connected ${event.path === 'direct' ? 'directly' : `by ${event.path}`}${event.address === undefined ? '' : ` from ${show(event.address)}`}`,
        );
        break;
      case 'reconnecting':
        this.#say('connection lost; waiting for it to come back');
        break;
      case 'reconnected':
        this.#say('connected again');
        break;
      case 'scanning':
        this.#doing = 'sending';
        break;
      case 'counting':
        this.#doing = 'receiving';
        break;
      case 'progress':
        this.#draw(event.progress);
        break;
      default:
    }
  }

  action(action: ShareAction): void {
    this.#speed = new Speed();
    this.#undraw();
    this.#say(sentenceOf(action));
  }

  talk(event: MemberEvent): void {
    switch (event.type) {
      case 'joined':
        this.#say(`joined the chat${event.name === this.#device ? '' : ` as ${show(event.name)}`}`);
        return;
      case 'left':
        this.#say('left the chat');
        return;
      case 'file-offered': {
        const { name, entry, size } = event.file;
        const what = `${show(name)}${entry === 'folder' ? '/' : ''}${size === undefined ? '' : `, ${formatSize(size)}`}`;
        this.#say(`offers ${what} in the chat`);
        return;
      }
      case 'line': {
        // Before each row: nothing that is said may look as if the program said it.
        const screen = this.#marked(`${show(event.from)} says: `);
        for (const row of fold(show(event.text, Infinity), Math.max(NARROWEST, screen.width)))
          screen.say(row);
      }
    }
  }

  gone(): void {
    this.#say('gone');
    this.#undraw();
  }

  failed(error: XferError): void {
    this.#say(`gone: ${explain(error).sentence}`);
    this.#undraw();
  }

  #draw(progress: Progress): void {
    this.#speed.add(this.#now(), progress.bytes);
    const line = {
      doing: this.#doing,
      progress,
      bytesPerSecond: this.#speed.bytesPerSecond,
      path: undefined,
      file: undefined,
    };
    this.#drawn ??= this.#marked(`${this.#device}: `);
    this.#drawn.status({ kind: this.#doing, draw: (width) => formatProgress(line, width) });
  }

  #undraw(): void {
    this.#drawn?.close();
    this.#drawn = undefined;
  }

  #say(text: string): void {
    for (const line of wrap(text, this.#screen.width)) this.#screen.say(line);
  }
}

/** For scripts: docs/events.md lists the events. */
export class ServeJson implements ServeLog {
  readonly #stdout: Output;
  readonly #now: () => number;
  readonly #own: JsonReporter;

  constructor(stdout: Output, now: () => number) {
    this.#stdout = stdout;
    this.#now = now;
    this.#own = new JsonReporter(stdout, now);
  }

  begin(): void {
    // Who comes, and where this side listens, are events of their own.
  }

  event(event: XferEvent): void {
    this.#own.event(event);
  }

  session(device: string, session: number): SessionLog {
    return new JsonReporter(this.#stdout, this.#now, { device, session }, { device });
  }
}

const VERBS: Readonly<Record<ShareAction['action'], string>> = {
  list: 'listed',
  look: 'looked at',
  get: 'fetched',
  put: 'put into',
  'make-folder': 'made the folder',
  remove: 'removed',
  move: 'moved',
  stop: 'stopped the share',
  run: 'ran',
  actions: 'listed the actions',
};

function sentenceOf({ action, paths, moved, ran, problem }: ShareAction): string {
  if (ran !== undefined) return ranSentence(ran, problem);
  const names = paths.slice(0, 3).map((path) => (path === '' ? 'the share' : show(path)));
  const more = paths.length > names.length ? ` and ${countOf(paths.length - names.length, 'more path')}` : '';
  const what = `${VERBS[action]} ${names.join(action === 'move' ? ' to ' : ', ')}${more}`.trimEnd();
  if (problem !== undefined) return `${what}: not done, ${brief(problem)}`;
  if (moved === undefined) return what;
  const missing =
    moved.missingCount > 0 ? `, ${countOf(moved.missingCount, 'entry', 'entries')} missing` : '';
  return `${what}: ${countOf(moved.files, 'file')}, ${formatSize(moved.bytes)}${missing}`;
}

function ranSentence({ name, words, hasBegun, bytes, ending }: Ran, problem: ShareAction['problem']): string {
  const what = `ran ${[name, ...words].map((word) => quoteWord(show(word))).join(' ')}`;
  if (problem !== undefined) {
    return `${what}: ${hasBegun ? 'ended with the session' : `not done, ${brief(problem)}`}`;
  }
  return `${what}: ${ending === undefined ? 'done' : howEnded(ending)}, ${formatSize(bytes ?? 0)} written`;
}

function howEnded(ending: Ending): string {
  switch (ending.how) {
    case 'exit':
      return `exit status ${ending.status}`;
    case 'signal':
      return `ended by signal ${ending.signal}`;
    case 'timeout':
      return brief('action-timeout');
    case 'output':
      return brief('action-output');
  }
}
