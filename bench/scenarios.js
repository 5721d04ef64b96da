// @ts-check
/** What is compared: which material, where, and by which programs. */
import { writeLogFile, writeRandomFile, writeTree } from './material.js';
import { farLine, island, loopback, slowLine, whyNoFarLine, whyNoNetworks } from './networks.js';
import { bareHyperdht } from './tools/bare-hyperdht.js';
import { croc } from './tools/croc.js';
import { socat } from './tools/socat.js';
import { rsync, scp } from './tools/ssh.js';
import { magicWormhole, WILLIAMS_RELAY, wormholeWilliam } from './tools/wormhole.js';
import { sizeName } from './statistics.js';

/** @typedef {import('./tools/tool.js').Tool} Tool */
/** @typedef {import('./tools/tool.js').Place} Place */

const MIB = 2 ** 20;
const MB = 1e6;

/**
 * @typedef {object} Material
 * @property {string} name of the file or folder
 * @property {string} title
 * @property {number} bytes about
 * @property {(target: string) => Promise<void>} write
 */

/**
 * @typedef {object} Surroundings
 * @property {import('./tools/xfer.js').Xfer} xfer
 * @property {() => Promise<readonly string[]>} dht nodes of a private DHT, started when first asked for
 * @property {() => readonly Tool[]} others what `otherPrograms` gives
 */

/**
 * @typedef {object} Scenario
 * @property {string} name for `--only`
 * @property {string} title
 * @property {Material} material
 * @property {'sender' | 'receiver'} [clock] see `inTurn`; the sender's if not given
 * @property {number} [lineMbit] of the line, where it is slow
 * @property {() => string | undefined} [why] it cannot run here
 * @property {(surroundings: Surroundings) => Promise<Prepared>} prepare
 */

/**
 * @typedef {object} Prepared
 * @property {Tool[]} tools
 * @property {Place} [place] made for them, to be removed afterwards
 */

/** @param {string} kind @param {number} bytes @param {Material['write']} write @returns {Material} */
function file(kind, bytes, write) {
  const extension = kind === 'random' ? 'bin' : 'log';
  return { name: `${kind}.${extension}`, title: `${sizeName(bytes)} ${kind}`, bytes, write };
}

/** @param {number} bytes */
const randomFile = (bytes) => file('random', bytes, (target) => writeRandomFile(target, bytes));
/** @param {number} bytes */
const logFile = (bytes) => file('log text', bytes, (target) => writeLogFile(target, bytes));

/**
 * @param {boolean} quick with less, only to see that everything works
 * @returns {Scenario[]}
 */
export function scenarios(quick) {
  const large = quick ? 8 * MIB : 1024 * MIB;
  const [files, filesMb] = quick ? [500, 5] : [10_000, 101];
  /** @type {Material} */
  const tree = {
    name: 'tree',
    title: `${files.toLocaleString('en')} files, ${filesMb} MB`,
    bytes: filesMb * MB,
    write: (target) => writeTree(target, files, filesMb * MB),
  };
  return [
    {
      name: 'random',
      title: `${sizeName(large)} random, direct`,
      material: randomFile(large),
      prepare: async (it) => direct(it, [socat(loopback)]),
    },
    {
      name: 'log',
      title: `${sizeName(large)} log text, direct`,
      material: logFile(large),
      prepare: async (it) => direct(it, [uncompressed(it, loopback)]),
    },
    { name: 'files', title: tree.title, material: tree, prepare: async (it) => direct(it, []) },
    {
      name: 'tiny',
      title: '1 KiB file, from the start of the receiver to its exit',
      material: randomFile(1024),
      clock: 'receiver',
      prepare: async (it) => direct(it, []),
    },
    ...[100, 20].flatMap((mbit) => {
      const bytes = (quick ? (mbit === 100 ? 3 : 1) : mbit === 100 ? 200 : 40) * MB;
      return [logFile(bytes), ...(quick ? [] : [randomFile(bytes)])].map((material) =>
        onLine(mbit, material, bytes / MB),
      );
    }),
    far(quick ? 4 : 200),
    {
      name: 'dht',
      title: `${sizeName(large)} random, through the DHT without lanes`,
      material: randomFile(large),
      prepare: async ({ xfer, dht }) => {
        const bootstrap = await dht();
        const name = 'xfer --lanes 0';
        const tools = [
          xfer.tool({ name, place: loopback, flags: ['--lanes', '0'], bootstrap }),
          bareHyperdht(bootstrap),
        ];
        return { tools };
      },
    },
    {
      name: 'lanes',
      title: `${sizeName(large)} random, met through the DHT, with lanes`,
      material: randomFile(large),
      prepare: throughDht,
    },
    {
      name: 'meeting',
      title: '1 KiB file, met through the DHT: what meeting takes',
      material: randomFile(1024),
      prepare: throughDht,
    },
  ];
}

