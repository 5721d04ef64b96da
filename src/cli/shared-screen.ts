/** One screen for several transfers at once: each has its lines marked, and one at a time asks. */
import type { Screen, Status } from './screen.js';

export class SharedScreen {
  readonly #screen: Screen;
  /** What goes on, by its part; what began first is drawn. */
  readonly #statuses = new Map<Part, Status>();
  readonly #idle: Status;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param idle What is drawn while there is no part. */
  constructor(screen: Screen, idle: Status) {
    this.#screen = screen;
    this.#idle = idle;
    this.#draw();
  }

  /** The screen as one transfer sees it; `mark` stands before its lines. */
  part(mark: string): Screen {
    const screen = this.#screen;
    const show = (part: Part, status: Status | undefined): void => {
      if (status === undefined) this.#statuses.delete(part);
      else this.#statuses.set(part, status);
      this.#draw();
    };
    return new Part(mark, screen, show, (ask) => this.#aside(ask));
  }

  close(): void {
    this.#screen.close();
  }

  /** Questions wait for each other: there is one keyboard. */
  #aside<T>(ask: () => Promise<T>): Promise<T> {
    const asked = this.#turn.then(() => this.#screen.aside(ask));
    this.#turn = asked.catch(() => undefined);
    return asked;
  }

  #draw(): void {
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
}

class Part implements Screen {
  readonly mark: string;
  readonly #screen: Screen;
  readonly #show: (part: Part, status: Status | undefined) => void;
  readonly #ask: <T>(ask: () => Promise<T>) => Promise<T>;

  constructor(
    mark: string,
    screen: Screen,
    show: (part: Part, status: Status | undefined) => void,
    ask: <T>(ask: () => Promise<T>) => Promise<T>,
  ) {
    this.mark = mark;
    this.#screen = screen;
    this.#show = show;
    this.#ask = ask;
  }

  get width(): number {
    return Math.max(1, this.#screen.width - this.mark.length);
  }

  say(line: string): void {
    this.#screen.say(`${this.mark}${line}`);
  }

  status(status: Status): void {
    this.#show(this, status);
  }

  aside<T>(ask: () => Promise<T>): Promise<T> {
    return this.#ask(ask);
  }

  close(): void {
    this.#show(this, undefined);
  }
}
