/** Commands about other machines and those who sit there. */
import type { ChatFlags } from '../chat.js';
import type { DevicesFlags } from '../devices.js';
import type { PairFlags } from '../pair.js';
import { FINDING, MEETING, NEW_CODE, TO_ADDRESS, WRITING } from './flags.js';
import { codeOf, flag, type CommandSpec } from './spec.js';

export const MACHINES: readonly CommandSpec[] = [
  {
    name: 'pair',
    does: 'let two machines remember each other, so that they need no code from then on',
    parameters: [{ term: '[code...]', does: 'the code that the other machine shows; - reads it' }],
    flags: [
      flag('--name <name>', 'call the other machine this here; usually as it calls itself'),
      flag('--addr <address>', 'remember that it can be reached directly at HOST:PORT'),
      flag('--yes', 'remember it without asking'),
      ...FINDING,
    ],
    act: (actions, words: readonly string[], flags: PairFlags) => actions.pair(codeOf(words), flags),
  },
  {
    name: 'chat',
    does: 'open a room to talk in and show its code, or join one',
    parameters: [{ term: '[code...]', does: 'the code of the room; better typed when asked; - reads it' }],
    flags: [
      flag('--join', 'ask for the code of a room', { conflicts: NEW_CODE }),
      flag('--wait', 'open the room for machines that were paired, in place of a code', {
        conflicts: [...NEW_CODE, 'join', 'to', 'connect', 'expire'],
      }),
      flag('--to <device>', 'join the room of a machine that was paired', {
        conflicts: [...NEW_CODE, 'join', 'listen', 'connect'],
      }),
      TO_ADDRESS,
      flag('--name <name>', 'be called this by the others; usually as this machine is'),
      flag('--commands', 'obey lines that begin with / where they are piped in, too'),
      flag('--out <folder>', 'put files that are accepted into this folder'),
      flag('--allow-dotfiles', 'accept files whose names begin with a dot'),
      ...WRITING,
      ...MEETING,
    ],
    act: (actions, words: readonly string[], flags: ChatFlags) => actions.chat(codeOf(words), flags),
  },
  {
    name: 'devices',
    does: 'list the machines that are remembered, or change what is known of them',
    flags: [flag('--json', 'write lines of JSON')],
    act: (actions, flags: DevicesFlags) => actions.devices(flags),
    commands: [
      {
        name: 'rename',
        does: 'call a device something else',
        parameters: [{ term: '<device>' }, { term: '<name>' }],
        act: (actions, name: string, to: string) => actions.renameDevice(name, to),
      },
      {
        name: 'remove',
        does: 'forget a device; whatever it does just now ends',
        parameters: [{ term: '<device>' }],
        act: (actions, name: string) => actions.removeDevice(name),
      },
      {
        name: 'address',
        does: 'say where a device can be reached directly; without an address forget it',
        parameters: [{ term: '<device>' }, { term: '[address]' }],
        act: (actions, name: string, address: string | undefined) => actions.setAddress(name, address),
      },
    ],
  },
];
