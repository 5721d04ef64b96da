/** Looks at everything that a transfer from this machine depends on, before there is anybody to meet. */
import { randomBytes } from 'node:crypto';
import { access, constants, open, rm, statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ErrorCode } from './errors.js';
import type { Proxy } from './options.js';
import {
  askDht,
  hearMulticast,
  reachProxy,
  surveyInterfaces,
  tryPort,
  type DhtAnswer,
  type NatKind,
  type NetworkInterface,
} from './peer/surroundings.js';

/** `fine`: as it should be. `limited`: it works, but not all of it. `broken`: it does not. `off`: not used. */
export type FindingState = 'fine' | 'limited' | 'broken' | 'off';

export interface FolderState {
  /** Where things are received, or where settings and what is under way are remembered. */
  readonly purpose: 'target' | 'state';
  readonly folder: string;
  readonly freeBytes: number | undefined;
  /** `locked`: nothing can be written there. `full`: little more can. */
  readonly problem?: 'locked' | 'full';
}

/** What one check found. Where it ran out of time, there is `late` and nothing else is known. */
export type Finding = { readonly state: FindingState; readonly late?: true } & (
  | { readonly check: 'interfaces'; readonly interfaces: readonly NetworkInterface[] }
  | {
      readonly check: 'dht';
      /** As `host:port`. */
      readonly bootstrap: readonly string[] | 'public';
      readonly afterMs?: number;
      readonly seenAs?: string;
    }
  | { readonly check: 'nat'; readonly kind: NatKind }
  | { readonly check: 'relays'; readonly known: number; readonly answering: number }
  /** The addresses of this machine from which it heard itself. */
  | { readonly check: 'multicast'; readonly heardFrom: readonly string[] }
  | { readonly check: 'ports'; readonly port: number | undefined; readonly problem?: ErrorCode }
  /** `host:port`, without what it may be told. */
  | {
      readonly check: 'proxy';
      readonly proxy: string | undefined;
      readonly problem?: 'unreachable' | 'invalid';
    }
  | { readonly check: 'clock'; readonly nowMs: number; readonly problem?: 'past' | 'jumping' }
  | { readonly check: 'disk'; readonly folders: readonly FolderState[] }
  | { readonly check: 'versions'; readonly versions: Versions }
);

export interface Versions {
  readonly xfer: string;
  readonly node: string;
  /** Such as `linux x64`. */
  readonly platform: string;
  readonly blake3: 'native' | 'wasm';
  readonly zstd: boolean;
}

export interface Examination {
  readonly findings: readonly Finding[];
  /** Whether a transfer by code would work from here. */
  readonly isReady: boolean;
}

export interface ExamineOptions {
  /** As for a transfer. */
  readonly bootstrap?: readonly string[];
  readonly relays?: readonly string[];
  readonly lan?: boolean;
  readonly lanePort?: number;
  /** Of this program. */
  readonly version: string;
  /** Where things would be received, and where settings are kept. */
  readonly folders: { readonly target: string; readonly state: string };
  /** What the environment names; throws where that is none. */
  readonly proxy: () => Proxy | undefined;
}

export interface FolderLook {
  /** `undefined` where the system does not say. */
  readonly freeBytes: number | undefined;
  readonly isWritable: boolean;
}

