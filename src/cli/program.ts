/** The command line: commands, flags, help. The only file that knows commander. It starts fast and loads no command. */
import { Argument, Command, CommanderError, Help, Option } from 'commander';
import type { ChatFlags } from './chat.js';
import type { CommandShape } from './completion.js';
import type { Output } from './context.js';
import type { DevicesFlags } from './devices.js';
import type { PairFlags } from './pair.js';
import type { NodeFlags } from './node.js';
import type { DoctorFlags } from './doctor.js';
import type { ReceiveFlags } from './receive.js';
import type { ResumeFlags } from './resume.js';
import type { SendFlags } from './send.js';
import type { MvFlags, RmFlags } from './far-commands.js';
import type { GetFlags } from './get.js';
import type { LsFlags } from './ls.js';
import type { PutFlags } from './put.js';
import type { RunFlags } from './run.js';
import type { ServeFlags } from './serve.js';
import type { UseFlags } from './use.js';
import { programVersion } from './version.js';

/** What the commands do; each gives its exit status. */
export interface Actions {
  send(paths: readonly string[], flags: SendFlags): Promise<number>;
  receive(code: string | undefined, flags: ReceiveFlags): Promise<number>;
  resume(folders: readonly string[], flags: ResumeFlags): Promise<number>;
  pair(code: string | undefined, flags: PairFlags): Promise<number>;
  chat(code: string | undefined, flags: ChatFlags): Promise<number>;
  devices(flags: DevicesFlags): Promise<number>;
  renameDevice(name: string, to: string): Promise<number>;
  removeDevice(name: string): Promise<number>;
  setAddress(name: string, address: string | undefined): Promise<number>;
  node(flags: NodeFlags): Promise<number>;
  doctor(flags: DoctorFlags): Promise<number>;
  stop(name: string, flags: UseFlags): Promise<number>;
  serve(folder: string | undefined, flags: ServeFlags): Promise<number>;
  ls(places: readonly string[], flags: LsFlags): Promise<number>;
  get(words: readonly string[], flags: GetFlags): Promise<number>;
  put(words: readonly string[], flags: PutFlags): Promise<number>;
  cat(place: string, flags: GetFlags): Promise<number>;
  edit(place: string, flags: UseFlags): Promise<number>;
  shell(device: string, flags: UseFlags): Promise<number>;
  rm(places: readonly string[], flags: RmFlags): Promise<number>;
  mv(places: readonly string[], flags: MvFlags): Promise<number>;
  run(words: readonly string[], flags: RunFlags): Promise<number>;
  mkdir(places: readonly string[], flags: UseFlags): Promise<number>;
  configPath(): Promise<number>;
  configGet(key: string | undefined): Promise<number>;
  configSet(key: string, words: readonly string[]): Promise<number>;
  completion(shell: string): Promise<number>;
  /** Prints what the last of `words` may become. */
  complete(words: readonly string[], shape: CommandShape): Promise<number>;
  /** `xfer WORDS`, where the first word is no command. Throws `usage` with a hint at what was meant. */
  misdirected(words: readonly string[]): Promise<number>;
  /** Throws `usage` with what commander found. */
  refuse(sentence: string, hint: string): Promise<never>;
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

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
      getOutHelpWidth: () => streams.stdout.columns ?? USUAL_WIDTH,
      getErrHelpWidth: () => streams.stderr.columns ?? USUAL_WIDTH,
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

  const send = program
    .command('send')
    .description('offer files, folders, a text or a pipe, and show the code for the other side')
    .argument('[paths...]', 'files and folders, or - for the standard input')
    .option('--text <text>', 'send a text; - reads it from the standard input')
    .addOption(
      new Option('--code <code>', 'join the code that `xfer receive --new` shows; - reads it').conflicts(
        NEW_CODE,
      ),
    )
    .addOption(
      new Option(
        '--to <device>',
        'send to a machine that was paired, which runs `xfer receive --wait`',
      ).conflicts([...NEW_CODE, 'code', 'listen', 'connect']),
    )
    .addOption(
      new Option(
        '--receivers <count>',
        'let this many use the code, or any until Ctrl-C; who broke off may come again',
      ).conflicts(['code', 'to']),
    )
    .option('--addr <address>', 'with --to: reach it at HOST:PORT, and nowhere else unless --also-dht')
    .option('--files-from <file>', 'send the paths in this file, one per line; - reads the standard input')
    .option('--dry-run', 'list what would be sent, and stop');
  withMeeting(withFiles(send)).action(
    finish((paths: readonly string[], flags: SendFlags) => actions.send(paths, flags)),
  );

