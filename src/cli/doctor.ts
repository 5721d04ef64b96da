/** `xfer doctor`: what this machine and its network are like, in words and with what to do. */
import {
  configPath,
  loadConfig,
  proxyOf,
  type Examination,
  type Finding,
  type FindingState,
  type FolderState,
  type NatKind,
} from '../index.js';
import path from 'node:path';
import type { Context } from './context.js';
import { brief } from './explain.js';
import { countOf, formatSize } from './figures.js';
import { meetingOptions } from './meeting-flags.js';
import { show, showJson, widthOf, wrap } from './show.js';
import { programVersion } from './version.js';

/** As commander gives them. */
export interface DoctorFlags {
  readonly json?: boolean;
  readonly port?: string;
}

/** Where a transfer by code would not work from here. */
const NOT_READY = 3;
const INTERRUPTED = 130;

/** Words and not colours: a report is read aloud, and pasted. */
const MARKS: Readonly<Record<FindingState, string>> = {
  fine: 'ok',
  limited: 'note',
  broken: 'BAD',
  off: '-',
};
const MARK_WIDTH = 6;
const NAME_WIDTH = 12;
const INDENT = ' '.repeat(MARK_WIDTH + NAME_WIDTH);

/** Looks at everything and says it. Gives back the exit status: 0 where a transfer would work, 3 where not, 130 after Ctrl-C. */
export async function runDoctor(
  flags: DoctorFlags,
  { library, env, stdout, stderr, signal }: Context,
): Promise<number> {
  const config = await loadConfig(env);
  const port = flags.port === undefined ? {} : { port: flags.port };
  const { bootstrap, relays, lan, lanePort } = meetingOptions(port, config, env, true);
  if (flags.json !== true && stderr.isTTY === true) stderr.write('looking, for ten seconds at most\n');
  const stopped = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
    if (signal.aborted) resolve(undefined);
  });
  const examining = library.examine({
    ...(bootstrap === undefined ? {} : { bootstrap }),
    ...(relays === undefined ? {} : { relays }),
    ...(lan === undefined ? {} : { lan }),
    ...(lanePort === undefined ? {} : { lanePort }),
    version: programVersion(),
    folders: { target: config.out ?? '.', state: path.dirname(configPath(env)) },
    proxy: () => proxyOf(env),
  });
  // Nothing of it has to be put in order.
  const examination = await Promise.race([examining, stopped]);
  if (examination === undefined) return INTERRUPTED;
  const exitCode = examination.isReady ? 0 : NOT_READY;
  if (flags.json === true) writeJson(examination, exitCode, stdout);
  else {
    const width = widthOf(stdout);
    for (const line of linesOf(examination, width)) stdout.write(`${line}\n`);
  }
  return exitCode;
}

function writeJson({ findings, isReady }: Examination, exitCode: number, stdout: Context['stdout']): void {
  for (const finding of findings) {
    const { sentence, hint } = wordsOf(finding);
    stdout.write(`${showJson({ event: 'finding', ...finding, sentence, hint })}\n`);
  }
  stdout.write(`${showJson({ event: 'verdict', ready: isReady, exitCode })}\n`);
}

/** The report for people. */
export function linesOf({ findings, isReady }: Examination, width: number): string[] {
  const lines = findings.flatMap((finding) => {
    const { sentence, hint } = wordsOf(finding);
    const head = MARKS[finding.state].padEnd(MARK_WIDTH) + finding.check.padEnd(NAME_WIDTH);
    const said = indented(sentence, width);
    const advised = hint === undefined ? [] : indented(`hint: ${hint}`, width);
    return [head + said.join(`\n${INDENT}`), ...advised.map((line) => INDENT + line)];
  });
  return [...lines.flatMap((line) => line.split('\n')), ...wrap(verdict(findings, isReady), width)];
}

function indented(text: string, width: number): string[] {
  return wrap(text, Math.max(20, width - INDENT.length));
}

function verdict(findings: readonly Finding[], isReady: boolean): string {
  if (!isReady) return 'a transfer by code would not work from here; --listen and --connect may';
  const hasDht = findings.some(({ check, state }) => check === 'dht' && state === 'fine');
  return hasDht
    ? 'a transfer would work from here'
    : 'a transfer would work from here within the local network, and not beyond';
}

interface Words {
  readonly sentence: string;
  /** What to do next, where something can be done. */
  readonly hint?: string | undefined;
}

const LATE: Words = { sentence: 'no answer in time', hint: 'try again; if it stays so, tell us' };

/** All wording of findings. */
export function wordsOf(finding: Finding): Words {
  if (finding.late === true && finding.check !== 'dht') return LATE;
  switch (finding.check) {
    case 'interfaces':
      return interfaceWords(finding.interfaces);
    case 'dht':
      return dhtWords(finding);
    case 'nat':
      return NAT_WORDS[finding.kind];
    case 'relays':
      return relayWords(finding);
    case 'multicast':
      return multicastWords(finding);
    case 'ports':
      return portWords(finding);
    case 'proxy':
      return proxyWords(finding);
    case 'clock':
      return clockWords(finding);
    case 'disk':
      return diskWords(finding.folders);
    case 'versions':
      return versionWords(finding);
  }
}

type Of<Check extends Finding['check']> = Extract<Finding, { readonly check: Check }>;

const KINDS = { network: '', vpn: ', a VPN', virtual: ', of containers or virtual machines' } as const;

