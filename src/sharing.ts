/** The side of a session that shares a folder. */
import { setMaxListeners } from 'node:events';
import { OwnerCheck } from './crypto/owner.js';
import { loadPairingSodium } from './crypto/sodium.js';
import { toXferError, XferError } from './errors.js';
import { inboxOf } from './files/device-inbox.js';
import { refuse } from './introduction.js';
import { isProtected, loadReceiving, loadSending, whileBusy, type Session } from './moving.js';
import type { Decision, MeetingOptions, OfferSummary, OfferWatch, ShareOptions } from './options.js';
import { withSession, type Meet } from './session.js';
import { answerRequests, placeFor, type Mover, type ShareAccess, type Stopping } from './share/answering.js';
import { ownerPassword } from './share/owner-password.js';
import { tellLast } from './transfer/conduct.js';
import { Exchange, SHARE_WORDS } from './transfer/exchange.js';
import type { Channel, ConflictPolicy } from './transfer/ports.js';

/** What all sessions of a share together let their devices have under way, in bytes. */
const ALL_WINDOWS_BYTES = 1 << 24;

/**
 * Lets a device use a folder, until it goes. One that comes with `xfer send` puts into the folder what it sends, and one with
 * `xfer chat` talks.
 *
 * @throws XferError of the session; what a request fails with goes to `onAction`
 */
export function share(device: string, options: ShareOptions & MeetingOptions, meet: Meet): Promise<void> {
  return withSession('share', options, meet, async () => {
    const [sendOver, receiveOver] = await Promise.all([loadSending(), loadReceiving()]);
    return async (session, peerRole) => {
      const { folder, rights, sessions, actions, onAction, draining, noExec, register, sync } = options;
      const mover: Mover = {
        send: (channel, source) =>
          whileBusy(session, () => sendOver({ ...session, channel }, source, { kind: 'files' })),
        receive: (channel, out, conflicts, dotfiles) =>
          whileBusy(session, () =>
            receiveOver(
              { ...session, channel },
              {
                out,
                noLinks: true,
                noExec,
                register,
                sync,
                early: true,
                decide: (offer, watch) => decideFor(conflicts, dotfiles, offer, watch),
              },
            ),
          ),
      };
      const stopping = stoppingBy(device, session, options);
      const access = {
        folder,
        rights,
        inbox: () => folder.locate(inboxOf(folder, device)),
        mover,
        stopping,
        actions,
        onAction,
      };
      if (draining.aborted) throw await refuse(session.channel, 'interrupted');
      if (peerRole === 'chat') {
        session.watch.pause();
        await talk(device, session, options);
        return;
      }
      if (peerRole === 'send') {
        await takeDropped(session.channel, access);
        return;
      }
      const windowBytes = (): number => ALL_WINDOWS_BYTES / sessions();
      session.watch.pause();
      const exchange = new Exchange(session.channel, SHARE_WORDS, windowBytes);
      const drain = (): void => exchange.interrupt(new XferError('interrupted'));
      // Each session listens to it.
      setMaxListeners(0, draining);
      draining.addEventListener('abort', drain, { once: true });
      try {
        await answerRequests(exchange, access, session.signal);
      } finally {
        draining.removeEventListener('abort', drain);
      }
    };
  });
}

/** Lets a device into the rooms of the share. */
async function talk(
  name: string,
  { channel, signal }: Session,
  { rooms, rights, onTalk }: ShareOptions,
): Promise<void> {
  if (rooms === undefined) throw await refuse(channel, new XferError('not-allowed', { detail: 'chat' }));
  await rooms.join(channel, signal, { name, rights: rights() }, onTalk);
}

/** How a device ends the share, if it knows the password. */
function stoppingBy(
  device: string,
  { ownerBinding }: Session,
  { passwordFile, tries, onStop }: ShareOptions,
): Stopping {
  return {
    challenge: async () => {
      const stored = await ownerPassword(passwordFile);
      if (stored === undefined) throw new XferError('not-allowed', { detail: 'stop' });
      if (!tries.take(device)) throw new XferError('too-many-tries');
      await loadPairingSodium();
      const check = new OwnerCheck(stored.stretched, ownerBinding);
      stored.stretched.erase();
      return {
        salt: stored.salt,
        point: check.point,
        accepts: (proof) => {
          const isRight = check.accepts(proof);
          if (isRight) tries.forget(device);
          return isRight;
        },
      };
    },
    stop: onStop,
  };
}

/** Takes what a device sends that asks for nothing, as if it had put it into the share. */
async function takeDropped(channel: Channel, access: ShareAccess): Promise<void> {
  const { mover, onAction } = access;
  const said = { action: 'put', paths: [''] } as const;
  try {
    const { out, conflicts, dotfiles } = placeFor(access, [], 'refuse');
    onAction({ ...said, moved: await mover.receive(channel, out, conflicts, dotfiles) });
  } catch (thrown) {
    const error = toXferError(thrown);
    onAction({ ...said, problem: error.code });
    await tellLast(channel, error.code);
    throw error;
  }
}

/** Says yes to what is allowed, as soon as that is known. */
function decideFor(
  conflicts: ConflictPolicy,
  dotfiles: boolean,
  offer: OfferSummary,
  watch: OfferWatch,
): Promise<Decision> {
  // Nobody might ever read it.
  if (offer.kind === 'text') return Promise.resolve({ accept: false, reason: 'not-allowed' });
  if (!dotfiles && isProtected(offer)) {
    return Promise.resolve({ accept: false, reason: 'target-protected' });
  }
  if (conflicts !== 'refuse' || offer.isAllNew) return Promise.resolve({ accept: true, conflicts });
  return new Promise((resolve) => {
    const look = ({ complete, conflictCount }: OfferSummary): void => {
      if (conflictCount > 0) resolve({ accept: false, reason: 'target-exists' });
      else if (complete) resolve({ accept: true, conflicts });
    };
    watch.onUpdate(look);
    look(offer);
  });
}
