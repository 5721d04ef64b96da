/** Tells a person what happens, in lines that stay and one that is drawn in place. */
import type {
  Path,
  Progress,
  ReceiverState,
  Skipped,
  TransferOutcome,
  XferError,
  XferEvent,
} from '../index.js';
import type { Output } from './context.js';
import { circumstancesOf, explainEnd, type Circumstances } from './explain.js';
import { countOf, formatCount, formatDuration, formatRate, formatSize } from './figures.js';
import { skippedLines } from './offer-lines.js';
import { otherSideCommands, type Meeting } from './other-side.js';
import { formatProgress, Speed } from './progress-line.js';
import { writeWhole, type Reporter, type Result } from './reporter.js';
import type { Screen } from './screen.js';
import { cut, show, showOn, showText, widthOf, wrap } from './show.js';

export interface NarratorOptions {
  readonly meeting: Meeting;
  readonly screen: Screen;
  /** For the code, the paths and a text. */
  readonly stdout: Output;
  /** For errors, which are said even where the screen is quiet. */
  readonly stderr: Output;
  /** Whose failure it is, where there are several. */
  readonly who?: string | undefined;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
}

/** `listen` of whoever listens on all addresses. */
const ANYWHERE = { host: undefined, port: 0 };

const UNREACHABLE =
  'somebody seems to be there, but no connection comes about; still trying. If one of you can be reached from outside, use --listen there and --connect on the other side';

const PATH_NAMES: Readonly<Record<Path, string>> = {
  direct: 'directly',
  dht: 'through the network of peers (dht)',
  relay: 'through a relay',
};

/** How the bytes go, and where to. The address is foreign text. */
function route(path: Path, address: string | undefined): string {
  return `${PATH_NAMES[path]}${address === undefined ? '' : ` to ${show(address)}`}`;
}

export class Narrator implements Reporter {
  readonly #options: NarratorOptions;
  #speed = new Speed();
  #phase: 'waiting' | 'connected' | 'asking' | 'moving' = 'waiting';
  #code: string | undefined;
  #addresses: readonly string[] = [];
  /** How the bytes go now; at the end, how the last of them went. */
  #path: Path | undefined;
  #counted: string | undefined;
  /** What happens while somebody is asked, and is no part of the question. */
  #held: string[] | undefined;
  #kind: 'files' | 'text' | 'pipe' = 'files';
  #progress: Progress | undefined;
  #file: string | undefined;
  #peerState: ReceiverState | undefined;
  #silentMs: number | undefined;
  #isAway = false;
  /** A later transfer into the same place goes on with it. */
  #kept = false;

  constructor(options: NarratorOptions) {
    this.#options = options;
    if (options.meeting.isThere === true) this.#phase = 'connected';
    // A host says nothing before it has its code, which comes at once.
    else if (options.meeting.joins) this.#drawStatus();
  }

  get width(): number {
    return this.#options.screen.width;
  }

  say(line: string): void {
    this.#options.screen.say(line);
  }

  async aside<T>(ask: () => Promise<T>): Promise<T> {
    this.#held = [];
    try {
      return await this.#options.screen.aside(ask);
    } finally {
      const held = this.#held.splice(0);
      this.#held = undefined;
      for (const line of held) this.say(line);
    }
  }

  close(): void {
    this.#options.screen.close();
  }

  /** Says it, but not into the middle of a question. */
  #sayLater(line: string): void {
    if (this.#held === undefined) this.say(line);
    else this.#held.push(line);
  }

  event(event: XferEvent): void {
    this.#take(event);
    this.#drawStatus();
  }

  listed(path: string, size: number | undefined): void {
    const { stdout } = this.#options;
    const behind = stdout.isTTY === true && size !== undefined ? `  ${formatSize(size)}` : '';
    stdout.write(`${showOn(stdout, path)}${behind}\n`);
  }

  async done({ outcome, leftOut, leftOutCount, exitCode }: Result): Promise<void> {
    this.close();
    const { stdout, stderr } = this.#options;
    const terminal = stdout.isTTY === true;
    if ('text' in outcome && outcome.text !== undefined) {
      const text = terminal ? showText(outcome.text) : outcome.text;
      await writeWhole(stdout, terminal && !text.endsWith('\n') ? `${text}\n` : text);
    }
    const paths = 'paths' in outcome ? outcome.paths : [];
    for (const path of paths) stdout.write(`${showOn(stdout, path)}\n`);

    this.leftOut(leftOut, leftOutCount);
    if (outcome.alreadyFiles > 0) {
      const already = `${countOf(outcome.alreadyFiles, 'file')}, ${formatSize(outcome.alreadyBytes)}`;
      this.say(`${this.#sends ? 'there' : 'here'} already: ${already}`);
    }
    if (outcome.unwantedFiles > 0) {
      const unwanted = countOf(outcome.unwantedFiles, 'file');
      this.say(`not asked for: ${unwanted}; the other side has them, keeps its own or chose others`);
    }
    this.say(`verified: ${this.#summary(outcome)}`);
    if (exitCode !== 0) writeError(stderr, 'incomplete', undefined);
  }