  const receive = program
    .command('receive')
    .alias('recv')
    .description('take what the other side offers')
    .argument('[code...]', 'the code; better typed when asked, since a shell remembers its lines; - reads it')
    .option('--new', 'show a code and wait for `xfer send --code`')
    .addOption(
      new Option('--wait', 'take what machines send that were paired, until Ctrl-C').conflicts([
        ...NEW_CODE,
        'new',
        'stdout',
        'connect',
        'expire',
      ]),
    )
    .addOption(new Option('--out <path>', 'put it into this folder, or give a single file this name'))
    .addOption(
      new Option('--stdout', 'write the bytes of a single file or a pipe to the standard output').conflicts([
        'out',
        'json',
      ]),
    );
  withConflicts(receive)
    .option('--no-exec', 'make nothing executable')
    .option('--no-sync', 'do not wait until everything is safely on the disk')
    .option('--allow-dotfiles', 'allow names that begin with a dot, and the home folder as target')
    .option('--only <glob>', 'take only what matches; may be given again', collect)
    .option('--dry-run', 'show the offer and decline it')
    .option('--yes', 'say yes to the offer');
  withMeeting(receive).action(
    // A code may be read out and typed with spaces.
    finish((words: readonly string[], flags: ReceiveFlags) =>
      actions.receive(words.length === 0 ? undefined : words.join(' '), flags),
    ),
  );

  program
    .command('resume')
    .description('show what interrupted transfers left, here and where else it is known')
    .argument('[folders...]', 'look only into these folders that transfers went to')
    .option('--clean', 'remove it; what arrived whole stays')
    .option('--json', 'write lines of JSON')
    .action(finish((folders: readonly string[], flags: ResumeFlags) => actions.resume(folders, flags)));

  const pair = program
    .command('pair')
    .description('let two machines remember each other, so that they need no code from then on')
    .argument('[code...]', 'the code that the other machine shows; - reads it')
    .option('--name <name>', 'call the other machine this here; usually as it calls itself')
    .option('--addr <address>', 'remember that it can be reached directly at HOST:PORT')
    .option('--yes', 'remember it without asking');
  withFinding(pair).action(
    finish((words: readonly string[], flags: PairFlags) =>
      actions.pair(words.length === 0 ? undefined : words.join(' '), flags),
    ),
  );

  const chat = program
    .command('chat')
    .description('open a room to talk in and show its code, or join one')
    .argument('[code...]', 'the code of the room; better typed when asked; - reads it')
    .addOption(new Option('--join', 'ask for the code of a room').conflicts(NEW_CODE))
    .addOption(
      new Option('--wait', 'open the room for machines that were paired, in place of a code').conflicts([
        ...NEW_CODE,
        'join',
        'to',
        'connect',
        'expire',
      ]),
    )
    .addOption(
      new Option('--to <device>', 'join the room of a machine that was paired').conflicts([
        ...NEW_CODE,
        'join',
        'listen',
        'connect',
      ]),
    )
    .option('--addr <address>', 'with --to: reach it at HOST:PORT, and nowhere else unless --also-dht')
    .option('--name <name>', 'be called this by the others; usually as this machine is')
    .option('--out <folder>', 'put files that are accepted into this folder')
    .option('--allow-dotfiles', 'accept files whose names begin with a dot')
    .option('--no-exec', 'make nothing executable')
    .option('--no-sync', 'do not wait until everything is safely on the disk');
  withMeeting(chat).action(
    finish((words: readonly string[], flags: ChatFlags) =>
      actions.chat(words.length === 0 ? undefined : words.join(' '), flags),
    ),
  );