/**
 * The programs that every direct scenario compares with. Their servers start when first needed and run until `close`.
 *
 * @param {string} folder for settings and keys
 */
export function otherPrograms(folder) {
  const why = whyNoNetworks();
  // wormhole-william and croc look for servers on the internet whatever they are told.
  const apart = why === undefined ? island([WILLIAMS_RELAY]) : undefined;
  /** @param {Tool} tool @returns {Tool} */
  const onlyApart = (tool) =>
    apart === undefined && tool.missing === undefined ? { ...tool, missing: why ?? '' } : tool;
  const tools = [
    scp(folder),
    rsync(folder),
    magicWormhole(folder),
    onlyApart(wormholeWilliam(folder, apart ?? loopback)),
    onlyApart(croc(apart ?? loopback)),
  ];
  return {
    tools,
    close() {
      for (const tool of tools) tool.stop?.();
      apart?.remove();
    },
  };
}

/** @param {Surroundings} it @param {readonly Tool[]} more @returns {Prepared} */
function direct({ xfer, others }, more) {
  return {
    tools: [
      xfer.tool({ name: 'xfer', place: loopback }),
      // As the others do, which leave it to the system when what they wrote gets to the disk.
      xfer.tool({ name: 'xfer --no-sync', place: loopback, receiveFlags: ['--no-sync'] }),
      ...more,
      ...others(),
    ],
  };
}

/**
 * For material that shrinks: what compressing costs and gives.
 *
 * @param {Surroundings} it
 * @param {Place} place
 */
function uncompressed({ xfer }, place) {
  return xfer.tool({ name: 'xfer --no-compress', place, sendFlags: ['--no-compress'] });
}

/** @param {Surroundings} it @returns {Promise<Prepared>} */
async function throughDht({ xfer, dht }) {
  const tools = [
    xfer.tool({ name: 'xfer, DHT', place: loopback, bootstrap: await dht() }),
    xfer.tool({ name: 'xfer, direct', place: loopback }),
  ];
  return { tools };
}

/** @param {number} mbit @param {Material} material @param {number} megabytes @returns {Scenario} */
function onLine(mbit, material, megabytes) {
  const kind = material.name === 'random.bin' ? 'random' : 'log';
  const title = `${megabytes} MB ${kind === 'log' ? 'log text' : kind}, line of ${mbit} Mbit/s`;
  return {
    name: `line-${mbit}-${kind}`,
    title,
    material,
    lineMbit: mbit,
    why: whyNoNetworks,
    prepare: async (it) => {
      const place = slowLine(mbit);
      return overLine(it, place, kind === 'log' ? [uncompressed(it, place)] : []);
    },
  };
}

/** @param {number} megabytes @returns {Scenario} */
function far(megabytes) {
  const [mbit, roundTripMs] = [100, 100];
  return {
    name: 'far',
    title: `${megabytes} MB random, line of ${mbit} Mbit/s with a round trip of ${roundTripMs} ms`,
    material: randomFile(megabytes * MB),
    lineMbit: mbit,
    why: whyNoFarLine,
    prepare: async (it) => overLine(it, await farLine(mbit, roundTripMs / 2), []),
  };
}

/** @param {Surroundings} it @param {Place} place @param {readonly Tool[]} more @returns {Prepared} */
function overLine({ xfer }, place, more) {
  return { tools: [xfer.tool({ name: 'xfer', place }), ...more, socat(place)], place };
}
