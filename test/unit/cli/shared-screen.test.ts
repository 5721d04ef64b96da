import { describe, expect, test } from 'vitest';
import type { Screen, Status } from '../../../src/cli/screen.js';
import { SharedScreen } from '../../../src/cli/shared-screen.js';

/** Remembers what it was told. */
class FakeScreen implements Screen {
  readonly width = 40;
  readonly lines: string[] = [];
  shown: Status | undefined;

  say(line: string): void {
    this.lines.push(line);
  }

  status(status: Status): void {
    this.shown = status;
  }

  aside<T>(ask: () => Promise<T>): Promise<T> {
    this.lines.push('aside');
    return ask();
  }

  close(): void {
    this.lines.push('closed');
  }

  get drawn(): string {
    return this.shown?.draw(this.width) ?? '';
  }
}

const idle = { kind: 'idle', draw: () => 'waiting' };
const at = (text: string): Status => ({ kind: 'moving', draw: (width) => text.slice(0, width) });

describe('a screen with a line for each', () => {
  const lineForEach = true;

  test('draws them in the order they came, and what is waited for below', () => {
    const screen = new FakeScreen();
    const shared = new SharedScreen(screen, idle, { lineForEach });
    expect(screen.drawn).toBe('waiting');
    const [one, other] = [shared.part('1: '), shared.part('2: ')];
    other.status(at('20 %'));
    one.status(at('10 %'));
    expect(screen.drawn).toBe('1: 10 %\n2: 20 %\nwaiting');
    one.close();
    expect(screen.drawn).toBe('2: 20 %\nwaiting');
  });

  test('fills no small terminal, and no line is wider than it', () => {
    const screen = new FakeScreen();
    const shared = new SharedScreen(screen, idle, { lineForEach });
    for (let number = 1; number <= 8; number++) shared.part(`${number}: `).status(at('x'.repeat(80)));
    expect(screen.drawn.split('\n')).toHaveLength(9);
    for (let number = 9; number <= 30; number++) shared.part(`${number}: `).status(at('x'.repeat(80)));
    const lines = screen.drawn.split('\n');
    expect(lines.slice(-2)).toEqual(['and 23 more', 'waiting']);
    expect(lines).toHaveLength(9);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
  });

  test('draws again what changed though no part said so', () => {
    const screen = new FakeScreen();
    let text = 'waiting for 2';
    const shared = new SharedScreen(screen, { kind: 'idle', draw: () => text }, { lineForEach });
    text = '';
    shared.redraw();
    expect(screen.drawn).toBe('');
  });
});

describe('a screen for several', () => {
  test('marks the lines of each, and leaves room for the mark', () => {
    const screen = new FakeScreen();
    const part = new SharedScreen(screen, idle).part('pi: ');
    part.say('hello');
    expect(screen.lines).toEqual(['pi: hello']);
    expect(part.width).toBe(36);
  });

  test('draws the one that began first, says how many there are besides, and what is when there is none', () => {
    const screen = new FakeScreen();
    const shared = new SharedScreen(screen, idle);
    expect(screen.drawn).toBe('waiting');
    const [one, other] = [shared.part('one: '), shared.part('other: ')];
    one.status(at('10 %'));
    expect(screen.drawn).toBe('one: 10 %');
    other.status(at('70 %'));
    one.status(at('20 %'));
    expect(screen.drawn).toBe('one: 20 % (and 1 more)');
    one.close();
    expect(screen.drawn).toBe('other: 70 %');
    other.close();
    expect(screen.drawn).toBe('waiting');
    expect(screen.lines).toEqual([]);
  });

  test('the kind stays the same while one goes on, whatever others do: a log would be flooded', () => {
    const screen = new FakeScreen();
    const shared = new SharedScreen(screen, idle);
    const [one, other] = [shared.part('one: '), shared.part('other: ')];
    const kinds = new Set<string | undefined>();
    for (let index = 0; index < 5; index++) {
      for (const part of [one, other]) {
        part.status(at(`${index}`));
        kinds.add(screen.shown?.kind);
      }
    }
    expect([...kinds]).toEqual(['one: moving']);
  });

  test('row 57: what is drawn fits, with its mark and what stands behind it', () => {
    const screen = new FakeScreen();
    const shared = new SharedScreen(screen, idle);
    shared.part('raspberrypi: ').status(at('x'.repeat(100)));
    shared.part('other: ').status(at('y'));
    expect(screen.drawn).toHaveLength(screen.width);
    expect(screen.drawn).toMatch(/^raspberrypi: x+ \(and 1 more\)$/);
  });

  test('asks one question at a time, also after one that failed', async () => {
    const shared = new SharedScreen(new FakeScreen(), idle);
    const asked: string[] = [];
    const answers: ((answer: string) => void)[] = [];
    const ask = (name: string) => (): Promise<string> => {
      asked.push(name);
      return new Promise((resolve) => answers.push(resolve));
    };
    const failing = shared.part('a: ').aside(() => Promise.reject(new Error('gone')));
    const first = shared.part('b: ').aside(ask('first'));
    const second = shared.part('c: ').aside(ask('second'));
    await expect(failing).rejects.toThrow('gone');
    await new Promise(setImmediate);
    expect(asked).toEqual(['first']);
    answers[0]?.('yes');
    expect(await first).toBe('yes');
    await new Promise(setImmediate);
    expect(asked).toEqual(['first', 'second']);
    answers[1]?.('no');
    expect(await second).toBe('no');
  });

  test('keeps what others say until a question is answered, and not what belongs to it', async () => {
    const screen = new FakeScreen();
    const shared = new SharedScreen(screen, idle);
    const [asking, other] = [shared.part('a: '), shared.part('b: ')];
    await asking.aside(() => {
      other.say('connected');
      asking.say('offered: 3 files');
      return Promise.resolve();
    });
    other.say('verified');
    expect(screen.lines).toEqual(['aside', 'a: offered: 3 files', 'b: connected', 'b: verified']);
  });

  test('is closed as a whole, and not by one of them', () => {
    const screen = new FakeScreen();
    const shared = new SharedScreen(screen, idle);
    shared.part('one: ').close();
    expect(screen.lines).toEqual([]);
    shared.close();
    expect(screen.lines).toEqual(['closed']);
  });
});
