/** `xfer send` */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import {
  devicesPath,
  loadConfig,
  XferError,
  type Content,
  type FilesToSend,
  type Skipped,
} from '../index.js';
import { withCodeExtras } from './code-extras.js';
import { readCode } from './code-input.js';
import type { Context } from './context.js';
import { piecesOf } from './input.js';
import { forDevices, meetingOptions, type MeetingFlags } from './meeting-flags.js';
import { Prompts } from './prompts.js';
import { openReporter, runTransfer } from './transfer.js';
import { usageError } from './usage.js';

/** Which files go, and how; as commander gives them. */
export interface FilesFlags {
  readonly follow?: boolean;
  readonly exclude?: readonly string[];
  readonly gitignore?: boolean;
  readonly portable?: boolean;
  /** False for `--no-compress`. */
  readonly compress?: boolean;
}

/** As commander gives them. */
export interface SendFlags extends MeetingFlags, FilesFlags {
  readonly text?: string;
  readonly code?: string;
  /** The name of a device. */
  readonly to?: string;
  readonly addr?: string;
  readonly filesFrom?: string;
  readonly dryRun?: boolean;
  /** How many, or `any`. */
  readonly receivers?: string;
}

/** Most bytes of a text; more is a file or a pipe. */
const LONGEST_TEXT = 2 ** 20;
/** A list of names that is longer than this is not one. */
const LONGEST_LIST = 2 ** 28;

/** Sends `paths`, a text or a pipe. Gives back the exit status. */
export async function runSend(paths: readonly string[], flags: SendFlags, context: Context): Promise<number> {
  const config = await loadConfig(context.env);
  const prompts = new Prompts(context);
  const content = await contentOf(paths, flags, context);
  if (flags.dryRun === true) return list(content, flags, context);
  const { receivers } = flags;
  if (receivers !== undefined) {
    const { runDistribution } = await import('./distribution.js');
    return runDistribution(content, { ...flags, receivers }, context);
  }
  if (flags.to === undefined && flags.addr !== undefined) {
    throw usageError(
      '--addr is where a device can be reached',
      'name the device with --to, or use --connect',
    );
  }
  const code = flags.code === undefined ? undefined : await readCode(flags.code, context, flags, prompts);
  const isHost = code === undefined && flags.to === undefined;
  const found = flags.addr === undefined ? flags : { ...flags, connect: flags.addr };
  const device = flags.to;
  const settings = device === undefined ? config : forDevices(config);
  const choices = meetingOptions(found, settings, context.env, isHost);
  const meeting = {
    role: 'send' as const,
    joins: !isHost,
    ...choices,
    ...(device === undefined ? {} : { device }),
  };
  return runTransfer(context, prompts, { flags, meeting, code }, ({ reporter, onEvent, compareWords }) =>
    context.library.send(content, {
      ...choices,
      ...(code === undefined ? {} : { code }),
      ...(device === undefined ? {} : { device: { name: device, devices: devicesPath(context.env) } }),
      ...(compareWords === undefined ? {} : { compareWords }),
      onEvent: withCodeExtras(flags, reporter, onEvent),
      signal: context.signal,
    }),
  );
}

async function contentOf(paths: readonly string[], flags: SendFlags, context: Context): Promise<Content> {
  const options = flags.compress === false ? { compress: false } : {};
  const listed = flags.filesFrom === undefined ? [] : await readList(flags.filesFrom, context);
  const all = [...paths, ...listed];
  if (flags.text !== undefined) {
    if (all.length > 0)
      throw usageError('--text cannot be sent together with paths', 'send one after the other');
    const text =
      flags.text === '-'
        ? await readAll(context.stdin, LONGEST_TEXT, 'the text', context.signal)
        : flags.text;
    return { kind: 'text', text, ...options };
  }
  if (paths.includes('-')) {
    if (all.length > 1)
      throw usageError('a pipe (-) cannot be sent together with paths', 'send one after the other');
    if (context.stdin.isTTY === true) {
      throw usageError('nothing is piped in', 'try tar c folder | xfer send -');
    }
    return { kind: 'pipe', input: context.stdin, ...options };
  }
  if (all.length === 0) {
    throw usageError('there is nothing to send', 'name files or folders: xfer send photos/');
  }
  return filesToSend(all, flags);
}

/** These paths, as the flags want them to be sent. */
export function filesToSend(paths: readonly string[], flags: FilesFlags): FilesToSend {
  return {
    kind: 'files',
    paths,
    ...(flags.compress === false ? { compress: false } : {}),
    ...(flags.follow === true ? { follow: true } : {}),
    ...(flags.exclude === undefined ? {} : { exclude: flags.exclude }),
    ...(flags.gitignore === true ? { gitignore: true } : {}),
    ...(flags.portable === true ? { portable: true } : {}),
  };
}

/** Paths of `--files-from`, one per line, or ended by NUL as `find -print0` does. */
async function readList(file: string, { stdin, signal }: Context): Promise<string[]> {
  const input = file === '-' ? stdin : createReadStream(file);
  const text = await readAll(input, LONGEST_LIST, 'the list of files', signal).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new XferError('path-missing', { subject: file });
    if (error instanceof XferError) throw error;
    throw new XferError('path-unreadable', { subject: file, cause: error });
  });
  return text.split(text.includes('\0') ? '\0' : /\r?\n/).filter((path) => path !== '');
}

async function readAll(input: Readable, limit: number, what: string, signal: AbortSignal): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of piecesOf(input, signal)) {
    const bytes = Buffer.from(piece);
    length += bytes.length;
    if (length > limit) throw new XferError('limit', { subject: what });
    pieces.push(bytes);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** `--dry-run`: what would be sent on stdout, what would be left out behind it. */
async function list(content: Content, flags: SendFlags, context: Context): Promise<number> {
  if (content.kind !== 'files') {
    throw usageError('--dry-run lists files, and a text or a pipe has none', 'leave --dry-run out');
  }
  const reporter = openReporter(context, flags, { role: 'send', joins: false });
  const leftOut: Skipped[] = [];
  for await (const { entries, skipped } of context.library.listContent(content)) {
    if (context.signal.aborted) throw new XferError('interrupted');
    for (const { path, type, size } of entries) reporter.listed(path, type === 'folder' ? undefined : size);
    leftOut.push(...skipped);
  }
  reporter.leftOut(leftOut, leftOut.length);
  return 0;
}