  const devices = program
    .command('devices')
    .description('list the machines that are remembered, or change what is known of them')
    .option('--json', 'write lines of JSON')
    .action(finish((flags: DevicesFlags) => actions.devices(flags)));
  devices
    .command('rename')
    .description('call a device something else')
    .argument('<device>')
    .argument('<name>')
    .action(finish((name: string, to: string) => actions.renameDevice(name, to)));
  devices
    .command('remove')
    .description('forget a device; whatever it does just now ends')
    .argument('<device>')
    .action(finish((name: string) => actions.removeDevice(name)));
  devices
    .command('address')
    .description('say where a device can be reached directly; without an address forget it')
    .argument('<device>')
    .argument('[address]')
    .action(finish((name: string, address?: string) => actions.setAddress(name, address)));
  addShareCommands(program, actions, finish);

  program
    .command('node')
    .description("run a node of one's own network: where others begin, and a relay for those who need one")
    .option('--host <address>', 'the IPv4 address by which others see this machine')
    .option('--port <port>', 'the UDP port to be opened in a firewall (usually 49737)')
    .option('--bootstrap <nodes>', 'other nodes of this network as HOST:PORT, joined by commas')
    .option(
      '--allow <network>',
      'let only this address or network use the relay, such as 10.0.0.0/8; may be given again',
      collect,
    )
    .option('--connections <count>', 'connections to the relay at once (usually 512); a transfer has two')
    .option('--per-address <count>', 'as many of one address (usually 64)')
    .option('--quota <size>', 'pass on no more than this from one address in a day (usually 100G)')
    .option('--no-relay', 'no relay')
    .option('--print-config', 'print what to type on other machines, and stop')
    .option('--json', 'write events as lines of JSON')
    .option('--quiet', 'say only errors')
    .action(finish((flags: NodeFlags) => actions.node(flags)));

  program
    .command('doctor')
    .description('look at this machine and its network, and say what to do')
    .option('--port <port>', 'try to listen at this TCP port too')
    .option('--json', 'write lines of JSON')
    .action(finish((flags: DoctorFlags) => actions.doctor(flags)));

  const config = program.command('config').description('settings that stay');
  config
    .command('path')
    .description('show where the settings are')
    .action(finish(() => actions.configPath()));
  config
    .command('get')
    .description('show the settings, or one of them')
    .argument('[key]')
    .action(finish((key: string | undefined) => actions.configGet(key)));
  config
    .command('set')
    .description('change a setting; without a value remove it')
    .argument('<key>')
    .argument('[values...]')
    .action(finish((key: string, words: readonly string[]) => actions.configSet(key, words)));

  // The action says which shells there are, in the words of all other errors.
  program
    .command('completion')
    .description('print a script that lets the Tab key of a shell complete xfer commands')
    .addArgument(new Argument('<shell>').choices(SHELLS).argParser((shell: string) => shell))
    .action(finish((shell: string) => actions.completion(shell)));
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action(finish((words: readonly string[]) => actions.complete(words, shapeOf(program))));

  forEachCommand(program, (command) => command.helpOption('-h, --help', 'show this help').helpCommand(false));
  return program;
}

