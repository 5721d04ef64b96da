/** An internet of a test's own: a DHT on public addresses, machines with such an address, and machines behind routers that translate theirs. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Machine } from './networks.js';

/** hyperdht finds out what a router does from the answers of several nodes: with fewer than eight it may not. */
const DHT_HOSTS = Array.from({ length: 10 }, (_, index) => `45.0.0.${index + 1}`);
const DHT = path.resolve(import.meta.dirname, 'internet-dht.js');

/** How a router chooses the port that a connection has outside. */
export type Mapping = 'consistent' | 'random';

export interface RouterOptions {
  readonly mapping?: Mapping;
  /** A TCP port that leads to the machine behind it. */
  readonly forward?: number;
  /** Lets nothing but TCP through. */
  readonly dropsUdp?: boolean;
}

/** A machine, and the address by which others see it. */
export interface Place {
  readonly machine: Machine;
  readonly address: string;
}

export class Internet {
  readonly #backbone = new Machine('net');
  readonly #machines: Machine[] = [this.#backbone];
  #dht: ChildProcess | undefined;
  #cables = 0;

  constructor() {
    this.#backbone.ip('link', 'add', 'backbone', 'type', 'bridge');
    for (const host of DHT_HOSTS) this.#backbone.ip('addr', 'add', `${host}/16`, 'dev', 'backbone');
    this.#backbone.ip('link', 'set', 'backbone', 'up');
  }

  /** What a program takes as its bootstrap nodes. */
  get bootstrap(): readonly string[] {
    return DHT_HOSTS.slice(0, 3).map((host) => `${host}:49737`);
  }

  async startDht(): Promise<void> {
    const [program = '', ...args] = [...this.#backbone.wrapper, process.execPath, DHT, ...DHT_HOSTS];
    this.#dht = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(this.#dht.stdout!, 'data');
  }

  /** A machine with a public address. */
  machine(): Place {
    const machine = this.#made('host');
    const address = this.#connect(machine);
    return { machine, address };
  }

  /** A machine behind a router of its own. */
  behindRouter({ mapping = 'consistent', forward, dropsUdp = false }: RouterOptions = {}): Place {
    const router = this.#made('router');
    const address = this.#connect(router);
    const machine = this.#made('inner');
    const subnet = `192.168.${this.#cables}`;
    machine.cableTo(router, 'lan', [`${subnet}.2/24`], [`${subnet}.1/24`]);
    machine.ip('route', 'add', 'default', 'via', `${subnet}.1`);
    router.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
    const to = forward === undefined ? '' : `iifname "wan" tcp dport ${forward} dnat to ${subnet}.2`;
    router.run(
      'nft',
      `table ip nat {
        chain in { type nat hook prerouting priority -100; ${to}; }
        chain out { type nat hook postrouting priority 100; oifname "wan" masquerade ${mapping === 'random' ? 'fully-random' : ''}; }
      }
      table ip filter {
        chain input { type filter hook input priority 0; iifname "wan" ct state new drop; }
        chain forward {
          type filter hook forward priority 0; policy drop;
          ${dropsUdp ? 'meta l4proto udp drop;' : ''}
          ct state established,related accept; iifname "lan" accept; ct status dnat accept;
        }
      }`,
    );
    return { machine, address };
  }

  async remove(): Promise<void> {
    if (this.#dht !== undefined && this.#dht.exitCode === null) {
      this.#dht.kill('SIGKILL');
      await once(this.#dht, 'exit');
    }
    for (const machine of this.#machines.splice(0)) machine.remove();
  }

  #made(name: string): Machine {
    const machine = new Machine(name);
    this.#machines.push(machine);
    return machine;
  }

  #connect(machine: Machine): string {
    const number = ++this.#cables;
    const address = `45.0.1.${number}`;
    machine.cableTo(this.#backbone, `to${number}`, [`${address}/16`], []);
    machine.ip('link', 'set', `to${number}`, 'down');
    machine.ip('link', 'set', `to${number}`, 'name', 'wan');
    machine.ip('link', 'set', 'wan', 'up');
    this.#backbone.ip('link', 'set', `to${number}`, 'master', 'backbone');
    return address;
  }
}