/** What is looked at. */
export interface Surroundings {
  interfaces(): readonly NetworkInterface[];
  askDht(bootstrap: readonly string[] | 'public', relays: readonly string[]): Promise<DhtAnswer>;
  hearMulticast(): Promise<readonly string[]>;
  tryPort(port: number): Promise<ErrorCode | undefined>;
  reachProxy(proxy: Proxy): Promise<boolean>;
  lookAtFolder(folder: string): Promise<FolderLook>;
  /** Milliseconds since 1970, as the clock on the wall says. */
  wallMs(): number;
  /** Milliseconds of a clock that only goes forward. */
  steadyMs(): number;
  runtime(): Promise<Omit<Versions, 'xfer'>>;
  /** Rejects once the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<unknown>;
}

/** For each check; they run at once. */
const CHECK_MS = 9_500;
/** No clock of a machine with this program can say less. */
const WRITTEN_MS = Date.UTC(2026, 10, 1);
const CLOCK_MS = 500;
/** By so much the clocks may disagree about how long that was. */
const DRIFT_MS = 250;
/** Less room than this is soon full. */
const LITTLE_BYTES = 100e6;

/** Runs all checks at once, in less than 10 s. Never rejects for what it finds. */
export async function examine(options: ExamineOptions, world: Surroundings = machine): Promise<Examination> {
  const { bootstrap = 'public', relays = [] } = options;
  const dht = world.askDht(bootstrap, relays);
  const lateDht = { check: 'dht', state: 'broken', bootstrap } as const;
  const findings = await Promise.all([
    Promise.resolve(interfacesOf(world)),
    inTime(
      world,
      lateDht,
      dht.then((answer) => reachabilityOf(bootstrap, answer)),
    ),
    inTime(world, { check: 'nat', state: 'limited', kind: 'unknown' }, dht.then(natOf)),
    inTime(
      world,
      { check: 'relays', state: 'limited', known: relays.length, answering: 0 },
      dht.then((answer) => relaysOf(relays, answer)),
    ),
    inTime(world, { check: 'multicast', state: 'limited', heardFrom: [] }, multicastOf(options, world)),
    inTime(world, { check: 'ports', state: 'limited', port: options.lanePort }, portsOf(options, world)),
    inTime(world, { check: 'proxy', state: 'limited', proxy: undefined }, proxyOf(options, world)),
    clockOf(world),
    inTime(world, { check: 'disk', state: 'limited', folders: [] }, diskOf(options, world)),
    versionsOf(options, world),
  ]);
  const isFine = (name: Finding['check']): boolean =>
    findings.some(({ check, state }) => check === name && state === 'fine');
  return { findings, isReady: isFine('dht') || isFine('multicast') };
}

/** Whatever becomes of a check, there is a finding by then. */
async function inTime(world: Surroundings, late: Finding, check: Promise<Finding>): Promise<Finding> {
  const over = new AbortController();
  const tooLate = world.sleep(CHECK_MS, over.signal).then((): Finding => ({ ...late, late: true }));
  tooLate.catch(() => undefined);
  try {
    return await Promise.race([check.catch((): Finding => late), tooLate]);
  } finally {
    over.abort();
  }
}

function interfacesOf(world: Surroundings): Finding {
  const interfaces = world.interfaces();
  return { check: 'interfaces', state: interfaces.length > 0 ? 'fine' : 'broken', interfaces };
}

function reachabilityOf(bootstrap: readonly string[] | 'public', answer: DhtAnswer): Finding {
  const { isReachable, afterMs, seenAs } = answer;
  return {
    check: 'dht',
    state: isReachable ? 'fine' : 'broken',
    bootstrap,
    afterMs: Math.round(afterMs),
    ...(seenAs === undefined ? {} : { seenAs }),
  };
}

function natOf({ nat, isReachable }: DhtAnswer): Finding {
  if (!isReachable) return { check: 'nat', state: 'off', kind: 'unknown' };
  return { check: 'nat', state: nat === 'none' || nat === 'consistent' ? 'fine' : 'limited', kind: nat };
}

function relaysOf(relays: readonly string[], answer: DhtAnswer): Finding {
  const [known, answering] = [relays.length, answer.relays.length];
  const state = known === 0 ? 'off' : answering === 0 ? 'broken' : answering < known ? 'limited' : 'fine';
  return { check: 'relays', state, known, answering };
}

async function multicastOf({ lan }: ExamineOptions, world: Surroundings): Promise<Finding> {
  if (lan !== true) return { check: 'multicast', state: 'off', heardFrom: [] };
  const heardFrom = await world.hearMulticast();
  return { check: 'multicast', state: heardFrom.length > 0 ? 'fine' : 'limited', heardFrom };
}

async function portsOf({ lanePort }: ExamineOptions, world: Surroundings): Promise<Finding> {
  const problem = await world.tryPort(lanePort ?? 0);
  const found = { check: 'ports', port: lanePort } as const;
  return problem === undefined ? { ...found, state: 'fine' } : { ...found, state: 'limited', problem };
}

async function proxyOf(options: ExamineOptions, world: Surroundings): Promise<Finding> {
  let proxy: Proxy | undefined;
  try {
    proxy = options.proxy();
  } catch {
    return { check: 'proxy', state: 'limited', proxy: undefined, problem: 'invalid' };
  }
  if (proxy === undefined) return { check: 'proxy', state: 'off', proxy: undefined };
  const { formatAddress } = await import('./peer/address.js');
  const found = { check: 'proxy', proxy: formatAddress(proxy.host, proxy.port) } as const;
  const isThere = await world.reachProxy(proxy);
  return isThere ? { ...found, state: 'fine' } : { ...found, state: 'limited', problem: 'unreachable' };
}

async function clockOf(world: Surroundings): Promise<Finding> {
  const [wallMs, steadyMs] = [world.wallMs(), world.steadyMs()];
  await world.sleep(CLOCK_MS);
  const nowMs = world.wallMs();
  const driftMs = nowMs - wallMs - (world.steadyMs() - steadyMs);
  const problem = nowMs < WRITTEN_MS ? 'past' : Math.abs(driftMs) > DRIFT_MS ? 'jumping' : undefined;
  const found = { check: 'clock', nowMs } as const;
  return problem === undefined ? { ...found, state: 'fine' } : { ...found, state: 'limited', problem };
}

async function diskOf({ folders }: ExamineOptions, world: Surroundings): Promise<Finding> {
  const looked = await Promise.all(
    (['target', 'state'] as const).map(async (purpose): Promise<FolderState> => {
      const folder = path.resolve(folders[purpose]);
      const { freeBytes, isWritable } = await world.lookAtFolder(folder);
      const isFull = freeBytes !== undefined && freeBytes < LITTLE_BYTES;
      const problem = isWritable ? (isFull ? 'full' : undefined) : 'locked';
      return { purpose, folder, freeBytes, ...(problem === undefined ? {} : { problem }) };
    }),
  );
  const hasProblem = looked.some(({ problem }) => problem !== undefined);
  return { check: 'disk', state: hasProblem ? 'limited' : 'fine', folders: looked };
}

async function versionsOf({ version }: ExamineOptions, world: Surroundings): Promise<Finding> {
  const runtime = await world.runtime();
  const [major = 0, minor = 0] = runtime.node.split('.').map(Number);
  const isOld = major < 20 || (major === 20 && minor < 19);
  const isSlow = runtime.blake3 === 'wasm';
  const versions = { xfer: version, ...runtime };
  return { check: 'versions', state: isOld || isSlow ? 'limited' : 'fine', versions };
}

/** This machine itself. */
const machine: Surroundings = {
  interfaces: () => surveyInterfaces(),
  askDht,
  hearMulticast,
  tryPort,
  reachProxy,
  lookAtFolder,
  wallMs: () => Date.now(),
  steadyMs: () => performance.now(),
  runtime,
  sleep: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }),
};