/** Sharing a folder, and working with one that another machine shares. */
function addShareCommands(program: Command, actions: Actions, finish: Finish): void {
  const serve = program
    .command('serve')
    .description('share a folder with machines that were paired, until Ctrl-C; read-only unless you say more')
    .argument('[folder]')
    .option('--set-password', 'set the password with which xfer stop ends the share, and stop')
    .option('--write', 'let them put files and folders, make folders and give new names')
    .option('--delete', 'let them remove, and with --write replace, what is there')
    .option('--inbox', 'let them only drop files, each into a folder of its own, and see nothing')
    .option('--run', 'let them have those actions run that the settings list for them')
    .option(
      '--allow <device=rights>',
      'let one device do this instead: read, write, delete, inbox, dotfiles, run, joined by commas, or none; may be given again',
      collect,
    )
    .option('--allow-dotfiles', 'let them write names that begin with a dot, which programs may obey')
    .option('--no-chat', 'do not let them talk with each other and with you')
    .option('--no-exec', 'make nothing executable')
    .option('--no-sync', 'do not wait until everything is safely on the disk')
    .option('--listen [address]', 'wait for direct connections at [HOST:]PORT (7337 where none is given)')
    .addOption(new Option('--local', 'be found on the local network only').conflicts(['listen', 'alsoDht']))
    .option('--also-dht', 'be found over the internet too, with --listen');
  // What a setting says, the command line can take back.
  for (const name of SERVE_OPPOSITES) serve.addOption(new Option(`--${name}`).hideHelp());
  // Not said is not the same as yes, where a setting may say no.
  for (const name of ['chat', 'exec', 'sync']) serve.setOptionValue(name, undefined);
  serve.addHelpText('after', SERVE_SETTINGS_HELP);
  withOutput(withSession(serve)).action(
    finish((folder: string | undefined, flags: ServeFlags) => actions.serve(folder, flags)),
  );

  const stop = program
    .command('stop')
    .description('end what another machine shares, for all, with the password of its owner')
    .argument('<device>');
  withUse(stop).action(finish((name: string, flags: UseFlags) => actions.stop(name, flags)));

  const ls = program
    .command('ls')
    .description('list what another machine shares: xfer ls pi: or pi:docs')
    .argument('<places...>', 'DEVICE:PATH; a glob in quotes')
    .option('-l, --long', 'with permissions, bytes and times');
  withUse(ls).action(finish((places: readonly string[], flags: LsFlags) => actions.ls(places, flags)));

  const get = withConflicts(
    program
      .command('get')
      .description('fetch files and folders from what another machine shares')
      .argument('<places...>', 'DEVICE:PATH, more of them, and at last a folder of this machine')
      .option('--out <path>', 'put it into this folder, or give a single file this name')
      .option('--stdout', 'write the bytes of a single file to the standard output'),
  )
    .option('--no-exec', 'make nothing executable')
    .option('--no-sync', 'do not wait until everything is safely on the disk')
    .option('--allow-dotfiles', 'allow names that begin with a dot, and the home folder as target');
  withUse(get).action(finish((words: readonly string[], flags: GetFlags) => actions.get(words, flags)));

  const put = withFiles(
    withConflicts(
      program
        .command('put')
        .description('put files and folders into what another machine shares')
        .argument('<paths...>', 'files and folders, and at last DEVICE:PATH'),
    ),
  );
  withUse(put).action(finish((words: readonly string[], flags: PutFlags) => actions.put(words, flags)));

  const cat = program
    .command('cat')
    .description('write what a file of another machine holds to the standard output')
    .argument('<place>', 'DEVICE:PATH');
  withUse(cat).action(finish((place: string, flags: GetFlags) => actions.cat(place, flags)));

  const edit = program
    .command('edit')
    .description('edit a file of another machine with VISUAL or EDITOR, and put it back when it changed')
    .argument('<place>', 'DEVICE:PATH');
  withTalk(withFar(edit)).action(finish((place: string, flags: UseFlags) => actions.edit(place, flags)));

  const rm = program
    .command('rm')
    .description('remove files from what another machine shares')
    .argument('<places...>', 'DEVICE:PATH; a glob in quotes')
    .option('-r, --recursive', 'folders too, with all that is in them');
  withUse(rm).action(finish((places: readonly string[], flags: RmFlags) => actions.rm(places, flags)));

  const mv = program
    .command('mv')
    .description('move or rename files and folders on the machine that shares them')
    .argument('<places...>', 'DEVICE:PATH, more of them, and at last a folder or a new name there')
    .option('--overwrite', 'replace a file that exists');
  withUse(mv).action(finish((places: readonly string[], flags: MvFlags) => actions.mv(places, flags)));

  const mkdir = program
    .command('mkdir')
    .description('make folders in what another machine shares')
    .argument('<places...>', 'DEVICE:PATH');
  withUse(mkdir).action(finish((places: readonly string[], flags: UseFlags) => actions.mkdir(places, flags)));

  const run = program
    .command('run')
    .description('have an action run that another machine lists for this one; without a name list them')
    .argument('<device>')
    .argument('[name]')
    .argument('[arguments...]', 'one for each parameter of the action')
    // What looks like a flag and is none comes to the action as all other words do, which refuses it with a reason.
    .allowUnknownOption();
  withUse(run).action(
    finish((device: string, name: string | undefined, words: readonly string[], flags: RunFlags) =>
      actions.run([device, ...(name === undefined ? [] : [name]), ...words], flags),
    ),
  );

  const shell = program
    .command('shell')
    .description('work with what another machine shares at a prompt, with a menu for who wants one')
    .argument('<device>');
  withTalk(withFar(shell)).action(finish((device: string, flags: UseFlags) => actions.shell(device, flags)));
}

