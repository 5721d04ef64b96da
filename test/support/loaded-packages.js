// @ts-check
/**
 * Loaded before the program (`--import`): writes what is imported to the file that XFER_TEST_IMPORTS names, a line each,
 * and a line that begins with `printed` before the program prints. What packages require among themselves is not seen.
 */
import { appendFileSync } from 'node:fs';
import { register } from 'node:module';

const log = process.env['XFER_TEST_IMPORTS'] ?? '';
const hook = `
  import { appendFileSync } from 'node:fs';
  export async function resolve(specifier, context, next) {
    appendFileSync(${JSON.stringify(log)}, specifier + '\\n');
    return next(specifier, context);
  }`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

process.stdout.write = new Proxy(process.stdout.write.bind(process.stdout), {
  apply(write, _stdout, args) {
    appendFileSync(log, 'printed\n');
    return Reflect.apply(write, undefined, args);
  },
});
