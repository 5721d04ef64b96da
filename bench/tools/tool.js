// @ts-check
/** What every program that is compared looks like from outside. */

/**
 * One way to move files, with everything it needs on this machine and in a temporary folder.
 *
 * @typedef {object} Tool
 * @property {string} name
 * @property {string} [missing] why it cannot run here
 * @property {() => Promise<void>} [start] servers that run all the time; more than once it does nothing more
 * @property {(source: string, out: string) => Promise<Receiver>} send starts the sender; resolves when a receiver
 *   may be started
 * @property {() => void} [stop]
 */

/**
 * Starts the receiver, and resolves when both sides ended and all of it is in the target folder. A tool of one
 * command, whose other side is a server, has a sender only.
 *
 * @typedef {() => Promise<Sides>} Receiver
 */

/**
 * What the programs took that a person starts; servers are not among them.
 *
 * @typedef {object} Sides
 * @property {import('../measured.js').Usage} sender
 * @property {import('../measured.js').Usage} [receiver]
 */

/**
 * Where a transfer happens.
 *
 * @typedef {object} Place
 * @property {string} address of the sender, as the receiver reaches it
 * @property {readonly string[]} atSender what a command there begins with
 * @property {readonly string[]} atReceiver
 * @property {() => void} remove
 */

export {};
