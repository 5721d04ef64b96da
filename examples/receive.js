// @ts-check
/** Receives what the owner of a code sends: node examples/receive.js CODE FOLDER */
import { receive, XferError } from 'xfer';

// Nodes of a DHT of your own; the public one where nothing is given.
const bootstrap = process.env['XFER_BOOTSTRAP']?.split(',');
const [, , code = '', out = '.'] = process.argv;
try {
  const outcome = await receive({
    code,
    out,
    ...(bootstrap && { bootstrap }),
    decide: async ({ bytes, conflictCount }) =>
      bytes < 1e9 && conflictCount === 0 ? { accept: true, conflicts: 'refuse' } : { accept: false },
  });
  for (const path of outcome.paths) console.log(path);
} catch (error) {
  if (!(error instanceof XferError)) throw error;
  console.error(`not received: ${error.code}`);
  process.exitCode = 1;
}
