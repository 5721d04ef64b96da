/** What each error means to a person, what to do about it, and its exit status. All wording of errors is here. */
import type { ErrorCode, XferError } from '../index.js';
import { formatSize } from './figures.js';
import { show } from './show.js';

/** 0 is for success alone. */
export type ExitCode = 1 | 2 | 3 | 4 | 70 | 130;

export interface Explanation {
  readonly sentence: string;
  /** What to do next. */
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;
}

/** The parts of an error that a text is made of, already harmless. Empty where the error does not say. */
interface About {
  readonly subject: string;
  readonly detail: string;
}

type Wording = string | ((about: About) => string);

interface Text {
  /** Lower case, no full stop. */
  readonly sentence: Wording;
  readonly advice?: Wording;
  readonly exitCode: ExitCode;
  /** In a few words, behind a path in a list or behind "the other side declined". */
  readonly brief?: string;
}

/** From five words on the topic cannot be known without them. */
const OUT_OF_THE_CROWD =
  'start again with a longer code: strangers do not find one that was made with --words 5, and cannot be in the way';

const TEXTS: Readonly<Record<ErrorCode, Text>> = {
  // What the person asked for cannot be started.
  usage: {
    // With advice the subject is a whole sentence, without it is a value that will not do.
    sentence: ({ subject, detail }) =>
      subject === '' ? 'this cannot be done' : detail === '' ? `'${subject}' cannot be used here` : subject,
    advice: ({ detail }) => detail || 'xfer --help lists what can be done',
    exitCode: 2,
  },
  'bad-code': {
    sentence: 'this is not a code',
    advice: 'a code looks like 417-apple-tiger: a number and words, as the other person sees it',
    exitCode: 2,
  },
  'unknown-word': {
    sentence: ({ subject }) =>
      subject ? `no code has the word '${subject}'` : 'a word is not one of a code',
    advice: ({ detail }) =>
      detail ? `did you mean '${detail}'?` : 'compare it with what the other person sees',
    exitCode: 2,
  },
  'bad-address': {
    sentence: ({ subject }) =>
      subject ? `'${subject}' cannot be used as an address` : 'this is not an address',
    advice: 'write HOST:PORT, such as 192.168.1.5:7337 or [fe80::1]:7337',
    exitCode: 2,
  },
  'config-invalid': {
    sentence: ({ subject, detail }) =>
      join(`the settings${subject ? ` in ${subject}` : ''} are not valid`, detail),
    advice: 'correct the file, or remove it; xfer config path says where it is',
    exitCode: 2,
  },
  'path-missing': {
    sentence: ({ subject }) => `there is no ${subject || 'such path'}`,
    advice: 'check the spelling and the folder you are in',
    exitCode: 2,
    brief: 'not there',
  },
  'path-unreadable': {
    sentence: ({ subject }) => `${subject || 'a file'} cannot be read`,
    advice: 'check who may read it',
    exitCode: 1,
    brief: 'cannot be read',
  },
  'nothing-to-send': {
    sentence: 'there is nothing to send',
    advice: 'name files or folders, or see what --exclude and --gitignore leave with --dry-run',
    exitCode: 2,
  },
  'same-name': {
    sentence: ({ subject }) => `two things to send are called ${subject || 'the same'}`,
    advice: 'send the folder that they are in, or send them one after the other',
    exitCode: 2,
    brief: 'same name as another one',
  },
  'target-exists': {
    sentence: ({ subject }) => `${subject || 'something with this name'} exists already`,
    advice: 'choose --overwrite, --update, --rename or --skip, or another folder with --out',
    exitCode: 2,
    brief: 'exists already',
  },
  'target-protected': {
    sentence: ({ subject }) =>
      subject
        ? `${subject} is a name that other programs may obey`
        : 'this would be put into your home folder, or under a name that begins with a dot',
    advice: 'allow it with --allow-dotfiles, or choose another folder with --out',
    exitCode: 2,
    brief: 'a protected place',
  },
  'no-terminal': {
    sentence: 'there is a question to answer and nobody to ask',
    advice: 'say yes to the offer with --yes',
    exitCode: 2,
    brief: 'nobody there to ask',
  },
  'not-streamable': {
    sentence: 'only a single file, a text or a pipe can go to the standard output',
    advice: 'ask the sender for a single file, or receive without --stdout',
    exitCode: 2,
    brief: 'it takes a single file only',
  },

  // Meeting.
  'no-network': {
    sentence: ({ subject }) =>
      subject === ''
        ? 'the network cannot be reached'
        : 'nothing answers over UDP, which this network may not let through',
    advice: ({ subject }) =>
      subject === ''
        ? 'check the connection; in one local network use --listen on one side and --connect on the other, which need no internet'
        : 'TCP may get through: use --listen on the side that can be reached from the other, and there --connect HOST:PORT',
    exitCode: 3,
  },
  'no-peer': {
    sentence: ({ subject, detail }) => {
      if (detail === 'crowd')
        return 'many others answer under the number of this code, and none of them knows it';
      return subject ? `the device '${subject}' was not found` : 'nobody was found under this code';
    },
    advice: ({ subject, detail }) => {
      if (detail === 'crowd') return OUT_OF_THE_CROWD;
      return subject
        ? 'see whether xfer receive --wait runs there; where it listens at an address, name that with --addr or xfer devices address'
        : 'ask whether the other side still shows it and waits, then try again';
    },
    exitCode: 3,
  },
  'peer-unreachable': {
    sentence: ({ subject }) => `no connection to ${subject || 'the other side'} came about`,
    advice: 'if one of you can be reached from outside, use --listen there and --connect on the other side',
    exitCode: 3,
  },
  'proxy-unreachable': {
    sentence: ({ subject, detail }) => {
      const proxy = `the proxy${subject ? ` ${subject}` : ''}`;
      return detail === 'speech'
        ? `${proxy} does not answer as a proxy of its kind`
        : `${proxy} cannot be reached`;
    },
    advice:
      'compare HTTPS_PROXY and ALL_PROXY with what your network wants: http://, https:// or socks5://; NO_PROXY names what needs none',
    exitCode: 3,
  },
  'proxy-refused': {
    sentence: ({ subject, detail }) =>
      `the proxy${subject ? ` ${subject}` : ''} refuses to connect to ${detail || 'the other side'}`,
    advice:
      'many proxies let nothing but port 443 through: --listen 443 on the other side may do; NO_PROXY names what needs no proxy',
    exitCode: 3,
  },
  'proxy-login': {
    sentence: ({ subject, detail }) => {
      const proxy = `the proxy${subject ? ` ${subject}` : ''}`;
      return detail === 'wrong'
        ? `${proxy} does not accept this user and password`
        : `${proxy} wants a user and a password`;
    },
    advice:
      'put them into HTTPS_PROXY or ALL_PROXY, as in http://user:password@host:port; what is no letter or digit in them as %XX',
    exitCode: 2,
  },
  'port-in-use': {
    sentence: ({ subject }) => `something else listens on ${subject || 'this port'}`,
    advice: 'choose another one, with --listen or --port, or end what uses it',
    exitCode: 2,
  },
  'code-expired': {
    sentence: 'the code has expired',
    advice: 'start again for a new code; --expire 2h makes it last longer',
    exitCode: 4,
  },
  'code-used': {
    sentence: 'the code is used up',
    advice: 'a code works once: ask for a new one, and ask who used this one if it was not you',
    exitCode: 4,
  },
  'code-dead': {
    sentence: ({ detail }) =>
      detail === 'crowd'
        ? 'the code is dead: too many others answer under its number'
        : 'the code is dead: it was guessed wrong too often',
    advice: ({ detail }) =>
      detail === 'crowd'
        ? OUT_OF_THE_CROWD
        : 'start again for a new code; if nobody mistyped it, somebody was guessing, and does not find a code made with --words 5',
    exitCode: 4,
  },
  'wrong-code': {
    sentence: 'the code is wrong',
    advice: 'compare it, word for word, with what the other side shows',
    exitCode: 4,
  },
  'version-unsupported': {
    sentence: 'the other side has a version of xfer that this one does not understand',
    advice: 'update the older one; xfer --version shows which',
    exitCode: 1,
  },
  'role-conflict': {
    sentence: ({ subject }) =>
      subject === '' ? 'both sides want to do the same' : `both sides want to ${subject}`,
    advice: 'one side sends, the other one receives',
    exitCode: 2,
  },
  'not-verified': {
    sentence: 'the words were not confirmed on both sides, so nothing was transferred',
    advice:
      'if they were different, somebody may be in between: start again over another way of telling the code',
    exitCode: 4,
    brief: 'the words were not confirmed',
  },

  // Devices that were paired.
  'device-unknown': {
    sentence: ({ subject }) => (subject ? `no device is called '${subject}'` : 'there is no such device'),
    advice: 'xfer devices lists them, and xfer pair on both machines makes them known to each other',
    exitCode: 2,
  },
  'device-refused': {
    sentence: ({ subject }) =>
      subject
        ? `who answered for '${subject}' does not take this machine for one that it knows`
        : 'the other side does not take this machine for one that it knows',
    advice:
      'pair both again with xfer pair, if this machine was removed there; if it was not, another machine answered in its place',
    exitCode: 4,
    brief: 'it does not know this machine',
  },
  'device-removed': {
    sentence: ({ subject }) => `the device${subject ? ` '${subject}'` : ''} was removed here`,
    advice: 'xfer pair on both machines makes them known to each other again',
    exitCode: 1,
    brief: 'it removed this machine',
  },
  'name-taken': {
    sentence: ({ subject }) =>
      subject ? `a device is called '${subject}' already` : 'a device has this name already',
    advice: 'choose another name, or see xfer devices to rename or remove that one',
    exitCode: 2,
  },

  // Working with a share.
  'peer-busy': {
    sentence: 'the other side has as many sessions as it takes',
    advice: 'end another one, or try again in a while',
    exitCode: 3,
  },
  'no-share': {
    sentence: ({ subject, detail }) =>
      detail === 'here'
        ? 'the other side looks for a shared folder, and none is shared here'
        : `${subject ? `'${subject}'` : 'the other side'} shares no folder just now`,
    advice: ({ detail }) =>
      detail === 'here'
        ? 'xfer serve FOLDER shares one'
        : 'start xfer serve FOLDER there; xfer send --to needs only xfer receive --wait',
    exitCode: 3,
  },
  'not-allowed': {
    sentence: ({ subject, detail }) =>
      `this share does not let you ${detail || 'do that'}${subject ? `: ${subject}` : ''}`,
    advice: 'its owner can allow more: see xfer serve --help',
    exitCode: 1,
  },
  'not-a-folder': {
    sentence: ({ subject }) => `${subject || 'what stands there'} is no folder`,
    advice: 'check the path; xfer ls shows what is there',
    exitCode: 2,
    brief: 'no folder',
  },
  'is-a-folder': {
    sentence: ({ subject }) => `${subject || 'what stands there'} is a folder`,
    advice: 'name a file, or use -r for a folder with all that is in it',
    exitCode: 2,
    brief: 'a folder',
  },
  'wrong-password': {
    sentence: 'the password is wrong',
    advice: 'it is the one that was set with xfer serve --set-password on that machine',
    exitCode: 4,
  },
  'too-many-tries': {
    sentence: 'too many wrong passwords came from this device',
    advice: 'wait a minute',
    exitCode: 3,
  },
  'editor-failed': {
    sentence: ({ subject, detail }) =>
      detail
        ? `the editor ${subject || 'of this machine'} failed (${detail}), so nothing was put back`
        : `the editor ${subject || 'of this machine'} cannot be started`,
    advice: ({ detail }) =>
      detail ? 'try again, or put the edit back with xfer put' : 'name another one in VISUAL or EDITOR',
    exitCode: 1,
  },

  // Having something run by a share.
  'no-action': {
    sentence: ({ subject }) => `there is no ${theAction(subject)} for this device`,
    advice: 'xfer run with the name of the device alone lists those that there are',
    exitCode: 2,
    brief: 'no action for this device',
  },
  'argument-count': {
    sentence: ({ subject, detail }) =>
      `the ${theAction(subject)} takes another number of arguments${detail ? ` than ${detail}` : ''}`,
    advice: 'xfer run with the name of the device alone lists what each action takes',
    exitCode: 2,
    brief: 'another number of arguments',
  },
  'argument-refused': {
    sentence: ({ subject, detail }) =>
      `${subject ? `the argument '${subject}'` : 'an argument'} ${detail || 'is none that this action takes'}`,
    advice: 'the owner of the share says in its settings what an argument may be',
    exitCode: 2,
    brief: 'an argument that it does not take',
  },
  'too-many-runs': {
    sentence: 'the share runs as many actions as it may, for this device or for all',
    advice: 'wait until one of them is done',
    exitCode: 3,
    brief: 'too many at once',
  },
  'action-failed': {
    sentence: ({ subject }) => `the ${theAction(subject)} cannot be started there`,
    advice: 'its owner should look at the program, and start the share again, which says what is wrong',
    exitCode: 1,
    brief: 'it cannot be started',
  },
  'action-timeout': {
    sentence: ({ subject }) => `the ${theAction(subject)} took longer than its owner allows, and was ended`,
    advice: 'the owner of the share can give it more time in its settings',
    exitCode: 1,
    brief: 'it took too long',
  },
  'action-output': {
    sentence: ({ subject }) => `the ${theAction(subject)} wrote more than its owner allows, and was ended`,
    advice: 'the owner of the share can allow more in its settings',
    exitCode: 1,
    brief: 'it wrote too much',
  },

  // During a transfer.
  declined: {
    sentence: ({ subject, detail }) =>
      subject === 'you' ? 'you declined, nothing was received' : join('the other side declined', detail),
    advice: ({ subject }) => (subject === 'you' ? '' : 'ask the other person, then send again'),
    exitCode: 1,
  },
  'dry-run': {
    sentence: 'the other side only had a look (--dry-run), nothing was transferred',
    advice: 'send again for the transfer itself',
    exitCode: 1,
    brief: 'it only had a look (--dry-run)',
  },
  'peer-gone': {
    sentence: 'the other side is gone',
    advice: 'start again on both sides with a new code',
    exitCode: 3,
  },
  'peer-failed': {
    sentence: ({ detail }) => join('the other side stopped because of an error', detail),
    advice: 'its screen says which',
    exitCode: 1,
  },
  'peer-interrupted': {
    sentence: 'the other side was interrupted',
    advice: 'start again on both sides with a new code',
    exitCode: 3,
    brief: 'it was interrupted',
  },
  stalled: {
    sentence: 'nothing came from the other side for too long',
    advice: 'check the connection on both sides, then start again with a new code',
    exitCode: 3,
  },
  'disk-full': {
    sentence: ({ subject }) => `there is not enough space${subject ? ` for ${subject}` : ' on the disk'}`,
    advice: 'make space or choose another disk with --out, then start again',
    exitCode: 3,
    brief: 'the disk is full',
  },
  'disk-failed': {
    sentence: ({ subject }) => `${subject || 'a file'} cannot be written`,
    advice: 'check the disk, or choose another folder with --out',
    exitCode: 1,
    brief: 'cannot be written',
  },
  'permission-denied': {
    sentence: ({ subject }) => `${subject || 'this'} is not allowed to you`,
    advice: 'check whose it is, or choose another place',
    exitCode: 1,
    brief: 'not allowed',
  },
  'output-closed': {
    sentence: ({ detail }) => join('what reads the output went away', goodBytes(detail)),
    advice: 'its own message says why',
    exitCode: 1,
  },
  integrity: {
    sentence: ({ subject, detail }) =>
      join(
        subject ? `${subject} did not arrive as it was sent` : 'what arrived is not what was sent',
        goodBytes(detail),
      ),
    advice: 'do not use what is there of it; start again, and if it happens twice, tell us',
    exitCode: 4,
    brief: 'did not arrive as it was sent',
  },
  protocol: {
    sentence: 'the other side did something that no xfer does',
    advice: 'do not try again with a code that somebody else may know; compare xfer --version on both sides',
    exitCode: 4,
  },
  limit: {
    sentence: ({ subject }) => `${subject || 'this'} is more than xfer takes at once`,
    advice: 'send it in several parts',
    exitCode: 1,
    brief: 'too large',
  },
  incomplete: {
    sentence: ({ subject, detail }) => join(subject || 'not everything arrived', goodBytes(detail)),
    advice: ({ detail }) =>
      detail === ''
        ? 'what is missing is listed, here or at the other side; send it again, and with --update at the receiver nothing else travels'
        : 'do not take it for the whole; start again',
    exitCode: 1,
  },
  interrupted: {
    sentence: 'interrupted, nothing unfinished was kept',
    advice: 'start again on both sides with a new code',
    exitCode: 130,
  },

  // What one entry of a transfer can suffer while the rest goes on.
  'name-refused': {
    sentence: ({ subject }) => `${subject || 'a name'} has a name that cannot be sent or kept`,
    advice: 'rename it at the sender, where --portable finds such names before sending',
    exitCode: 1,
    brief: 'a name that cannot be sent or kept',
  },
  'source-changed': {
    sentence: ({ subject }) => `${subject || 'a file'} changed while it was sent`,
    advice: 'send it again when nothing writes to it',
    exitCode: 1,
    brief: 'changed while it was sent',
  },
  'source-vanished': {
    sentence: ({ subject }) => `${subject || 'a file'} went away while it was sent`,
    advice: 'send again what is left',
    exitCode: 1,
    brief: 'went away while it was sent',
  },
  'target-changed': {
    sentence: ({ subject, detail }) =>
      `${subject || 'a file'} changed ${detail === 'edited' ? 'there while you edited it' : 'here while it was updated'}`,
    advice: ({ detail }) =>
      detail === 'edited'
        ? 'it was left as it is; see what is there now with xfer cat, and put the edit back with xfer put --overwrite'
        : 'it was left as it is; receive it again when nothing else writes to it',
    exitCode: 1,
    brief: 'changed here while it was updated',
  },
  'link-skipped': {
    sentence: ({ subject }) => `${subject || 'this'} is a symbolic link`,
    advice: '--follow sends what links point to, where that lies inside what is sent',
    exitCode: 1,
    brief: 'a symbolic link',
  },
  'special-skipped': {
    sentence: ({ subject }) => `${subject || 'this'} is no file and no folder`,
    advice: 'send its content as a pipe, if it has any',
    exitCode: 1,
    brief: 'no file and no folder',
  },

  internal: {
    sentence: ({ detail }) => join('xfer has a bug', detail),
    advice: 'please report what you did, with the output of the same command with --debug',
    exitCode: 70,
  },
};

