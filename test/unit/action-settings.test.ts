import fc from 'fast-check';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import {
  checkActions,
  fillArguments,
  limitsOf,
  wholePattern,
  type ActionSettings,
} from '../../src/action-settings.js';

const FULL = `
[backup]
program = "/usr/local/bin/backup"
arguments = ["--to={target}", "fixed", "{speed}{target}", "{}", "{ target }"]
devices = ["laptop"]
timeout = "5m"
max-output = "10K"
[backup.parameters]
target = "[a-z]{1,16}"
speed = "[0-9]+"
`;

const wrongWith = (text: string): string | undefined => checkActions(parse(text));
const backup = (rest: string): string => `[backup]\nprogram = "/bin/true"\ndevices = ["laptop"]\n${rest}`;

describe('actions in the settings', () => {
  it('are what devices may have run', () => {
    const actions = parse(FULL) as unknown as Record<string, ActionSettings>;
    expect(checkActions(actions)).toBeUndefined();
    expect(limitsOf(actions['backup']!)).toEqual({ timeoutMs: 300_000, maxBytes: 10_000 });
    expect(fillArguments(actions['backup']!, ['{speed}', '7'])).toEqual([
      '--to={speed}',
      'fixed',
      '7{speed}',
      '{}',
      '{ target }',
    ]);
  });

  it('need no more than a program and a device', () => {
    const actions = parse(backup('')) as unknown as Record<string, ActionSettings>;
    expect(checkActions(actions)).toBeUndefined();
    expect(limitsOf(actions['backup']!)).toEqual({ timeoutMs: 60_000, maxBytes: 2 ** 20 });
    expect(fillArguments(actions['backup']!, [])).toEqual([]);
  });

  it.each([
    ['backup = 1', 'actions.backup must be a table'],
    ['backup = []', 'actions.backup must be a table'],
    ['backup = 1979-05-27', 'actions.backup must be a table'],
    ['[Backup]', 'actions.Backup is called by no name'],
    ['["-x"]', 'actions.-x is called by no name'],
    ['[__proto__]\nprogram = "/bin/true"', 'actions.__proto__ is called by no name'],
    ['[backup]\ndevices = ["laptop"]', 'actions.backup.program must be'],
    ['[backup]\nprogram = "true"\ndevices = ["laptop"]', 'actions.backup.program must be'],
    ['[backup]\nprogram = "./true"\ndevices = ["laptop"]', 'actions.backup.program must be'],
    [
      String.raw`[backup]` + '\nprogram = "/bin/\\u0000true"\ndevices = ["laptop"]',
      'actions.backup.program must be',
    ],
    ['[backup]\nprogram = "/bin/true"', 'actions.backup.devices must be'],
    ['[backup]\nprogram = "/bin/true"\ndevices = []', 'actions.backup.devices must be'],
    ['[backup]\nprogram = "/bin/true"\ndevices = "laptop"', 'actions.backup.devices must be'],
    [backup('arguments = "x"'), 'actions.backup.arguments must be'],
    ['[backup]\nprogram = "/bin/true"\ndevices = ["laptop", 1]', 'actions.backup.devices must be'],
    [backup('arguments = ["x", 1]'), 'actions.backup.arguments must be'],
    [backup('arguments = ["a\\u0000"]'), 'actions.backup.arguments must be'],
    [backup('arguments = ["{target}"]'), 'actions.backup.arguments has {target}, which is no parameter'],
    [backup('shell = true'), "actions.backup knows no 'shell'"],
    [backup('timeout = 60'), 'actions.backup.timeout must be a duration'],
    [backup('timeout = "0s"'), 'actions.backup.timeout must be a duration'],
    [backup('max-output = "much"'), 'actions.backup.max-output must be a size'],
    [backup('max-output = "0"'), 'actions.backup.max-output must be a size'],
    [backup('parameters = ["target"]'), 'actions.backup.parameters must be a table'],
    [backup('arguments = ["{t}"]\nparameters = { t = 1 }'), 'actions.backup.parameters.t must be a pattern'],
    [backup('arguments = ["{t}"]\nparameters = { t = "(" }'), 'actions.backup.parameters.t is no pattern'],
    [
      backup('arguments = ["{t}"]\nparameters = { t = "a)|(b" }'),
      'actions.backup.parameters.t is no pattern',
    ],
    [backup('parameters = { t = "a" }'), 'actions.backup.parameters.t stands in none of the arguments'],
    [
      backup('arguments = ["{T}"]\nparameters = { T = "a" }'),
      'actions.backup.parameters.T is called by no name',
    ],
  ])('row 77: are refused, and the key is named: %j', (text, wrong) => {
    expect(wrongWith(text)).toContain(wrong);
  });

  it('row 77: are no more, have no more and are called no longer than they may', () => {
    const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `a${index}`);
    const many = (count: number): string | undefined =>
      checkActions(
        Object.fromEntries(
          numbered(count).map((name) => [name, { program: '/bin/true', devices: ['laptop'] }]),
        ),
      );
    expect(many(64)).toBeUndefined();
    expect(many(65)).toContain('more than 64');
    const withParameters = (names: readonly string[]): string | undefined => {
      const parameters = names.map((name) => `${name} = "a"`).join(', ');
      const given = names.map((name) => `"{${name}}"`).join(', ');
      return wrongWith(backup(`arguments = [${given}]\nparameters = { ${parameters} }`));
    };
    expect(withParameters(numbered(16))).toBeUndefined();
    expect(withParameters(numbered(17))).toContain('more than 16');
    const withArguments = (count: number): string | undefined =>
      wrongWith(
        backup(
          `arguments = [${numbered(count)
            .map((name) => `"${name}"`)
            .join(', ')}]`,
        ),
      );
    expect(withArguments(256)).toBeUndefined();
    expect(withArguments(257)).toContain('at most 256');
    expect(withParameters(['a'.repeat(32)])).toBeUndefined();
    expect(withParameters(['a'.repeat(33)])).toContain('is called by no name');
  });

  it('row 77: are never a crash, whatever stands there', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (value, inner) => {
        for (const table of [
          value,
          { a: value },
          { a: { program: '/x', devices: ['x'], parameters: inner } },
        ]) {
          const wrong = checkActions(table);
          expect(wrong === undefined || wrong.startsWith('actions')).toBe(true);
        }
      }),
    );
  });
});

describe('a pattern', () => {
  it.each([
    ['a|b', 'a', true],
    ['a|b', 'ab', false],
    ['a|b', 'xb', false],
    ['^a$', 'a', true],
    ['a', 'a\n', false],
    ['.', '😀', true],
    ['', '', true],
    [String.raw`[\w.-]+`, 'a-b.c', true],
  ])('row 73: %j has to match the whole of %j: %s', (pattern, word, isMatch) => {
    expect(wholePattern(pattern).test(word)).toBe(isMatch);
  });
});

describe('what a device says', () => {
  it('row 73: stands where its owner put it and changes nothing else, whatever it is', () => {
    const settings = (parse(FULL) as unknown as Record<string, ActionSettings>)['backup']!;
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (target, speed) => {
        expect(fillArguments(settings, [target, speed])).toEqual([
          `--to=${target}`,
          'fixed',
          `${speed}${target}`,
          '{}',
          '{ target }',
        ]);
      }),
    );
  });
});
