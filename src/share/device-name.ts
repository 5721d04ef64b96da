/** What devices are called here. Names are local: no other machine hears them, but in a room, where a device has the name that it has at the host. */
import { XferError } from '../errors.js';

const LONGEST = 32;
/** What stands in `pi:docs`, in a path of a shell and in a list, and needs no quotes anywhere. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,31}$/i;
const NAMELESS = 'device';

/**
 * Checks a name that a person chose.
 *
 * @throws XferError `usage`
 */
export function parseDeviceName(text: string): string {
  if (NAME.test(text)) return text;
  throw new XferError('usage', {
    subject: `'${text}' cannot be the name of a device`,
    detail: `take letters from a to z, digits, dots, dashes and underscores, ${LONGEST} at most, such as pi or office-2`,
  });
}

/** Whether two names are one to a person. */
export function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** A name for a machine that calls itself `foreign`, which may be anything, other than those that are taken. */
export function proposeName(foreign: string, taken: readonly string[]): string {
  const plain = foreign
    .normalize('NFKD')
    .replace(/\.(local|lan|home|localdomain)\.?$/i, '')
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9._-]+/gi, '-')
    .replace(/^[._-]+|[._-]+$/g, '')
    .slice(0, LONGEST);
  const base = NAME.test(plain) ? plain : NAMELESS;
  for (let number = 1; ; number += 1) {
    const suffix = number === 1 ? '' : `-${number}`;
    const name = base.slice(0, LONGEST - suffix.length) + suffix;
    if (!taken.some((other) => isSameName(name, other))) return name;
  }
}
