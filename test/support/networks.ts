/** Machines of a test's own, with networks between them and none to anywhere else: network namespaces, which need Linux and root. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { userInfo } from 'node:os';

/** Why this machine can have none; `undefined` where it can. */
export function whyNoNetworks(): string | undefined {
  if (process.platform !== 'linux') return 'needs the network namespaces of Linux';
  if (userInfo().uid !== 0) return 'needs root, for network namespaces';
  return isInstalled('ip') ? undefined : 'needs iproute2';
}

export function isInstalled(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

let made = 0;

/** A machine with a loopback and nothing else. */
export class Machine {
  readonly #name: string;

  constructor(purpose: string) {
    this.#name = `xfer-${process.pid}-${++made}-${purpose}`;
    ip('netns', 'add', this.#name);
    this.ip('link', 'set', 'lo', 'up');
  }

  /** What a program is started below, to run on it. */
  get wrapper(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name];
  }

  ip(...args: readonly string[]): void {
    ip('-n', this.#name, ...args);
  }

  /** Runs a program on it, to its end. */
  run(...command: readonly string[]): string {
    const [program = '', ...args] = [...this.wrapper, ...command];
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** A cable to another machine, as `device` at both ends, with those addresses (`ip/length`). No route leads beyond. */
  cableTo(other: Machine, device: string, here: readonly string[], there: readonly string[]): void {
    const peer = ['type', 'veth', 'peer', 'name', device, 'netns', other.#name];
    ip('link', 'add', 'name', device, 'netns', this.#name, ...peer);
    for (const [machine, addresses] of [
      [this, here],
      [other, there],
    ] as const) {
      for (const address of addresses) machine.ip('addr', 'add', address, 'dev', device, 'nodad');
      // An address can be used at once: nobody else has it.
      machine.run('sh', '-c', `echo 0 > /proc/sys/net/ipv6/conf/${device}/accept_dad`);
      machine.ip('link', 'set', device, 'up');
    }
  }

  /** For cables that come later, too. */
  forgetIpv6(): void {
    this.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6');
    this.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6');
  }

  remove(): void {
    ip('netns', 'del', this.#name);
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

const EAR = `
  const socket = require('node:dgram').createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('message', (message) => console.log(message.toString('hex')));
  socket.bind(5353, () => { socket.addMembership('224.0.0.251', process.argv[1]); console.log('ready'); });
`;

export interface Ear {
  /** Resolves when so many datagrams came. */
  heard(count: number): Promise<void>;
  /** Everything that was multicast since, and stops. */
  end(): Promise<Buffer[]>;
}

/** Listens to what a machine with the address 10.77.0.2 hears of multicast DNS. */
export async function listenIn(machine: Machine): Promise<Ear> {
  const [program, ...args] = [...machine.wrapper, process.execPath, '-e', EAR, '10.77.0.2'];
  const ear = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: ear.stdout });
  const packets: Buffer[] = [];
  await once(lines, 'line');
  lines.on('line', (line) => packets.push(Buffer.from(line, 'hex')));
  return {
    heard: async (count) => {
      while (packets.length < count) await once(lines, 'line');
    },
    end: async () => {
      ear.kill();
      await once(lines, 'close');
      return packets;
    },
  };
}