/** Of a folder that is not there yet, where it would be made. */
async function lookAtFolder(folder: string): Promise<FolderLook> {
  const place = await nearest(path.resolve(folder));
  const space = await statfs(place).catch(() => undefined);
  return {
    freeBytes: space === undefined ? undefined : space.bavail * space.bsize,
    isWritable: await canWrite(place),
  };
}

async function nearest(folder: string): Promise<string> {
  try {
    await access(folder, constants.F_OK);
    return folder;
  } catch {
    const parent = path.dirname(folder);
    return parent === folder ? folder : nearest(parent);
  }
}

/** Rights say less than a try: a file system may be full, or only to be read. */
async function canWrite(folder: string): Promise<boolean> {
  const name = path.join(folder, `.xfer-doctor-${randomBytes(6).toString('hex')}`);
  try {
    await (await open(name, 'wx', 0o600)).close();
    return true;
  } catch {
    return false;
  } finally {
    await rm(name, { force: true }).catch(() => undefined);
  }
}

async function runtime(): Promise<Omit<Versions, 'xfer'>> {
  const [{ SUPPORTED_COMPRESSIONS }] = await Promise.all([
    import('./transfer/compression.js'),
    import('./crypto/digest.js'),
  ]);
  // What the package loaded, since it does not say.
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  const isNative = loaded.some((file) => /blake-hash-[^/\\]+[/\\][^/\\]+\.node$/.test(file));
  return {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    blake3: isNative ? 'native' : 'wasm',
    zstd: SUPPORTED_COMPRESSIONS.has('zstd'),
  };
}