function interfaceWords(interfaces: Of<'interfaces'>['interfaces']): Words {
  if (interfaces.length === 0) {
    return {
      sentence: 'this machine is in no network',
      hint: 'plug in a cable or join a Wi-Fi; two machines with one cable between them are enough',
    };
  }
  const all = interfaces.map(({ name, addresses, kind }) => {
    const [first = '', ...more] = addresses;
    const rest = more.length === 0 ? '' : ` and ${String(more.length)} more`;
    return `${show(name)} (${show(first)}${rest}${KINDS[kind]})`;
  });
  const isTunnelled = interfaces.every(({ kind }) => kind !== 'network');
  return {
    sentence: all.join(', '),
    hint: isTunnelled
      ? 'only a VPN or networks of containers: nothing of the local network is heard'
      : undefined,
  };
}

function dhtWords({ state, bootstrap, afterMs, seenAs }: Of<'dht'>): Words {
  const whose =
    bootstrap === 'public'
      ? 'the public network of peers'
      : `your network of peers (${show(bootstrap.join(', '))})`;
  if (state !== 'fine') {
    const own = 'ask whether its nodes run, and whether a firewall lets UDP to them';
    const open =
      'let UDP out, or use --listen on one side and --connect on the other; on one local network the code alone may do';
    return {
      sentence: `${whose} does not answer over UDP`,
      hint: bootstrap === 'public' ? open : `${own}; else ${open}`,
    };
  }
  const after = ((afterMs ?? 0) / 1000).toFixed(1);
  const seen = seenAs === undefined ? '' : ` and sees you at ${show(seenAs)}`;
  return { sentence: `${whose} answers after ${after} s${seen}` };
}

const NAT_WORDS: Readonly<Record<NatKind, Words>> = {
  none: { sentence: 'none: no router translates your address' },
  consistent: { sentence: 'a router that keeps the port of a connection: others can come through it' },
  random: {
    sentence: 'a router that draws a new port for each connection: two of that kind need a relay, or luck',
    hint: 'open a TCP port on it and name it with --port, or configure a relay: xfer config set relay KEY',
  },
  unknown: { sentence: 'not known: too few peers said how they see you' },
};

function relayWords({ known, answering }: Of<'relays'>): Words {
  if (known === 0)
    return { sentence: 'none is configured; one is needed only between two routers that draw ports' };
  if (answering === known)
    return { sentence: known === 1 ? 'the configured one answers' : `all ${String(known)} answer` };
  return {
    sentence:
      answering === 0
        ? `none of ${countOf(known, 'relay')} answers`
        : `${String(answering)} of ${String(known)} answer`,
    hint: 'compare the keys with what xfer node prints, and see whether it runs',
  };
}

function multicastWords({ state, heardFrom }: Of<'multicast'>): Words {
  if (state === 'off') return { sentence: 'off (XFER_LAN=off): the local network is not asked' };
  if (heardFrom.length === 0) {
    return {
      sentence: 'this machine does not hear itself on the local network',
      hint: 'let UDP port 5353 through its firewall; else --listen on one side and --connect on the other',
    };
  }
  return {
    sentence: `heard on the local network, from ${show(heardFrom.join(', '))}; whether it carries to others, only another machine shows`,
  };
}

function portWords({ port, problem }: Of<'ports'>): Words {
  const which = port === undefined ? 'a free TCP port' : `TCP port ${String(port)}`;
  if (problem === undefined) {
    const more = port === undefined ? '' : '; a firewall and a router have to let it in';
    return { sentence: `${which} can be listened on${more}` };
  }
  return {
    sentence: `${which} cannot be listened on: ${brief(problem)}`,
    hint:
      port === undefined
        ? 'without it only the other side can be dialled'
        : 'choose another one with --port, or end what uses it',
  };
}

function proxyWords({ proxy, problem }: Of<'proxy'>): Words {
  const hint = 'compare HTTPS_PROXY, ALL_PROXY and NO_PROXY with what your network wants';
  if (problem === 'invalid')
    return { sentence: 'the environment names one that is no address of a proxy', hint };
  if (proxy === undefined) return { sentence: 'none' };
  const used = `${show(proxy)}, for --connect only`;
  return problem === undefined ? { sentence: used } : { sentence: `${used}; it cannot be reached`, hint };
}

function clockWords({ nowMs, problem }: Of<'clock'>): Words {
  const now = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
  if (problem === undefined) return { sentence: now };
  return {
    sentence: problem === 'past' ? `${now}: that is long over` : `${now}: it jumps`,
    hint: 'set it; files get wrong times otherwise',
  };
}

function diskWords(folders: readonly FolderState[]): Words {
  const all = folders.map(({ purpose, folder, freeBytes, problem }) => {
    const what = purpose === 'target' ? 'things arrive in' : 'settings are in';
    const free = freeBytes === undefined ? '' : `, ${formatSize(freeBytes)} free`;
    return `${what} ${show(folder)}${free}${problem === 'locked' ? ', where nothing can be written' : ''}`;
  });
  const has = (wanted: FolderState['problem']): boolean => folders.some(({ problem }) => problem === wanted);
  const hint = has('locked')
    ? 'receive into another folder with --out, or set XFER_HOME for the settings'
    : has('full')
      ? 'make space, or receive into another folder with --out'
      : undefined;
  return { sentence: all.join('; '), hint };
}

function versionWords({ state, versions }: Of<'versions'>): Words {
  const { xfer, node, platform, blake3, zstd } = versions;
  const compression = zstd ? 'zstd' : 'brotli (zstd from Node 22.15 on)';
  return {
    sentence: `xfer ${xfer}, Node ${node}, ${platform}, BLAKE3 ${blake3 === 'native' ? 'native' : 'in WebAssembly'}, ${compression}`,
    hint:
      state === 'fine'
        ? undefined
        : 'update Node to 20.19 or newer, and install again with npm ci: WebAssembly is several times slower',
  };
}
