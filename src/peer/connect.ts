/** The door of this layer: two sides that share a code become two ends of a channel. */
export { hostSession, hostSessions, type HostOptions } from './host.js';
export { joinSession, type JoinOptions } from './join.js';
export type { Endpoint } from './address.js';
export type { PairedChannel, PeerEvent, Places, WaysToMeet } from './meeting.js';
export { DEFAULT_PORT } from './direct.js';
export type { Login, Proxy } from './proxy.js';
