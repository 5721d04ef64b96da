/** Commands that send and receive. */
import type { ReceiveFlags } from '../receive.js';
import type { ResumeFlags } from '../resume.js';
import type { SendFlags } from '../send.js';
import { CONFLICTS, DOTFILES, FILES, MEETING, NEW_CODE, TO_ADDRESS, WRITING } from './flags.js';
import { codeOf, flag, type CommandSpec } from './spec.js';

export const TRANSFERS: readonly CommandSpec[] = [
  {
    name: 'send',
    does: 'offer files, folders, a text or a pipe, and show the code for the other side',
    parameters: [{ term: '[paths...]', does: 'files and folders, or - for the standard input' }],
    flags: [
      flag('--text <text>', 'send a text; - reads it from the standard input'),
      flag('--code <code>', 'join the code that `xfer receive --new` shows; - reads it', {
        conflicts: NEW_CODE,
      }),
      flag('--to <device>', 'send to a machine that was paired, which runs `xfer receive --wait`', {
        conflicts: [...NEW_CODE, 'code', 'listen', 'connect'],
      }),
      flag(
        '--receivers <count>',
        'let this many use the code, or any until Ctrl-C; who broke off may come again',
        { conflicts: ['code', 'to'] },
      ),
      TO_ADDRESS,
      flag('--files-from <file>', 'send the paths in this file, one per line; - reads the standard input'),
      flag('--dry-run', 'list what would be sent, and stop'),
      ...FILES,
      ...MEETING,
    ],
    act: (actions, paths: readonly string[], flags: SendFlags) => actions.send(paths, flags),
  },
  {
    name: 'receive',
    alias: 'recv',
    does: 'take what the other side offers',
    parameters: [
      {
        term: '[code...]',
        does: 'the code; better typed when asked, since a shell remembers its lines; - reads it',
      },
    ],
    flags: [
      flag('--new', 'show a code and wait for `xfer send --code`'),
      flag('--wait', 'take what machines send that were paired, until Ctrl-C', {
        conflicts: [...NEW_CODE, 'new', 'stdout', 'connect', 'expire'],
      }),
      flag('--out <path>', 'put it into this folder, or give a single file this name'),
      flag('--stdout', 'write the bytes of a single file or a pipe to the standard output', {
        conflicts: ['out', 'json'],
      }),
      ...CONFLICTS,
      ...WRITING,
      DOTFILES,
      flag('--only <glob>', 'take only what matches; may be given again', { repeats: true }),
      flag('--dry-run', 'show the offer and decline it'),
      flag('--yes', 'say yes to the offer'),
      ...MEETING,
    ],
    act: (actions, words: readonly string[], flags: ReceiveFlags) => actions.receive(codeOf(words), flags),
  },
  {
    name: 'resume',
    does: 'show what interrupted transfers left, here and where else it is known',
    parameters: [{ term: '[folders...]', does: 'look only into these folders that transfers went to' }],
    flags: [flag('--clean', 'remove it; what arrived whole stays'), flag('--json', 'write lines of JSON')],
    act: (actions, folders: readonly string[], flags: ResumeFlags) => actions.resume(folders, flags),
  },
];
