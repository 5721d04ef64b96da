/** Tab completion in a shell: small scripts that ask `xfer complete` what may follow. */

export interface CommandShape {
  readonly names: readonly string[];
  readonly flags: readonly { readonly name: string; readonly takesValue: boolean }[];
  readonly parameters: readonly {
    readonly name: string;
    readonly choices: readonly string[];
    readonly repeats: boolean;
  }[];
  readonly commands: readonly CommandShape[];
}

/** Values that are not written in the command tree, by the name of a parameter or flag: codes, settings. */
export type Completers = Readonly<Record<string, (prefix: string) => readonly string[]>>;

/**
 * What the last of `words` may become; nothing where a file is expected, which shells complete themselves.
 * `words` are those of a command line behind `xfer`, of which the last may be empty.
 */
export function completions(
  words: readonly string[],
  shape: CommandShape,
  completers: Completers,
): readonly string[] {
  const current = words.at(-1) ?? '';
  const startsLikeIt = (candidate: string): boolean => candidate.startsWith(current);
  let command = shape;
  let given = 0;
  let awaiting: string | undefined;
  for (const word of words.slice(0, -1)) {
    const { flags, commands } = command;
    if (awaiting !== undefined) {
      awaiting = undefined;
    } else if (word.startsWith('-') && word !== '-') {
      awaiting = flags.find(({ name, takesValue }) => name === word && takesValue)?.name;
    } else {
      const child = given === 0 ? commands.find(({ names }) => names.includes(word)) : undefined;
      given = child === undefined ? given + 1 : 0;
      command = child ?? command;
    }
  }
  if (awaiting !== undefined) return complete(completers, awaiting.slice(2), current);
  if (current.startsWith('-')) return command.flags.map(({ name }) => name).filter(startsLikeIt);
  if (command.commands.length > 0 && given === 0) {
    return command.commands.map(({ names }) => names[0] ?? '').filter(startsLikeIt);
  }
  const last = command.parameters.at(-1);
  const parameter = command.parameters[given] ?? (last?.repeats === true ? last : undefined);
  if (parameter === undefined) return [];
  if (parameter.choices.length > 0) return parameter.choices.filter(startsLikeIt);
  return complete(completers, parameter.name, current);
}

function complete(completers: Completers, name: string, prefix: string): readonly string[] {
  return Object.hasOwn(completers, name) ? (completers[name]?.(prefix) ?? []) : [];
}

/** A candidate that ends in a dash goes on, so no space may follow it. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion of xfer: put this into ~/.local/share/bash-completion/completions/xfer
_xfer() {
  local IFS=$'\\n'
  COMPREPLY=($(xfer complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *- ]] && compopt -o nospace
  return 0
}
complete -o bashdefault -o default -F _xfer xfer
`,
  zsh: `#compdef xfer
# zsh completion of xfer: put this into a file _xfer in a folder of $fpath
_xfer() {
  local -a found
  found=(\${(f)"$(xfer complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} == 0 )); then
    _files
    return
  fi
  compadd -S '' -- \${(M)found:#*-}
  compadd -- \${found:#*-}
}
if [[ $funcstack[1] == _xfer ]]; then _xfer "$@"; else compdef _xfer xfer; fi
`,
  fish: `# fish completion of xfer: put this into ~/.config/fish/completions/xfer.fish
function __xfer_complete
    set -l words (commandline -opc)
    set -l found (xfer complete -- $words[2..-1] (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c xfer -f -a '(__xfer_complete)'
`,
};

/** The script for a shell, `undefined` for one that is not known. */
export function completionScript(shell: string): string | undefined {
  return Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
}
