/** xfer as a library: `send` and `receive`. */
export * from './session.js';
export { XferError, ERROR_CODES, type ErrorCode } from './errors.js';
