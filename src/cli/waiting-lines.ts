/** What a side that waits for devices says between their sessions. */
import type { XferEvent } from '../index.js';
import type { Screen } from './screen.js';
import { show, wrap } from './show.js';

export class WaitingLines {
  readonly #screen: Screen;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  event(event: XferEvent): void {
    if (event.type === 'listening') {
      for (const address of event.addresses) this.say(`listening at ${show(address)}`);
    }
    if (event.type === 'dht-unreachable') {
      this.say('the network that helps peers to meet (dht) does not answer over UDP; it is tried again');
    }
  }

  say(text: string): void {
    for (const line of wrap(text, this.#screen.width)) this.#screen.say(line);
  }
}
