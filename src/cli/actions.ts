/** Connects the command line with the commands, which are loaded when they are called. */
import { existsSync } from 'node:fs';
import type { Context } from './context.js';
import { quoteWord } from './other-side.js';
import type { Actions } from './commands/spec.js';

/** The actions of the program. The library comes with the first that needs it. */
export function lazyActions(surroundings: Omit<Context, 'library'>): Actions {
  const context = async (): Promise<Context> => ({ ...surroundings, library: await import('../index.js') });
  const refuse: Actions['refuse'] = async (sentence, hint) => {
    const { XferError } = await import('../index.js');
    throw new XferError('usage', { subject: sentence, detail: hint });
  };
  return {
    refuse,
    send: async (paths, flags) => (await import('./send.js')).runSend(paths, flags, await context()),
    receive: async (code, flags) => (await import('./receive.js')).runReceive(code, flags, await context()),
    resume: async (folders, flags) =>
      (await import('./resume.js')).runResume(folders, flags, await context()),
    chat: async (code, flags) => (await import('./chat.js')).runChat(code, flags, await context()),
    pair: async (code, flags) => (await import('./pair.js')).runPair(code, flags, await context()),
    devices: async (flags) => (await import('./devices.js')).runDevices(flags, await context()),
    renameDevice: async (name, to) => (await import('./devices.js')).runRename(name, to, await context()),
    removeDevice: async (name) => (await import('./devices.js')).runRemove(name, await context()),
    setAddress: async (name, address) =>
      (await import('./devices.js')).runAddress(name, address, await context()),
    node: async (flags) => (await import('./node.js')).runNode(flags, await context()),
    ls: async (places, flags) => (await import('./ls.js')).runLs(places, flags, await context()),
    get: async (words, flags) => (await import('./get.js')).runGet(words, flags, await context()),
    put: async (words, flags) => (await import('./put.js')).runPut(words, flags, await context()),
    cat: async (place, flags) => (await import('./get.js')).runCat(place, flags, await context()),
    rm: async (places, flags) => (await import('./far-commands.js')).runRm(places, flags, await context()),
    mv: async (places, flags) => (await import('./far-commands.js')).runMv(places, flags, await context()),
    mkdir: async (places, flags) =>
      (await import('./far-commands.js')).runMkdir(places, flags, await context()),
    run: async (words, flags) => (await import('./run.js')).runRun(words, flags, await context()),
    edit: async (place, flags) => (await import('./edit.js')).runEdit(place, flags, await context()),
    shell: async (name, flags) => (await import('./shell/shell.js')).runShell(name, flags, await context()),
    serve: async (folder, flags) => (await import('./serve.js')).runServe(folder, flags, await context()),
    stop: async (name, flags) => (await import('./stop.js')).runStop(name, flags, await context()),
    doctor: async (flags) => (await import('./doctor.js')).runDoctor(flags, await context()),
    configPath: async () => (await import('./config.js')).runConfigPath(await context()),
    configGet: async (key) => (await import('./config.js')).runConfigGet(key, await context()),
    configSet: async (key, words) => (await import('./config.js')).runConfigSet(key, words, await context()),
    completion: async (shell) => {
      const { completionScript } = await import('./completion.js');
      const script = completionScript(shell);
      if (script === undefined) {
        return refuse(`there is no completion for '${shell}'`, 'the shells are bash, zsh and fish');
      }
      surroundings.stdout.write(script);
      return 0;
    },
    complete: async (words, shape) => {
      const [{ completions }, { completeCode }, { CONFIG_KEYS }] = await Promise.all([
        import('./completion.js'),
        import('./code-input.js'),
        import('../index.js'),
      ]);
      const key = (prefix: string): string[] => CONFIG_KEYS.filter((name) => name.startsWith(prefix));
      const device = await deviceCompleter(words, await context());
      const completers = { code: completeCode, key, device, to: device };
      for (const found of completions(words, shape, completers)) {
        surroundings.stdout.write(`${found}\n`);
      }
      return 0;
    },
    misdirected: async (words) => refuse(...misdirection(words)),
  };
}

/** Completes the name of a device, where one may be meant: the list is not read for anything else. */
async function deviceCompleter(
  words: readonly string[],
  context: Context,
): Promise<(prefix: string) => readonly string[]> {
  if (!words.some((word) => ['devices', 'shell', 'stop', 'run', '--to'].includes(word))) return () => [];
  const { deviceNames } = await import('./devices.js');
  const names = await deviceNames(context);
  return (prefix) => names.filter((name) => name.toLowerCase().startsWith(prefix.toLowerCase()));
}

/** What somebody meant whose first word is no command: a sentence and a hint. */
export function misdirection(
  words: readonly string[],
  exists: (path: string) => boolean = existsSync,
): [sentence: string, hint: string] {
  const [first = ''] = words;
  const all = words.map(quoteWord).join(' ');
  if (/^\d{1,6}-\p{L}/u.test(first)) return ['what to do with the code is missing', `xfer receive ${all}`];
  if (first === '-' || exists(first)) return [`what to do with ${first} is missing`, `xfer send ${all}`];
  if (first === 'help')
    return [`there is no command 'help'`, `xfer ${[...words.slice(1), '--help'].join(' ')}`];
  return [
    `there is no command '${first}'`,
    'the commands are send, receive, chat, serve, stop, ls, get, put, cat, edit, rm, mv, mkdir, run, shell, pair, devices, resume, node, doctor, config and completion',
  ];
}
