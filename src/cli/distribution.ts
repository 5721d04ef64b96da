/** `xfer send --receivers` */
import { loadConfig, toXferError, type Content, type ErrorCode, type ReceiverSession } from '../index.js';
import { withCodeExtras } from './code-extras.js';
import type { Context } from './context.js';
import { DebugLog } from './debug.js';
import { explain } from './explain.js';
import { countOf } from './figures.js';
import { JsonReporter } from './json-reporter.js';
import { meetingOptions } from './meeting-flags.js';
import { Prompts } from './prompts.js';
import { openScreen, quietScreen, type Screen } from './screen.js';
import type { SendFlags } from './send.js';
import { SharedScreen } from './shared-screen.js';
import { cut, wrap } from './show.js';
import { assertComparable, openReporter, runTransfer } from './transfer.js';
import { usageError } from './usage.js';

const MOST_RECEIVERS = 10_000;
/** To the offer, or to the words: such a receiver does not come again, and its place is used up. */
const NO: readonly (ErrorCode | undefined)[] = ['declined', 'not-verified'];

/** Sends `content` to several receivers with one code. Gives back the exit status, which is about all of them. */
export async function runDistribution(
  content: Content,
  flags: SendFlags & { readonly receivers: string },
  context: Context,
): Promise<number> {
  const count = parseReceivers(flags.receivers);
  const config = await loadConfig(context.env);
  const prompts = new Prompts(context);
  const { signal, stdout, stderr } = context;
  const now = (): number => performance.now();
  const choices = meetingOptions(flags, config, context.env, true);
  assertComparable(context, flags, choices.verify);
  const debug = flags.debug === true ? new DebugLog(stderr, now) : undefined;
  const tally = new ReceiverTally(count);
  const idle = { kind: 'waiting', draw: (width: number) => cut(tally.waiting, width) };
  const screen = new SharedScreen(screenOf(flags, context, now), idle, { lineForEach: true });
  const meeting = { role: 'send' as const, joins: false, several: true, ...choices };
  const json = flags.json === true ? new JsonReporter(stdout, now) : undefined;
  const shared = { screen: withoutStatus(screen.part('')), fields: {} };
  const reporter = json ?? openReporter(context, flags, meeting, now, shared);

  const onSession = async (session: ReceiverSession): Promise<void> => {
    const { receiver } = session;
    const one = { screen: screen.part(`${receiver}: `), fields: { receiver }, who: `receiver ${receiver}` };
    let failure: ErrorCode | undefined;
    const status = await runTransfer(
      context,
      prompts,
      { flags, meeting, shared: one },
      async ({ onEvent, compareWords }) => {
        try {
          return await session.send({
            onEvent,
            signal,
            ...(compareWords === undefined ? {} : { compareWords }),
          });
        } catch (error) {
          failure = toXferError(error).code;
          throw error;
        }
      },
    );
    tally.add(status, failure);
    screen.redraw();
  };
  const finish = (exitCode: number): number => {
    screen.close();
    json?.distributed({ ...tally.figures, exitCode });
    // Where nobody came the error says it all.
    if (exitCode === 0 || tally.came)
      for (const line of wrap(tally.summary, reporter.width)) reporter.say(line);
    return exitCode;
  };
  try {
    await context.library.distribute(content, {
      ...choices,
      ...(count === Infinity ? {} : { receivers: count }),
      onSession,
      onEvent: withCodeExtras(flags, reporter, (event) => {
        debug?.event(event);
        reporter.event(event);
        if (event.type !== 'code') return;
        tally.isOpen = true;
        screen.redraw();
      }),
      signal,
    });
    return finish(tally.status);
  } catch (thrown) {
    const error = toXferError(thrown);
    debug?.error(error);
    screen.close();
    reporter.failed(error);
    return finish(explain(error).exitCode);
  }
}

/** What became of those who came. */
class ReceiverTally {
  /** There is a code. */
  isOpen = false;
  readonly #wanted: number;
  #received = 0;
  /** Of them, not everything. */
  #incomplete = 0;
  #declined = 0;
  #brokenOff = 0;
  /** The worst of what a person has to know. */
  #status = 0;

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  /** @param failure Why the receiver has nothing. */
  add(status: number, failure: ErrorCode | undefined): void {
    if (failure === undefined) this.#received += 1;
    if (failure === undefined && status !== 0) this.#incomplete += 1;
    if (NO.includes(failure)) this.#declined += 1;
    else if (failure !== undefined) this.#brokenOff += 1;
    // Whoever broke off may come again, and counts where nobody can know whether he did.
    if (failure === undefined || NO.includes(failure) || this.#wanted === Infinity) {
      this.#status = Math.max(this.#status, status);
    }
  }

  /** Whether anybody did. */
  get came(): boolean {
    return this.#received + this.#declined + this.#brokenOff > 0;
  }

  get figures(): Readonly<Record<'received' | 'incomplete' | 'declined' | 'brokenOff', number>> {
    return {
      received: this.#received,
      incomplete: this.#incomplete,
      declined: this.#declined,
      brokenOff: this.#brokenOff,
    };
  }

  /** What is drawn below those who receive. */
  get waiting(): string {
    if (!this.isOpen) return '';
    const settled = this.#received + this.#declined;
    if (this.#wanted === Infinity) return `waiting for receivers, ${this.#received} done; Ctrl-C ends it`;
    return settled === this.#wanted ? '' : `waiting for receivers, ${settled} of ${this.#wanted} done`;
  }

  get summary(): string {
    const of = this.#wanted === Infinity ? '' : ` of ${this.#wanted}`;
    const verb = this.#received === 1 && of === '' ? 'has' : 'have';
    const what = of === '' ? countOf(this.#received, 'receiver') : `${this.#received}${of} receivers`;
    return [
      `${what} ${verb} it`,
      ...(this.#incomplete === 0 ? [] : [`${this.#incomplete} not everything`]),
      ...(this.#declined === 0 ? [] : [`${this.#declined} said no`]),
      ...(this.#brokenOff === 0 ? [] : [`${this.#brokenOff} broke off`]),
    ].join(', ');
  }

  /** 0 where everybody has everything; otherwise what is worst. */
  get status(): number {
    return this.#status;
  }
}

/** How many may come; `Infinity` for `any`. */
function parseReceivers(text: string): number {
  if (text === 'any') return Infinity;
  const count = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MOST_RECEIVERS) return count;
  throw usageError(
    `there may be 1 to ${MOST_RECEIVERS} receivers, or any, not '${text}'`,
    '--receivers 3 is for three; --receivers any goes on until Ctrl-C',
  );
}

function screenOf({ json, quiet }: SendFlags, { stderr, env }: Context, now: () => number): Screen {
  return json === true || quiet === true ? quietScreen : openScreen(stderr, env, now);
}

/** What waits for receivers is drawn with their lines. */
function withoutStatus(screen: Screen): Screen {
  return {
    get width() {
      return screen.width;
    },
    say: (line) => screen.say(line),
    status: () => undefined,
    aside: (ask) => screen.aside(ask),
    close: () => screen.close(),
  };
}
