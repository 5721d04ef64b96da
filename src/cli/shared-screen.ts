/** One screen for several transfers at once: each has its lines marked, and one at a time asks. */
import { cut } from './show.js';
import type { Screen, Status } from './screen.js';

/** More lines than these would fill a small terminal. */
const MOST_LINES = 8;

export interface SharedScreenOptions {
  /** A line for each part, and one for what is drawn while there is none. Otherwise what began first has the only line. */
  readonly lineForEach?: boolean;
}

export class SharedScreen {
  readonly #screen: Screen;
  readonly #lineForEach: boolean;
  /** What goes on, by its part; what began first is drawn. */
  readonly #statuses = new Map<Part, Status>();
  readonly #idle: Status;
  #turn: Promise<unknown> = Promise.resolve();
  /** Whose question is on the screen. */
  #asking: Part | undefined;
  readonly #held: string[] = [];
  #count = 0;

  /** @param idle What is drawn while there is no part. */
  constructor(screen: Screen, idle: Status, { lineForEach = false }: SharedScreenOptions = {}) {
    this.#lineForEach = lineForEach;
    this.#screen = screen;
    this.#idle = idle;
    this.#draw();
  }

  /** The screen as one transfer sees it; `mark` stands before its lines. */
  part(mark: string): Screen {
    return new Part(this.#count++, mark, {
      width: () => this.#screen.width,
      say: (part, line) => {
        const marked = `${part.mark}${line}`;
        if (this.#asking === undefined || this.#asking === part) this.#screen.say(marked);
        else this.#held.push(marked);
      },
      show: (part, status) => {
        if (status === undefined) this.#statuses.delete(part);
        else this.#statuses.set(part, status);
        this.#draw();
      },
      aside: (part, ask) => this.#aside(part, ask),
    });
  }

  /** Something else is to be drawn than before, though no part said so. */
  redraw(): void {
    this.#draw();
  }

  close(): void {
    this.#screen.close();
  }

  /** Questions wait for each other, since there is one keyboard, and what others say waits for their end. */
  #aside<T>(part: Part, ask: () => Promise<T>): Promise<T> {
    const asked = this.#turn.then(async () => {
      this.#asking = part;
      try {
        return await this.#screen.aside(ask);
      } finally {
        this.#asking = undefined;
        for (const line of this.#held.splice(0)) this.#screen.say(line);
      }
    });
    this.#turn = asked.catch(() => undefined);
    return asked;
  }

  #draw(): void {
    if (this.#lineForEach) {
      this.#drawEach();
      return;
    }
    const [[part, status] = []] = this.#statuses;
    if (part === undefined || status === undefined) {
      this.#screen.status(this.#idle);
      return;
    }
    const others = this.#statuses.size - 1;
    const behind = others === 0 ? '' : ` (and ${others} more)`;
    this.#screen.status({
      kind: `${part.mark}${status.kind}`,
      draw: (width) => {
        const room = width - part.mark.length - behind.length;
        return `${part.mark}${status.draw(Math.max(0, room))}${behind}`;
      },
    });
  }

  #drawEach(): void {
    const all = [...this.#statuses].sort(([one], [other]) => one.number - other.number);
    const drawn = all.slice(0, all.length > MOST_LINES ? MOST_LINES - 1 : MOST_LINES);
    const more = all.length - drawn.length;
    const kinds = drawn.map(([part, { kind }]) => `${part.mark}${kind}`);
    this.#screen.status({
      kind: [...kinds, more, this.#idle.kind].join(' '),
      draw: (width) => {
        const lines = drawn.map(
          ([{ mark }, status]) => `${mark}${status.draw(Math.max(0, width - mark.length))}`,
        );
        if (more > 0) lines.push(cut(`and ${more} more`, width));
        lines.push(this.#idle.draw(width));
        return lines.filter((line) => line !== '').join('\n');
      },
    });
  }
}

/** What a part does on the screen of all. */
interface Place {
  /** Columns of the whole screen now. */
  width(): number;
  say(part: Part, line: string): void;
  /** `undefined` when there is nothing to be shown of it any more. */
  show(part: Part, status: Status | undefined): void;
  aside<T>(part: Part, ask: () => Promise<T>): Promise<T>;
}

class Part implements Screen {
  /** Counts the parts as they came. */
  readonly number: number;
  readonly mark: string;
  readonly #place: Place;

  constructor(number: number, mark: string, place: Place) {
    this.number = number;
    this.mark = mark;
    this.#place = place;
  }

  get width(): number {
    return Math.max(1, this.#place.width() - this.mark.length);
  }

  say(line: string): void {
    this.#place.say(this, line);
  }

  status(status: Status): void {
    this.#place.show(this, status);
  }

  aside<T>(ask: () => Promise<T>): Promise<T> {
    return this.#place.aside(this, ask);
  }

  close(): void {
    this.#place.show(this, undefined);
  }
}
