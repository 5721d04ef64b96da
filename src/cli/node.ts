/** `xfer node` */
import {
  bootstrapNodes,
  loadConfig,
  parseSize,
  relayKeyPath,
  type NodeAddress,
  type NodeEvent,
  type RelayLimits,
} from '../index.js';
import type { Context, OutputFlags } from './context.js';
import { countOf, formatSize } from './figures.js';
import { showJson, widthOf, wrap } from './show.js';
import { usageError } from './usage.js';

/** As commander gives them. */
export interface NodeFlags extends Omit<OutputFlags, 'debug'> {
  readonly host?: string;
  readonly port?: string;
  readonly bootstrap?: string;
  /** False for `--no-relay`. */
  readonly relay?: boolean;
  readonly allow?: readonly string[];
  readonly connections?: string;
  readonly perAddress?: string;
  readonly quota?: string;
  readonly printConfig?: boolean;
}

/** What other nodes of this kind use. */
const USUAL_PORT = 49_737;
const USUAL_CONNECTIONS = 512;
const USUAL_CONNECTIONS_PER_ADDRESS = 64;
const USUAL_QUOTA = 100e9;
const HEALTH_MS = 60_000;

/** Runs a node until Ctrl-C, or prints how others use it. Gives back the exit status. */
export async function runNode(flags: NodeFlags, context: Context): Promise<number> {
  const { library, env, stdout, stderr, signal } = context;
  const given = flags.bootstrap === undefined ? {} : { XFER_BOOTSTRAP: flags.bootstrap };
  const others = bootstrapNodes(await loadConfig(env), { ...env, ...given });
  const place = {
    host: flags.host,
    port: parseNumber(flags.port, USUAL_PORT, '--port', 1, 65_535),
    relay: flags.relay === false ? undefined : relayLimits(flags),
    keyFile: relayKeyPath(env),
  };
  if (flags.printConfig === true) {
    for (const line of settingsFor(await library.nodeAddress(place))) stdout.write(`${line}\n`);
    return 0;
  }
  const say = flags.json === true ? sayJson(context) : sayLines(context, flags.quiet === true);
  await library.runNode({ ...place, others: others ?? [], healthMs: HEALTH_MS, onEvent: say, signal });
  if (flags.json !== true && flags.quiet !== true) stderr.write('the node has stopped\n');
  return 0;
}

function relayLimits(flags: NodeFlags): RelayLimits {
  const { connections, perAddress, quota, allow = [] } = flags;
  return {
    connections: parseNumber(connections, USUAL_CONNECTIONS, '--connections', 2, 65_536),
    connectionsPerAddress: parseNumber(perAddress, USUAL_CONNECTIONS_PER_ADDRESS, '--per-address', 1, 65_536),
    bytesPerAddress: quota === undefined ? USUAL_QUOTA : parseSize(quota),
    allow,
  };
}

function parseNumber(
  text: string | undefined,
  usual: number,
  flag: string,
  from: number,
  to: number,
): number {
  if (text === undefined) return usual;
  const number = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (number >= from && number <= to) return number;
  throw usageError(`'${text}' cannot be used for ${flag}`, `choose a number from ${from} to ${to}`);
}

/** What to type on every other machine. */
function settingsFor({ bootstrap, relay }: NodeAddress): string[] {
  return [
    `xfer config set bootstrap ${bootstrap}`,
    ...(relay === undefined ? [] : [`xfer config set relay ${relay}`]),
  ];
}

function sayJson({ stdout }: Context): (event: NodeEvent) => void {
  return ({ type, ...fields }) => stdout.write(`${showJson({ event: type, ...fields })}\n`);
}

/** For people and for a journal: health only where it is not what it was. */
function sayLines({ stderr }: Context, isQuiet: boolean): (event: NodeEvent) => void {
  if (isQuiet) return () => undefined;
  const say = (text: string): void => {
    for (const line of wrap(text, widthOf(stderr))) stderr.write(`${line}\n`);
  };
  let last = '';
  return (event) => {
    if (event.type === 'node-ready') {
      say(`this is a node of your own network, at ${event.bootstrap} (UDP)`);
      say('on other machines:');
      for (const line of settingsFor(event)) say(`  ${line}`);
      return;
    }
    const line = healthLine(event);
    if (line !== last) say(line);
    last = line;
  };
}

function healthLine({
  nodes,
  connections,
  transfers,
  bytes,
}: Extract<NodeEvent, { type: 'health' }>): string {
  const known = nodes === 0 ? 'no other node' : countOf(nodes, 'other node');
  if (connections === undefined || transfers === undefined || bytes === undefined) return `health: ${known}`;
  const use = `${countOf(connections, 'connection')}, ${countOf(transfers, 'transfer')}, ${formatSize(bytes)} passed on`;
  return `health: ${known}; relay: ${use}`;
}
