/**
 * The one path check. Names come from the wire, one segment at a time, and are never repaired: a name that no
 * honest sender makes ends the session, one that this system cannot keep leaves its entry out.
 */
import { type ErrorCode, XferError } from '../errors.js';
import { looksLikeStaging } from './staging-name.js';

/** Whose rules for names hold. Every system but Windows and macOS keeps what Linux keeps. */
export type NamePlatform = 'linux' | 'darwin' | 'win32';

export const MAX_NAME_BYTES = 255;
export const MAX_PATH_BYTES = 4096;
export const MAX_DEPTH = 64;

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** What Windows takes for a device, whatever follows the first dot. The superscripts count as digits there. */
const DEVICE = /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[1-9¹²³]) *(?:\.|$)/i;
/** Separators and stream marks of other systems. */
const SEPARATOR = /[:\\]/;
const WINDOWS_RESERVED = /[<>"|?*]/;
const TRAILING_DOT_OR_SPACE = /[. ]$/;

/**
 * Says whether a file or folder on `platform` can have this name. Throws `protocol` for a name that no honest
 * sender makes (docs/protocol.md, section 8, "Names").
 */
export function checkName(name: string, platform: NamePlatform): 'ok' | { readonly refused: ErrorCode } {
  if (isHostile(name)) throw new XferError('protocol', { subject: name });
  if (looksLikeStaging(name)) return { refused: 'name-refused' };
  return platform === 'linux' || isKept(name, platform) ? 'ok' : { refused: 'name-refused' };
}

function isHostile(name: string): boolean {
  return (
    name === '' ||
    name === '.' ||
    name === '..' ||
    name.includes('/') ||
    CONTROL.test(name) ||
    LONE_SURROGATE.test(name) ||
    Buffer.byteLength(name) > MAX_NAME_BYTES
  );
}

function isKept(name: string, platform: 'darwin' | 'win32'): boolean {
  if (SEPARATOR.test(name) || DEVICE.test(name) || TRAILING_DOT_OR_SPACE.test(name)) return false;
  return platform === 'darwin' || !WINDOWS_RESERVED.test(name);
}

/** True where every one of the systems that xfer runs on could keep the name, and no honest sender minds it. */
export function isPortable(name: string): boolean {
  return !isHostile(name) && !looksLikeStaging(name) && isKept(name, 'win32');
}

/**
 * Two names with the same key may be one file on a system that does not tell letters' cases or Unicode forms
 * apart. Rather too many collide than too few.
 */
export function collisionKey(name: string): string {
  // Once more, as the Unicode Standard (3.13, compatibility caseless matching) has it: capitals may come apart.
  return fold(fold(name));
}

function fold(name: string): string {
  return name.normalize('NFKC').toLowerCase().toUpperCase().normalize('NFKC');
}

/** True where names of one folder with the same `collisionKey` may be the same file. */
export function foldsNames(platform: NamePlatform): boolean {
  return platform !== 'linux';
}

/** The rules of the system that this runs on. */
export function thisPlatform(): NamePlatform {
  return process.platform === 'win32' || process.platform === 'darwin' ? process.platform : 'linux';
}
