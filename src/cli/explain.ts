/** What each error means to a person, what to do about it, and its exit status. All wording of errors is here and in `texts/`. */
import type { ErrorCode, XferError } from '../index.js';
import { deviceCommands, type Meeting } from './other-side.js';
import { show } from './show.js';
import { DEVICES } from './texts/devices.js';
import { ENTRIES } from './texts/entries.js';
import { MEETING } from './texts/meeting.js';
import { MOVING } from './texts/moving.js';
import { SHARING } from './texts/sharing.js';
import { STARTING } from './texts/starting.js';
import { join, type About, type ExitCode, type Text, type Wording } from './texts/text.js';

export interface Explanation {
  readonly sentence: string;
  /** What to do next. */
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;
}

const TEXTS: Readonly<Record<ErrorCode, Text>> = {
  ...STARTING,
  ...MEETING,
  ...DEVICES,
  ...SHARING,
  ...MOVING,
  ...ENTRIES,
  internal: {
    sentence: ({ detail }) => join('xfer has a bug', detail),
    advice: 'please report what you did, with the output of the same command with --debug',
    exitCode: 70,
  },
};

/** Text and exit status for an error, safe to print. With a device there is no code to tell again. */
export function explain(
  error: Pick<XferError, 'code' | 'subject' | 'detail'>,
  { device, there = '', isOneOfSeveral = false }: Circumstances = {},
): Explanation {
  const { sentence, advice: usual, exitCode } = TEXTS[error.code];
  const special = device !== undefined ? BY_DEVICE : isOneOfSeveral ? ONE_OF_SEVERAL : {};
  const advice = special[error.code] ?? usual;
  const detail = error.detail === undefined ? '' : String(error.detail);
  const about = {
    subject: show(error.subject ?? ''),
    // The reason of a decline or a failure over there is an error code too.
    // That it declined because it declined says nothing.
    detail: detail === error.code ? '' : isExplained(detail) ? brief(detail) : show(detail),
    there,
  };
  const hint = advice === undefined ? '' : say(advice, about);
  return { sentence: say(sentence, about), hint: hint === '' ? undefined : hint, exitCode };
}

/** As `explain`, where a later transfer can go on with what arrived. */
export function explainKept(
  error: Pick<XferError, 'code' | 'subject' | 'detail'>,
  { device }: Circumstances = {},
): Explanation {
  const { sentence, exitCode } = explain(error);
  const first = MENDED_FIRST[error.code];
  const hint =
    device !== undefined
      ? 'start it again, into the same place: it goes on from here'
      : 'start again with a new code and receive into the same place: it goes on from here';
  return {
    sentence,
    exitCode,
    hint: first === undefined ? hint : `${first}, then ${hint}`,
  };
}

/** What a transfer was like that failed. */
export interface Circumstances {
  /** A later transfer into the same place goes on with what arrived. */
  readonly isKept?: boolean;
  /** Where the other side is one. */
  readonly device?: string | undefined;
  /** What it has to run. */
  readonly there?: string | undefined;
  /** It is about one of several who use the same code. */
  readonly isOneOfSeveral?: boolean;
}

/** The end of a transfer: for people and for scripts. */
export function explainEnd(
  error: Pick<XferError, 'code' | 'subject' | 'detail'>,
  circumstances: Circumstances,
): Explanation {
  return circumstances.isKept === true ? explainKept(error, circumstances) : explain(error, circumstances);
}

/** What is known of a failure by how the two sides met. */
export function circumstancesOf(meeting: Meeting): Circumstances {
  const { device, several = false, joins, role } = meeting;
  return {
    device,
    there: device !== undefined && joins ? deviceCommands(meeting) : undefined,
    isOneOfSeveral: several && role === 'send',
  };
}

/** What to do where two devices know each other, whichever command it was that moved something between them. */
const BY_DEVICE: Partial<Record<ErrorCode, Wording>> = {
  'peer-gone': 'start it again when the other machine is there',
  'peer-interrupted': 'start it again',
  stalled: 'check the connection on both sides, then start it again',
  interrupted: 'start it again',
  integrity: 'do not use what is there of it; start it again, and if it happens twice, tell us',
};

/** What to do where a receiver is lost while others may still come: a new code would be none for them. */
const ONE_OF_SEVERAL: Partial<Record<ErrorCode, Wording>> = {
  'peer-gone': 'it may come again with the same code',
  'peer-interrupted': 'it may come again with the same code',
  stalled: 'check the connection on both sides; it may come again with the same code',
};

/** What has to be done before going on makes sense. */
const MENDED_FIRST: Partial<Record<ErrorCode, string>> = {
  'disk-full': 'make space',
  'disk-failed': 'check the disk',
  'permission-denied': 'check whose it is',
  stalled: 'check the connection on both sides',
};

/** Why something was left out or declined, in a few words. */
export function brief(code: ErrorCode): string {
  const { brief: words, sentence } = TEXTS[code];
  return words ?? say(sentence, { subject: '', detail: '', there: '' });
}

function isExplained(text: string): text is ErrorCode {
  return Object.hasOwn(TEXTS, text);
}

function say(wording: Wording, about: About): string {
  return typeof wording === 'string' ? wording : wording(about);
}
