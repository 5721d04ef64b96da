/** One JSON object per line on stdout, for scripts: docs/events.md lists them. */
import type { ChatEvent, MemberEvent, Ran, ShareAction, Skipped, XferError, XferEvent } from '../index.js';
import type { Output } from './context.js';
import { explainEnd, type Circumstances } from './explain.js';
import { writeWhole, type Reporter, type Result } from './reporter.js';
import { showJson } from './show.js';

/** `progress` and `file-started` come at most this often. */
const EVERY_MS = 100;
/** Events that a script gets now and then, since a tree of small files would make a flood of them. */
const SAMPLED: ReadonlySet<XferEvent['type']> = new Set(['progress', 'file-started', 'scanning', 'counting']);

export class JsonReporter implements Reporter {
  readonly width = Infinity;
  readonly #stdout: Output;
  readonly #now: () => number;
  readonly #common: object;
  readonly #circumstances: Circumstances;
  /** A later transfer into the same place goes on with it. */
  #kept = false;
  readonly #lastMs = new Map<XferEvent['type'], number>();

  /**
   * @param common Fields of every line.
   * @param circumstances What is known of a failure by how the two sides met.
   */
  constructor(stdout: Output, now: () => number, common: object = {}, circumstances: Circumstances = {}) {
    this.#stdout = stdout;
    this.#now = now;
    this.#common = common;
    this.#circumstances = circumstances;
  }

  event(event: XferEvent): void {
    const { type, ...fields } = event;
    if (type === 'kept') this.#kept = true;
    if (SAMPLED.has(type) && !('done' in event && event.done)) {
      const atMs = this.#now();
      if (atMs - (this.#lastMs.get(type) ?? -Infinity) < EVERY_MS) return;
      this.#lastMs.set(type, atMs);
    }
    this.#write(type, fields);
  }

  listed(path: string, size: number | undefined): void {
    this.#write('listed', { path, ...(size === undefined ? {} : { size }) });
  }

  async done({ outcome, leftOut, leftOutCount, exitCode }: Result): Promise<void> {
    const { files, bytes, continuedBytes, alreadyFiles, alreadyBytes, unwantedFiles, elapsedMs } = outcome;
    const line = lineOf('done', {
      ...this.#common,
      files,
      bytes,
      continuedBytes,
      alreadyFiles,
      alreadyBytes,
      unwantedFiles,
      elapsedMs: Math.round(elapsedMs),
      ...('paths' in outcome ? { paths: outcome.paths } : {}),
      ...('text' in outcome && outcome.text !== undefined ? { text: outcome.text } : {}),
      leftOut,
      leftOutCount,
      exitCode,
    });
    // Files are in place whoever reads this; a text is nowhere else.
    if ('text' in outcome && outcome.text !== undefined) await writeWhole(this.#stdout, line);
    else this.#stdout.write(line);
  }

  leftOut(skipped: readonly Skipped[]): void {
    for (const entry of skipped) this.#write('skipped', { skipped: entry });
  }

  /** What a device did with a share. */
  action({ moved, ran, ...fields }: ShareAction): void {
    const { files, bytes, missingCount } = moved ?? {};
    this.#write('action', {
      ...fields,
      ...(moved === undefined ? {} : { files, bytes, missingCount }),
      ...(ran === undefined ? {} : ranFields(ran)),
    });
  }

  /** What a device does where those of a share talk. */
  talk({ type, ...fields }: MemberEvent): void {
    this.#write(type, fields);
  }

  /** A device is done. */
  gone(): void {
    this.#write('gone', {});
  }

  /** What happens in a room. */
  chat({ type, ...fields }: ChatEvent): void {
    this.#write(type, fields);
  }

  /** How many of several receivers have it, and what became of the others. */
  distributed(figures: object): void {
    this.#write('distributed', figures);
  }

  failed(error: XferError): void {
    const circumstances = { ...this.#circumstances, isKept: this.#kept };
    const { sentence, hint, exitCode } = explainEnd(error, circumstances);
    this.#write('error', { code: error.code, exitCode, sentence, ...(hint === undefined ? {} : { hint }) });
  }

  say(): void {
    // For people only.
  }

  aside<T>(ask: () => Promise<T>): Promise<T> {
    return ask();
  }

  close(): void {
    // Every line is written already.
  }

  #write(event: string, fields: object): void {
    this.#stdout.write(lineOf(event, { ...this.#common, ...fields }));
  }
}

function ranFields({ name, words, hasBegun, bytes, ending }: Ran): object {
  return { name, words, begun: hasBegun, ...(ending === undefined ? {} : { ...ending, bytes }) };
}

function lineOf(event: string, fields: object): string {
  return `${showJson({ event, ...fields })}\n`;
}
