import type { Completed } from './completion.ts';
import type { Form, Usage, Operand } from './usage.ts';

/** For bash 3.2 (macOS) and newer, with or without the package bash-completion. */
export function bashScript({ commands }: Completed): string {
  const names = commands.map(({ name }) => name);
  const split = commands.filter(hasSubcommands);
  return `# bash completion of tollgate, made by "tollgate completion bash"
# bash 3.2 has no mapfile
# shellcheck disable=SC2207

_tollgate_words() {
  local IFS=$' \\n'
  COMPREPLY=($(compgen -W "$1" -- "$2"))
}

# What bash does by itself where a completion says nothing: files.
_tollgate_files() {
  COMPREPLY=()
}

_tollgate_folders() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -d -- "$1"))
  compopt -o filenames 2>/dev/null
}

_tollgate_nothing() {
  COMPREPLY=()
  compopt +o default +o bashdefault 2>/dev/null
}

_tollgate() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  # --option=value comes as three words
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = && $COMP_CWORD -gt 2 ]]; then
    prev="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  if ((COMP_CWORD == 1)); then
    if [[ $cur == -* ]]; then _tollgate_words '--help --version' "$cur"; else _tollgate_words '${names.join(' ')}' "$cur"; fi
    return
  fi
  local form="\${COMP_WORDS[1]}"
${split
  .map(
    ({ name, forms }) => `  if [[ $form == ${name} ]]; then
    if ((COMP_CWORD == 2)); then
      _tollgate_words '${[...forms.map(({ subcommand }) => subcommand), '--help'].join(' ')}' "$cur"
      return
    fi
    form="${name} \${COMP_WORDS[2]}"
  fi
`,
  )
  .join('')}  case "$form $prev" in
${commands.flatMap((command) => command.forms.flatMap((form) => valueCases(command, form, names))).join('')}  esac
  case "$form" in
${commands.flatMap((command) => command.forms.map((form) => formCase(command, form, names))).join('')}    *) _tollgate_nothing ;;
  esac
}

complete -o bashdefault -o default -F _tollgate tollgate
`;
}

function hasSubcommands({ forms }: Usage): boolean {
  return forms.some(({ subcommand }) => subcommand !== null);
}

function nameOf({ name }: Usage, { subcommand }: Form): string {
  return subcommand === null ? name : `${name} ${subcommand}`;
}

function valueCases(command: Usage, form: Form, names: readonly string[]): string[] {
  return form.options.flatMap(({ long, short, value }) => {
    if (value === null) return [];
    const patterns = [long, ...(short === null ? [] : [short])].map((option) => `'${nameOf(command, form)} ${option}'`);
    return [`    ${patterns.join(' | ')})\n      ${action([value], names)}\n      return\n      ;;\n`];
  });
}

function formCase(command: Usage, form: Form, names: readonly string[]): string {
  const options = [...form.options.map(({ long }) => long), '--help'].join(' ');
  return `    '${nameOf(command, form)}')
      if [[ $cur == -* ]]; then _tollgate_words '${options}' "$cur"; else ${action(form.operands, names)}; fi
      ;;
`;
}

function action(values: readonly Operand[], names: readonly string[]): string {
  const words = values.flatMap((value) =>
    value.kind === 'choice' ? value.choices : value.kind === 'command' ? names : [],
  );
  if (words.length > 0) return `_tollgate_words '${words.join(' ')}' "$cur"`;
  if (values.some(({ kind }) => kind === 'file')) return '_tollgate_files';
  if (values.some(({ kind }) => kind === 'folder')) return '_tollgate_folders "$cur"';
  return '_tollgate_nothing';
}
