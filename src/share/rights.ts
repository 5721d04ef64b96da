/** What a device may do with a share. */
import { XferError } from '../errors.js';

export interface Rights {
  /** List and fetch. */
  readonly read: boolean;
  /** Put new files and folders, make folders, give new names. */
  readonly write: boolean;
  /** Remove, and replace what is there. */
  readonly delete: boolean;
  /** Drop files into a folder of its own, which it cannot look into. */
  readonly inbox: boolean;
  /** Write names that begin with a dot, which programs may obey. */
  readonly dotfiles: boolean;
  /** Have those actions run whose settings name the device. */
  readonly run: boolean;
}

export type Right = keyof Rights;

export const RIGHTS: readonly Right[] = ['read', 'write', 'delete', 'inbox', 'dotfiles', 'run'];

export const NO_RIGHTS: Rights = {
  read: false,
  write: false,
  delete: false,
  inbox: false,
  dotfiles: false,
  run: false,
};

/**
 * Rights as people write them: names joined by commas, or `none`. Throws `usage` for what is no right, and where an inbox comes with rights
 * to the rest: a device that may look into the share may look into all inboxes.
 */
export function parseRights(text: string): Rights {
  const names = text === 'none' ? [] : text.split(',').map((name) => name.trim());
  const rights = { ...NO_RIGHTS };
  for (const name of names) {
    if (!isRight(name)) {
      throw new XferError('usage', {
        subject: `the right '${name}': there are ${RIGHTS.join(', ')} and none`,
      });
    }
    rights[name] = true;
  }
  return checkRights(rights);
}

/** Throws `usage` for rights that do not go together. */
export function checkRights(rights: Rights): Rights {
  const { read, write, inbox } = rights;
  if (inbox && (read || write || rights.delete)) {
    throw new XferError('usage', { subject: 'an inbox beside read, write or delete' });
  }
  return rights;
}

function isRight(name: string): name is Right {
  return (RIGHTS as readonly string[]).includes(name);
}