function withUse(command: Command): Command {
  return withOutput(withFar(command));
}

/** How to come to the machine that shares a folder. */
function withFar(command: Command): Command {
  return withSession(command)
    .option('--addr <address>', 'reach it at HOST:PORT, and nowhere else unless --also-dht')
    .option('--expire <duration>', 'look no longer than 30s, 10m, 2h or 1d for it (usually 1h)')
    .addOption(new Option('--local', 'look for it on the local network only').conflicts(['addr', 'alsoDht']))
    .option('--also-dht', 'look for it over the internet too, with --addr');
}

/** Which files go. */
function withFiles(command: Command): Command {
  return command
    .option('--follow', 'send what symbolic links point to, inside what is sent')
    .option('--exclude <glob>', 'leave out what matches; may be given again', collect)
    .option('--gitignore', 'leave out what .gitignore files name')
    .option('--portable', 'refuse names that another system could not keep')
    .option('--no-compress', 'send every byte as it is, also where it would shrink');
}

/** What to do where something exists already. */
function withConflicts(command: Command): Command {
  const policies = ['overwrite', 'update', 'rename', 'skip'];
  const others = (flag: string): string[] => policies.filter((policy) => policy !== flag);
  return command
    .addOption(new Option('--overwrite', 'replace files that exist').conflicts(others('overwrite')))
    .addOption(
      new Option('--update', 'as --overwrite, but send only what differs').conflicts(others('update')),
    )
    .addOption(new Option('--rename', 'give new names where files exist').conflicts(others('rename')))
    .addOption(new Option('--skip', 'keep files that exist').conflicts(others('skip')));
}

/** What only the side with a new code can choose, by the names that commander gives the flags. */
const NEW_CODE = ['words', 'copy', 'qr'];

/** How two sides with a code meet, and what is said of it. */
function withFinding(command: Command): Command {
  return withOutput(
    command
      .option('--words <count>', 'make a code of this many words, 2 to 16')
      .option('--expire <duration>', 'wait no longer than 30s, 10m, 2h or 1d for the other side (usually 1h)')
      .option('--copy', 'put the code into the clipboard')
      .option('--qr', 'show the code as a QR code too')
      .option('--listen [address]', 'wait for a direct connection at [HOST:]PORT (7337 where none is given)')
      .option('--connect <address>', 'connect directly to HOST:PORT')
      .addOption(
        new Option('--local', 'look for each other on the local network only').conflicts([
          'listen',
          'connect',
          'alsoDht',
        ]),
      )
      .option('--also-dht', 'look for each other over the internet too, with --listen or --connect')
      .option('--verify', 'compare six words with the other person before anything is offered'),
  );
}

function withOutput(command: Command): Command {
  return withTalk(command.option('--json', 'write events as lines of JSON, ask nothing'));
}

/** What is said to a person. */
function withTalk(command: Command): Command {
  return command
    .option('--quiet', 'say only what is asked for, and errors')
    .option('--debug', 'say more about what happens; never the code');
}

function withMeeting(command: Command): Command {
  return withSession(withFinding(command));
}

/** How a session goes on. */
function withSession(command: Command): Command {
  return command
    .option(
      '--patience <duration>',
      'look for the other side again for this long where the connection is lost (usually 10m; 0 for not at all)',
    )
    .option('--limit <rate>', 'let no more than this pass in a second, each way: 500K or 10M bytes, 80Mbit')
    .option(
      '--lanes <count>',
      'move the bytes over this many TCP connections (lanes), 0 to 8; usually as many as help',
    )
    .option(
      '--port <port>',
      'wait for lanes at this TCP port, to be opened in a firewall; not for the meeting, as --listen does',
    );
}

const SERVE_OPPOSITES = [
  ...['no-write', 'no-delete', 'no-inbox', 'no-run', 'no-allow-dotfiles', 'chat', 'exec', 'sync'],
  ...['no-listen', 'no-local', 'no-also-dht'],
];

const SERVE_SETTINGS_HELP = `
Without FOLDER the setting serve.folder is shared. What the flags from --write to
--also-dht say may be settings, too, such as xfer config set serve.write true;
--no-write then says no, --exec yes, and so on.`;

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

/** Columns where a stream does not say. */
const USUAL_WIDTH = 80;
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
