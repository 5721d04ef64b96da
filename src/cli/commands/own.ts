/** Commands about this machine: its network, its settings, its shell. */
import type { DoctorFlags } from '../doctor.js';
import type { NodeFlags } from '../node.js';
import { flag, type CommandSpec } from './spec.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export const OWN: readonly CommandSpec[] = [
  {
    name: 'node',
    does: "run a node of one's own network: where others begin, and a relay for those who need one",
    flags: [
      flag('--host <address>', 'the IPv4 address by which others see this machine'),
      flag('--port <port>', 'the UDP port to be opened in a firewall (usually 49737)'),
      flag('--bootstrap <nodes>', 'other nodes of this network as HOST:PORT, joined by commas'),
      flag(
        '--allow <network>',
        'let only this address or network use the relay, such as 10.0.0.0/8; may be given again',
        { repeats: true },
      ),
      flag('--connections <count>', 'connections to the relay at once (usually 512); a transfer has two'),
      flag('--per-address <count>', 'as many of one address (usually 64)'),
      flag('--quota <size>', 'pass on no more than this from one address in a day (usually 100G)'),
      flag('--no-relay', 'no relay'),
      flag('--print-config', 'print what to type on other machines, and stop'),
      flag('--json', 'write events as lines of JSON'),
      flag('--quiet', 'say only errors'),
    ],
    act: (actions, flags: NodeFlags) => actions.node(flags),
  },
  {
    name: 'doctor',
    does: 'look at this machine and its network, and say what to do',
    flags: [
      flag('--port <port>', 'try to listen at this TCP port too'),
      flag('--json', 'write lines of JSON'),
    ],
    act: (actions, flags: DoctorFlags) => actions.doctor(flags),
  },
  {
    name: 'config',
    does: 'settings that stay',
    commands: [
      { name: 'path', does: 'show where the settings are', act: (actions) => actions.configPath() },
      {
        name: 'get',
        does: 'show the settings, or one of them',
        parameters: [{ term: '[key]' }],
        act: (actions, key: string | undefined) => actions.configGet(key),
      },
      {
        name: 'set',
        does: 'change a setting; without a value remove it',
        parameters: [{ term: '<key>' }, { term: '[values...]' }],
        act: (actions, key: string, words: readonly string[]) => actions.configSet(key, words),
      },
    ],
  },
  {
    name: 'completion',
    does: 'print a script that lets the Tab key of a shell complete xfer commands',
    parameters: [{ term: '<shell>', choices: SHELLS }],
    act: (actions, shell: string) => actions.completion(shell),
  },
];
