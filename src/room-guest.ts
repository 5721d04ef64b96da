/** A guest of a room of this machine. */
import type { MeetingOptions } from './options.js';
import { withSession, type Meet } from './session.js';
import type { Room } from './share/room.js';

/**
 * Lets the peer that `meet` finds into a room, until it is gone. What ends its session concerns nobody else.
 *
 * @param name What it is called, whatever it says, where it is known.
 */
export async function receiveGuest(
  room: Room,
  options: MeetingOptions,
  meet: Meet,
  name?: string,
): Promise<void> {
  try {
    await withSession('chat', options, meet, async () => async ({ channel, watch, signal }) => {
      watch.pause();
      await room.welcome(channel, signal, name);
    });
  } catch {
    // It is said that the guest left, where it was in.
  }
}
