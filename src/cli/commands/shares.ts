/** Commands for sharing a folder, and for working with one that another machine shares. */
import type { MvFlags, RmFlags } from '../far-commands.js';
import type { GetFlags } from '../get.js';
import type { LsFlags } from '../ls.js';
import type { PutFlags } from '../put.js';
import type { RunFlags } from '../run.js';
import type { ServeFlags } from '../serve.js';
import type { UseFlags } from '../use.js';
import { CONFLICTS, DOTFILES, FAR, FILES, SERVING, TALK, USE, WRITING } from './flags.js';
import { flag, type CommandSpec, type FlagSpec } from './spec.js';

/** What a setting says, the command line can take back. */
const OPPOSITES: readonly FlagSpec[] = [
  ...['no-write', 'no-delete', 'no-inbox', 'no-run', 'no-allow-dotfiles', 'chat', 'exec', 'sync'],
  ...['no-listen', 'no-local', 'no-also-dht'],
].map((name) => ({ term: `--${name}`, does: undefined }));

const SETTINGS_HELP = `
Without FOLDER the setting serve.folder is shared. What the flags from --write to
--also-dht say may be settings, too, such as xfer config set serve.write true;
--no-write then says no, --exec yes, and so on.`;

const PLACE = { term: '<place>', does: 'DEVICE:PATH' };
const GLOBBED = { term: '<places...>', does: 'DEVICE:PATH; a glob in quotes' };

export const SHARES: readonly CommandSpec[] = [
  {
    name: 'serve',
    does: 'share a folder with machines that were paired, until Ctrl-C; read-only unless you say more',
    parameters: [{ term: '[folder]' }],
    flags: [
      flag('--set-password', 'set the password with which xfer stop ends the share, and stop'),
      flag('--write', 'let them put files and folders, make folders and give new names'),
      flag('--delete', 'let them remove, and with --write replace, what is there'),
      flag('--inbox', 'let them only drop files, each into a folder of its own, and see nothing'),
      flag('--run', 'let them have those actions run that the settings list for them'),
      flag(
        '--allow <device=rights>',
        'let one device do this instead: read, write, delete, inbox, dotfiles, run, joined by commas, or none; may be given again',
        { repeats: true },
      ),
      flag('--allow-dotfiles', 'let them write names that begin with a dot, which programs may obey'),
      flag('--no-chat', 'do not let them talk with each other and with you'),
      ...WRITING,
      flag('--listen [address]', 'wait for direct connections at [HOST:]PORT (7337 where none is given)'),
      flag('--local', 'be found on the local network only', { conflicts: ['listen', 'alsoDht'] }),
      flag('--also-dht', 'be found over the internet too, with --listen'),
      ...OPPOSITES,
      ...SERVING,
    ],
    // Not said is not the same as yes, where a setting may say no.
    undecided: ['chat', 'exec', 'sync'],
    more: SETTINGS_HELP,
    act: (actions, folder: string | undefined, flags: ServeFlags) => actions.serve(folder, flags),
  },
  {
    name: 'stop',
    does: 'end what another machine shares, for all, with the password of its owner',
    parameters: [{ term: '<device>' }],
    flags: USE,
    act: (actions, name: string, flags: UseFlags) => actions.stop(name, flags),
  },
  {
    name: 'ls',
    does: 'list what another machine shares: xfer ls pi: or pi:docs',
    parameters: [GLOBBED],
    flags: [flag('-l, --long', 'with permissions, bytes and times'), ...USE],
    act: (actions, places: readonly string[], flags: LsFlags) => actions.ls(places, flags),
  },
  {
    name: 'get',
    does: 'fetch files and folders from what another machine shares',
    parameters: [
      { term: '<places...>', does: 'DEVICE:PATH, more of them, and at last a folder of this machine' },
    ],
    flags: [
      flag('--out <path>', 'put it into this folder, or give a single file this name'),
      flag('--stdout', 'write the bytes of a single file to the standard output', {
        conflicts: ['out', 'json'],
      }),
      ...CONFLICTS,
      ...WRITING,
      DOTFILES,
      ...USE,
    ],
    act: (actions, words: readonly string[], flags: GetFlags) => actions.get(words, flags),
  },
  {
    name: 'put',
    does: 'put files and folders into what another machine shares',
    parameters: [{ term: '<paths...>', does: 'files and folders, and at last DEVICE:PATH' }],
    flags: [...CONFLICTS, ...FILES, ...USE],
    act: (actions, words: readonly string[], flags: PutFlags) => actions.put(words, flags),
  },
  {
    name: 'cat',
    does: 'write what a file of another machine holds to the standard output',
    parameters: [PLACE],
    // What the file holds is all that comes: events have no place beside it.
    flags: [...FAR, ...TALK],
    act: (actions, place: string, flags: GetFlags) => actions.cat(place, flags),
  },
  {
    name: 'edit',
    does: 'edit a file of another machine with VISUAL or EDITOR, and put it back when it changed',
    parameters: [PLACE],
    flags: [...FAR, ...TALK],
    act: (actions, place: string, flags: UseFlags) => actions.edit(place, flags),
  },
  {
    name: 'rm',
    does: 'remove files from what another machine shares',
    parameters: [GLOBBED],
    flags: [flag('-r, --recursive', 'folders too, with all that is in them'), ...USE],
    act: (actions, places: readonly string[], flags: RmFlags) => actions.rm(places, flags),
  },
  {
    name: 'mv',
    does: 'move or rename files and folders on the machine that shares them',
    parameters: [
      { term: '<places...>', does: 'DEVICE:PATH, more of them, and at last a folder or a new name there' },
    ],
    flags: [flag('--overwrite', 'replace a file that exists'), ...USE],
    act: (actions, places: readonly string[], flags: MvFlags) => actions.mv(places, flags),
  },
  {
    name: 'mkdir',
    does: 'make folders in what another machine shares',
    parameters: [{ term: '<places...>', does: 'DEVICE:PATH' }],
    flags: USE,
    act: (actions, places: readonly string[], flags: UseFlags) => actions.mkdir(places, flags),
  },
  {
    name: 'run',
    does: 'have an action run that another machine lists for this one; without a name list them',
    parameters: [
      { term: '<device>' },
      { term: '[name]' },
      { term: '[arguments...]', does: 'one for each parameter of the action' },
    ],
    flags: USE,
    // They come to the action as all other words do, which refuses them with a reason.
    takesUnknownFlags: true,
    act: (actions, device: string, name: string | undefined, words: readonly string[], flags: RunFlags) =>
      actions.run([device, ...(name === undefined ? [] : [name]), ...words], flags),
  },
  {
    name: 'shell',
    does: 'work with what another machine shares at a prompt, with a menu for who wants one',
    parameters: [{ term: '<device>' }],
    flags: [...FAR, ...TALK],
    act: (actions, device: string, flags: UseFlags) => actions.shell(device, flags),
  },
];