  leftOut(skipped: readonly Skipped[], count: number): void {
    if (count === 0) return;
    if (skipped.length === 0) {
      this.say(`${countOf(count, 'entry', 'entries')} missing at the other side; its screen says which`);
      return;
    }
    this.say(cut(`${countOf(count, 'entry', 'entries')} left out:`, this.width));
    for (const line of skippedLines(skipped, count, this.width)) this.say(line);
  }

  failed(error: XferError): void {
    this.close();
    const { stderr, who } = this.#options;
    const circumstances = circumstancesOf(this.#options.meeting);
    writeError(stderr, error.code, error, { ...circumstances, isKept: this.#kept, who });
  }

  #take(event: XferEvent): void {
    switch (event.type) {
      case 'code':
        this.#code = event.code;
        this.#options.stdout.write(`${event.code}\n`);
        this.#sayCommands();
        break;
      case 'listening':
        this.#addresses = event.addresses;
        if (this.#options.meeting.listen === undefined) this.#sayAddresses();
        else this.#sayCommands();
        break;
      case 'dht-ready':
        break;
      case 'dht-unreachable':
        for (const line of wrap(this.#dhtSilence(), this.width)) this.say(line);
        break;
      case 'proxy':
        this.say(cut(`connecting by way of the proxy ${show(event.proxy)}`, this.width));
        break;
      case 'waiting':
        this.say(
          this.#device === undefined
            ? 'nobody is there under this code yet; still looking'
            : `'${this.#device}' is not there yet; still looking`,
        );
        break;
      case 'unreachable':
        for (const line of wrap(UNREACHABLE, this.width)) this.say(line);
        break;
      case 'wrong-guess':
        this.say(`somebody tried a wrong code; after ${formatCount(event.left)} more the code is dead`);
        break;
      case 'connected':
        this.#phase = 'connected';
        this.#path = event.path;
        this.say(
          this.#device === undefined && this.#options.meeting.several !== true
            ? `connected ${route(event.path, event.address)}; the code is used up`
            : `connected ${route(event.path, event.address)}`,
        );
        break;
      case 'paired':
        this.#options.stdout.write(`${event.name}\n`);
        this.say(`paired: here the other machine is called '${event.name}'`);
        break;
      case 'path':
        // More lanes the same way are no news for a person.
        if (event.path !== this.#path) this.#sayLater(`now connected ${route(event.path, event.address)}`);
        this.#path = event.path;
        break;
      case 'reconnecting': {
        const time = formatDuration(event.patienceMs);
        const text = `the connection is lost; looking for the other side again for ${time}`;
        for (const line of wrap(text, this.width)) this.#sayLater(line);
        this.#isAway = true;
        break;
      }
      case 'reconnected':
        this.#sayLater(`connected again ${route(event.path, event.address)}`);
        this.#isAway = false;
        this.#path = event.path;
        this.#speed = new Speed();
        break;
      case 'stalled':
        this.#silentMs = event.silentMs;
        break;
      case 'flowing':
        this.#silentMs = undefined;
        break;
      case 'scanning':
        this.#counted = event.done
          ? undefined
          : `${countOf(event.files, 'file')}, ${formatSize(event.bytes)}`;
        break;
      case 'counting':
        this.#counted = event.done
          ? undefined
          : `${formatCount(event.entries)} entries, ${formatSize(event.bytes)}`;
        break;
      case 'offer':
        this.#kind = event.kind;
        if (this.#phase === 'connected') this.#phase = 'asking';
        break;
      case 'peer-state':
        this.#peerState = event.state;
        if (event.state !== 'asking') this.#phase = 'moving';
        break;
      case 'accepted':
        if (this.#sends) this.say('the other side said yes');
        this.#phase = 'moving';
        break;
      case 'declined':
        break;
      case 'file-started':
        this.#file = event.path;
        break;
      case 'file-received':
        break;
      case 'file-continued':
        // What was there did not come now.
        this.#speed = new Speed();
        this.#sayLater(
          cut(`${formatSize(event.bytes)} are there already of ${show(event.path)}`, this.width),
        );
        break;
      case 'file-restarted':
        this.#sayLater(cut(`not the same as before, so from its start: ${show(event.path)}`, this.width));
        break;
      case 'file-updated':
        // There may be thousands; the end says how much did not travel.
        break;
      case 'kept':
        this.#kept = true;
        this.say(
          event.bytes === 0
            ? 'the files that arrived are kept'
            : `what arrived is kept, ${formatSize(event.bytes)} of it in unfinished files`,
        );
        break;
      case 'progress':
        this.#phase = 'moving';
        this.#progress = event.progress;
        this.#speed.add(this.#options.now(), event.progress.bytes);
        break;
      case 'skipped':
        // Listed at the end, where it is still on the screen.
        break;
    }
  }

  get #device(): string | undefined {
    return this.#options.meeting.device;
  }

  get #sends(): boolean {
    return this.#options.meeting.role === 'send';
  }

  /** With `--listen` the commands need the addresses, which may come before or after the code. */
  #sayCommands(): void {
    const { meeting } = this.#options;
    if (this.#code === undefined || this.#lacksAddresses) return;
    const commands = otherSideCommands(this.#code, meeting, this.#addresses);
    this.say(commands.length === 1 ? 'on the other machine:' : 'on the other machine, one of:');
    for (const command of commands) this.say(`  ${command}`);
  }

  #dhtSilence(): string {
    const text = 'the network that helps peers to meet (dht) does not answer over UDP';
    return this.#options.meeting.lan === true ? `${text}; still looking on the local network` : text;
  }

  /** Where the other side may look on the local network alone: not every one lets multicast through. */
  #sayAddresses(): void {
    const { role, joins } = this.#options.meeting;
    if (this.#code === undefined) return;
    const text = 'where the other machine does not find this one on the local network:';
    for (const line of wrap(text, this.width)) this.say(line);
    const byAddress = { role, joins, listen: ANYWHERE };
    for (const command of otherSideCommands(this.#code, byAddress, this.#addresses)) this.say(`  ${command}`);
  }

  get #lacksAddresses(): boolean {
    const { joins, listen } = this.#options.meeting;
    return !joins && listen !== undefined && this.#addresses.length === 0;
  }

  #drawStatus(): void {
    // The line about waiting belongs below the commands.
    if (this.#phase === 'waiting' && this.#lacksAddresses) return;
    if (this.#isAway) {
      this.#options.screen.status({
        kind: 'away',
        draw: (width) => cut('waiting for the other side to come back', width),
      });
      return;
    }
    const silentMs = this.#silentMs;
    if (silentMs !== undefined) {
      const text = `no data for ${Math.round(silentMs / 1000)} s from the other side`;
      this.#options.screen.status({ kind: 'stalled', draw: (width) => cut(text, width) });
    } else if (this.#phase === 'moving' && this.#progress !== undefined) {
      this.#options.screen.status(this.#movingStatus(this.#progress));
    } else {
      const text = this.#waitingText();
      this.#options.screen.status({ kind: this.#phase, draw: (width) => cut(text, width) });
    }
  }

  #movingStatus(progress: Progress): { kind: string; draw: (width: number) => string } {
    const verifying = this.#peerState === 'verifying';
    const doing = verifying ? 'verifying' : this.#sends ? 'sending' : 'receiving';
    const line = {
      doing,
      progress,
      bytesPerSecond: this.#speed.bytesPerSecond,
      path: this.#path,
      file: this.#kind === 'files' ? this.#file : undefined,
    };
    return { kind: doing, draw: (width) => formatProgress(line, width) };
  }

  #waitingText(): string {
    const counted = this.#counted === undefined ? '' : `, still counting: ${this.#counted}`;
    switch (this.#phase) {
      case 'waiting':
        if (this.#device !== undefined) return `looking for '${this.#device}'`;
        return this.#options.meeting.joins ? 'looking for the other side' : 'waiting for the other side';
      case 'connected':
        if (this.#options.meeting.role === 'pair') return 'waiting for the other person';
        return this.#sends ? 'connected' : `waiting for the offer`;
      case 'asking':
        return this.#sends ? `the other side is asked${counted}` : `reading the offer${counted}`;
      case 'moving':
        return this.#sends ? `starting to send${counted}` : 'starting to receive';
    }
  }

  #summary({ files, bytes, continuedBytes, alreadyFiles, elapsedMs }: TransferOutcome): string {
    if (files === 0 && alreadyFiles > 0) return `nothing had to travel, ${formatDuration(elapsedMs)}`;
    const what = { files: countOf(files, 'file'), text: 'a text', pipe: 'a stream' }[this.#kind];
    // What took no time that is shown has no rate that means anything.
    const moved = bytes - continuedBytes;
    const rate = elapsedMs >= 50 && moved > 0 ? [formatRate((moved / elapsedMs) * 1000)] : [];
    const path = this.#path === undefined ? [] : [this.#path];
    const travelled = continuedBytes > 0 ? [`${formatSize(moved)} of it moved`] : [];
    return [what, formatSize(bytes), ...travelled, formatDuration(elapsedMs), ...rate, ...path].join(', ');
  }
}

interface Blame extends Circumstances {
  readonly who?: string | undefined;
}

/** `xfer: error: …` and `xfer: hint: …`. */
export function writeError(
  stderr: Output,
  code: XferError['code'],
  error: Pick<XferError, 'subject' | 'detail'> | undefined,
  { who, ...circumstances }: Blame = {},
): void {
  const about = { code, subject: error?.subject, detail: error?.detail };
  const { sentence, hint } = explainEnd(about, circumstances);
  // A log or a script gets each in one line.
  const width = widthOf(stderr);
  const whose = who === undefined ? '' : `${who}: `;
  const said = [
    `xfer: error: ${whose}${sentence}`,
    ...(hint === undefined ? [] : [`xfer: hint: ${whose}${hint}`]),
  ];
  for (const line of said.flatMap((text) => wrap(text, width))) stderr.write(`${line}\n`);
}
