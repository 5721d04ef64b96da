// @ts-check
/** Sends files and folders: node examples/send.js PATH… */
import { send } from 'xfer';

// Nodes of a DHT of your own; the public one where nothing is given.
const bootstrap = process.env['XFER_BOOTSTRAP']?.split(',');
const outcome = await send(
  { kind: 'files', paths: process.argv.slice(2) },
  {
    ...(bootstrap && { bootstrap }),
    signal: AbortSignal.timeout(600_000),
    onEvent: (event) => {
      if (event.type === 'code') console.log(event.code);
      if (event.type === 'wrong-guess')
        console.error(`somebody used a wrong code; ${event.left} guesses left`);
    },
  },
);
for (const { path, reason } of outcome.missing)
  console.error(`not sent: ${JSON.stringify(path)} (${reason})`);
console.log(`${outcome.files} files, ${outcome.bytes} bytes, ${outcome.elapsedMs.toFixed(0)} ms`);
