/** Flags that several commands have, in the order in which the help shows them. */
import { flag, type FlagSpec } from './spec.js';

/** What only the side with a new code can choose. */
export const NEW_CODE = ['words', 'copy', 'qr'];

/** What is said to a person. */
export const TALK: readonly FlagSpec[] = [
  flag('--quiet', 'say only what is asked for, and errors'),
  flag('--debug', 'say more about what happens; never the code'),
];

const OUTPUT: readonly FlagSpec[] = [flag('--json', 'write events as lines of JSON, ask nothing'), ...TALK];

/** How a session goes on. */
const SESSION: readonly FlagSpec[] = [
  flag(
    '--patience <duration>',
    'look for the other side again for this long where the connection is lost (usually 10m; 0 for not at all)',
  ),
  flag('--limit <rate>', 'let no more than this pass in a second, each way: 500K or 10M bytes, 80Mbit'),
  flag(
    '--lanes <count>',
    'move the bytes over this many TCP connections (lanes), 0 to 8; usually as many as help',
  ),
  flag(
    '--port <port>',
    'wait for lanes at this TCP port, to be opened in a firewall; not for the meeting, as --listen does',
  ),
];

export const SERVING: readonly FlagSpec[] = [...SESSION, ...OUTPUT];

/** How two sides with a code find each other, and what is said of it. */
export const FINDING: readonly FlagSpec[] = [
  flag('--words <count>', 'make a code of this many words, 2 to 16'),
  flag(
    '--expire <duration>',
    'wait no longer than 30s, 10m, 2h or 1d for the other side (usually 1h; where any number may come, until Ctrl-C)',
  ),
  flag('--copy', 'put the code into the clipboard'),
  flag('--qr', 'show the code as a QR code too'),
  flag('--listen [address]', 'wait for a direct connection at [HOST:]PORT (7337 where none is given)'),
  flag('--connect <address>', 'connect directly to HOST:PORT'),
  flag('--local', 'look for each other on the local network only', {
    conflicts: ['listen', 'connect', 'alsoDht'],
  }),
  flag('--also-dht', 'look for each other over the internet too, with --listen or --connect'),
  flag('--verify', 'compare six words with the other person before anything is offered'),
  ...OUTPUT,
];

export const MEETING: readonly FlagSpec[] = [...FINDING, ...SESSION];

/** How to come to the machine that shares a folder. */
export const FAR: readonly FlagSpec[] = [
  ...SESSION,
  flag('--addr <address>', 'reach it at HOST:PORT, and nowhere else unless --also-dht'),
  flag('--expire <duration>', 'look no longer than 30s, 10m, 2h or 1d for it (usually 1h)'),
  flag('--local', 'look for it on the local network only', { conflicts: ['addr', 'alsoDht'] }),
  flag('--also-dht', 'look for it over the internet too, with --addr'),
];

export const USE: readonly FlagSpec[] = [...FAR, ...OUTPUT];

/** Which files go. */
export const FILES: readonly FlagSpec[] = [
  flag('--follow', 'send what symbolic links point to, inside what is sent'),
  flag('--exclude <glob>', 'leave out what matches; may be given again', { repeats: true }),
  flag('--gitignore', 'leave out what .gitignore files name'),
  flag('--portable', 'leave out names that another system could not keep'),
  flag('--no-compress', 'send every byte as it is, also where it would shrink'),
];

const POLICIES = ['overwrite', 'update', 'rename', 'skip'];

function policy(name: string, does: string): FlagSpec {
  return flag(`--${name}`, does, { conflicts: POLICIES.filter((other) => other !== name) });
}

/** What to do where something exists already. */
export const CONFLICTS: readonly FlagSpec[] = [
  policy('overwrite', 'replace files that exist'),
  policy('update', 'as --overwrite, but send only what differs'),
  policy('rename', 'give new names where files exist'),
  policy('skip', 'keep files that exist'),
];

/** How files are written down. */
export const WRITING: readonly FlagSpec[] = [
  flag('--no-exec', 'make nothing executable'),
  flag('--no-sync', 'do not wait until everything is safely on the disk'),
];

export const DOTFILES = flag(
  '--allow-dotfiles',
  'allow names that begin with a dot, and the home folder as target',
);

/** Beside `--to`. */
export const TO_ADDRESS = flag(
  '--addr <address>',
  'with --to: reach it at HOST:PORT, and nowhere else unless --also-dht',
);
