/** How wide a terminal is. */
import type { Output } from './context.js';

/** Columns of a terminal that does not say how many it has. */
export const USUAL_WIDTH = 80;

/** Columns of `output`. One that nobody gave a size, as in containers and below `script`, says that it has 0 of them. */
export function columnsOf({ columns }: { readonly columns?: number | undefined }): number {
  return columns !== undefined && columns > 0 ? columns : USUAL_WIDTH;
}

/** Has `output` itself say it to those that draw on it, however often its size changes. */
export function mendColumns(output: Output): void {
  let said = output.columns;
  Object.defineProperty(output, 'columns', {
    configurable: true,
    enumerable: true,
    get: () => columnsOf({ columns: said }),
    set: (columns: number | undefined) => {
      said = columns;
    },
  });
}
