/** What the owner of a share says at its terminal to those who are in the chat. */
import type { MemberEvent, ShareRooms } from '../index.js';
import { show } from './show.js';
import type { TalkScreen } from './talk-screen.js';

const HELP = [
  'what you type goes to all who are in the chat',
  '/to NAME TEXT  goes to a device that talks with you alone, such as one with an inbox',
  '//…            says a line that begins with /',
  'Ctrl-D         puts the prompt away until somebody else comes; Ctrl-C ends the share',
];
const WELCOME = 'what you type goes to all who are in the chat; /help says more';

export class OwnerTalk {
  readonly #rooms: Pick<ShareRooms, 'say'>;
  readonly #screen: Pick<TalkScreen, 'open' | 'shut'>;
  readonly #say: (text: string) => void;
  #present = 0;
  #isWelcome = true;
  #saying: Promise<void> = Promise.resolve();

  /** @param say Says what goes on to the owner. */
  constructor(
    rooms: Pick<ShareRooms, 'say'>,
    screen: Pick<TalkScreen, 'open' | 'shut'>,
    say: (text: string) => void,
  ) {
    this.#rooms = rooms;
    this.#screen = screen;
    this.#say = say;
  }

  /** There is a prompt while there is somebody to talk to. */
  hear(event: MemberEvent): void {
    if (event.type === 'joined') {
      this.#present += 1;
      const isOpen = this.#screen.open((line) => {
        this.#saying = this.#saying.then(() => this.#obey(line)).catch(() => undefined);
      });
      if (isOpen && this.#isWelcome) {
        this.#isWelcome = false;
        this.#say(WELCOME);
      }
    }
    if (event.type !== 'left') return;
    this.#present -= 1;
    if (this.#present === 0) this.#screen.shut();
  }

  async #obey(line: string): Promise<void> {
    const [, command, rest = ''] = /^\/(\w+)\s*(.*?)\s*$/s.exec(line) ?? [];
    switch (command) {
      case undefined: {
        const text = line.startsWith('//') ? line.slice(1) : line;
        if (text.trim() !== '') await this.#send(text);
        return;
      }
      case 'help':
        for (const one of HELP) this.#say(one);
        return;
      case 'to': {
        const [, name, text] = /^(\S+)\s+(.+)$/s.exec(rest) ?? [];
        if (name === undefined || text === undefined)
          this.#say('/to needs a name and a text: /to phone hello');
        else await this.#send(text, name);
        return;
      }
      default:
        this.#say(`there is no /${show(command)}; /help lists what there is`);
    }
  }

  async #send(text: string, to?: string): Promise<void> {
    switch (await this.#rooms.say(text, to)) {
      case 'said':
        return;
      case 'nobody':
        this.#say(to === undefined ? 'nobody is in the chat' : `${show(to)} is not in the chat`);
        return;
      case 'not-alone':
        this.#say(`not said: ${show(to ?? '')} talks where all others hear it, too; say it without /to`);
    }
  }
}
