/** The command line: commands, flags, help. The only file that knows commander. It starts fast and loads no command. */
import { Argument, Command, CommanderError, Help, Option } from 'commander';
import { columnsOf, USUAL_WIDTH } from './columns.js';
import { MACHINES } from './commands/machines.js';
import { OWN } from './commands/own.js';
import { SHARES } from './commands/shares.js';
import type { Actions, CommandSpec, FlagSpec, ParameterSpec } from './commands/spec.js';
import { TRANSFERS } from './commands/transfers.js';
import type { CommandShape } from './completion.js';
import type { Output } from './context.js';
import { programVersion } from './version.js';

/** Runs the command that `args` (without node and the program) name. Gives back the exit status. */
export async function runProgram(
  args: readonly string[],
  actions: Actions,
  streams: { readonly stdout: Output; readonly stderr: Output },
): Promise<number> {
  let status = 0;
  const finish =
    <T extends unknown[]>(action: (...values: T) => Promise<number>) =>
    async (...values: T): Promise<void> => {
      status = await action(...values);
    };
  const program = buildProgram(actions, finish);
  forEachCommand(program, (command) => {
    command.exitOverride().configureHelp({ formatItem: helpItem, minWidthToWrap: NARROW_WIDTH / 2 });
    command.configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
      getOutHelpWidth: () => columnsOf(streams.stdout),
      getErrHelpWidth: () => columnsOf(streams.stderr),
      // Said by the action, in the words of all other errors.
      outputError: () => undefined,
    });
  });
  if (args.length === 0) {
    streams.stderr.write(program.helpInformation());
    return 2;
  }
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    // A command that has others below it was named alone, and its help is written already.
    if (error.code === 'commander.help') return 2;
    const [sentence = '', more] = error.message.replace(/^error: /, '').split('\n');
    const suggestion = more?.replace(/^\((.*)\)$/, '$1').replace(/^D/, 'd');
    return actions.refuse(sentence, suggestion ?? 'xfer --help and xfer send --help list what there is');
  }
  return status;
}

/** Keeps the status that an action gives. */
type Finish = <T extends unknown[]>(
  action: (...values: T) => Promise<number>,
) => (...values: T) => Promise<void>;

function buildProgram(actions: Actions, finish: Finish): Command {
  const program = new Command('xfer')
    .description(
      'Sends files, folders, text and pipes straight to another machine, encrypted, with a short code.',
    )
    .version(programVersion(), '--version', 'show the version')
    .argument('[words...]')
    .usage('send|receive …')
    .allowUnknownOption()
    .action(finish((words: readonly string[]) => actions.misdirected(words)))
    .addHelpText('after', EXAMPLES);
  // For the scripts of a shell: it needs the others.
  const complete: CommandSpec = {
    name: 'complete',
    does: undefined,
    parameters: [{ term: '[words...]' }],
    act: (_actions, words: readonly string[]) => actions.complete(words, shapeOf(program)),
  };
  for (const spec of [...TRANSFERS, ...MACHINES, ...SHARES, ...OWN, complete]) {
    addCommand(program, spec, actions, finish);
  }
  forEachCommand(program, (command) => command.helpOption('-h, --help', 'show this help').helpCommand(false));
  return program;
}

function addCommand(parent: Command, spec: CommandSpec, actions: Actions, finish: Finish): void {
  const { name, alias, does, parameters = [], flags = [], undecided = [], commands = [], act } = spec;
  const command = parent.command(name, { hidden: does === undefined });
  if (alias !== undefined) command.alias(alias);
  if (does !== undefined) command.description(does);
  for (const parameter of parameters) command.addArgument(argumentOf(parameter));
  for (const flag of flags) command.addOption(optionOf(flag));
  for (const key of undecided) command.setOptionValue(key, undefined);
  if (spec.takesUnknownFlags === true) command.allowUnknownOption();
  if (spec.more !== undefined) command.addHelpText('after', spec.more);
  // commander gives a value for each parameter and then the flags, which is what the action expects.
  if (act !== undefined)
    command.action(finish((...values: unknown[]) => act(actions, ...(values as never[]))));
  for (const child of commands) addCommand(command, child, actions, finish);
}

function argumentOf({ term, does, choices }: ParameterSpec): Argument {
  const argument = new Argument(term, does);
  // The action says what is none of them, in the words of all other errors.
  return choices === undefined ? argument : argument.choices(choices).argParser((value: string) => value);
}

function optionOf({ term, does, conflicts = [], repeats = false }: FlagSpec): Option {
  const option = new Option(term, does).conflicts([...conflicts]).hideHelp(does === undefined);
  return repeats ? option.argParser(collect) : option;
}

const EXAMPLES = `
examples:
  xfer send photos/             shows a code such as 417-apple-tiger
  xfer receive                  asks for the code on the other machine
  xfer pair                     lets two machines remember each other, once
  xfer send photos/ --to pi     sends to one of them, without a code
  xfer send --text 'hello'      sends a line of text
  tar c . | xfer send -         sends a pipe
  xfer receive --stdout | tar x takes it

exit status: 0 everything verified and in place, 1 failed or declined, 2 usage,
3 try again, 4 do not blindly try again, 70 a bug of xfer, 130 interrupted`;

/** Below so many columns what a flag does stands under it: there is no room beside it. */
const NARROW_WIDTH = 60;
const BELOW = ' '.repeat(6);

function helpItem(this: Help, term: string, termWidth: number, description: string, helper: Help): string {
  const width = this.helpWidth ?? USUAL_WIDTH;
  if (width >= NARROW_WIDTH || description === '') {
    return Help.prototype.formatItem.call(this, term, termWidth, description, helper);
  }
  const lines = helper.boxWrap(description, width - BELOW.length).split('\n');
  return [`  ${term}`, ...lines.map((line) => BELOW + line)].join('\n');
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}

/** The command tree as plain data, for completion. */
function shapeOf(command: Command): CommandShape {
  const flags = command.options.map(({ long, required }) => ({ name: long ?? '', takesValue: required }));
  return {
    names: [command.name(), ...command.aliases()],
    flags: [...flags, { name: '--help', takesValue: false }],
    parameters: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      choices: argument.argChoices ?? [],
      repeats: argument.variadic,
    })),
    // Without the hidden ones.
    commands: command.createHelp().visibleCommands(command).map(shapeOf),
  };
}
