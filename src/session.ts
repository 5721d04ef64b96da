/** The story of a transfer: find, trust, offer, move, verify. */
export * from './options.js';