/** Text and exit status for an error, safe to print. With a device there is no code to tell again. */
export function explain(
  error: Pick<XferError, 'code' | 'subject' | 'detail'>,
  isByDevice = false,
): Explanation {
  const { sentence, advice: usual, exitCode } = TEXTS[error.code];
  const advice = isByDevice ? (BY_DEVICE[error.code] ?? usual) : usual;
  const detail = error.detail === undefined ? '' : String(error.detail);
  const about = {
    subject: show(error.subject ?? ''),
    // The reason of a decline or a failure over there is an error code too.
    // That it declined because it declined says nothing.
    detail: detail === error.code ? '' : isExplained(detail) ? brief(detail) : show(detail),
  };
  const hint = advice === undefined ? '' : say(advice, about);
  return { sentence: say(sentence, about), hint: hint === '' ? undefined : hint, exitCode };
}

/** As `explain`, where a later transfer can go on with what arrived. */
export function explainKept(
  error: Pick<XferError, 'code' | 'subject' | 'detail'>,
  isByDevice = false,
): Explanation {
  const { sentence, exitCode } = explain(error);
  const first = MENDED_FIRST[error.code];
  const hint = isByDevice
    ? 'send it again, into the same place: it goes on from here'
    : 'start again with a new code and receive into the same place: it goes on from here';
  return {
    sentence: error.code === 'interrupted' ? 'interrupted' : sentence,
    exitCode,
    hint: first === undefined ? hint : `${first}, then ${hint}`,
  };
}

/** What to do where two devices know each other. */
const BY_DEVICE: Partial<Record<ErrorCode, Wording>> = {
  'peer-gone': 'send it again when the other machine is there',
  'peer-interrupted': 'send it again',
  stalled: 'check the connection on both sides, then send it again',
  interrupted: 'send it again',
  integrity: 'do not use what is there of it; send it again, and if it happens twice, tell us',
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
  return words ?? say(sentence, { subject: '', detail: '' });
}

function isExplained(text: string): text is ErrorCode {
  return Object.hasOwn(TEXTS, text);
}

function say(wording: Wording, about: About): string {
  return typeof wording === 'string' ? wording : wording(about);
}

function theAction(name: string): string {
  return name === '' ? 'action' : `action '${name}'`;
}

function join(sentence: string, detail: string): string {
  return detail === '' ? sentence : `${sentence}: ${detail}`;
}

/** How much of a stream can be used, where the error says it in bytes. */
function goodBytes(detail: string): string {
  return /^\d+$/.test(detail) ? `the first ${detail} bytes (${formatSize(Number(detail))}) are good` : detail;
}
