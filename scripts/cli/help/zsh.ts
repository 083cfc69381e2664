import type { Completed } from './completion.ts';
import { firstWords } from './fish.ts';
import type { Form, Option, Usage, Operand } from './usage.ts';

/** For zsh 5: as a file `_tollgate` on $fpath, or sourced. */
export function zshScript({ commands }: Completed): string {
  const names = commands.map(({ name }) => name);
  return `#compdef tollgate
# zsh completion of tollgate, made by "tollgate completion zsh"

_tollgate() {
  local curcontext="$curcontext" state line ret=1
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary.replaceAll(':', '\\:')}`)}\n`).join('')}  )
  _arguments -C '(- *)--help[what there is]' '(- *)--version[the version]' '1: :->command' '*:: :->arguments' && ret=0
  case $state in
    command) _describe -t commands 'command' commands && ret=0 ;;
    arguments)
      curcontext="\${curcontext%:*}-$words[1]:"
      case $words[1] in
${commands.map((command) => commandCase(command, names)).join('')}      esac
      ;;
  esac
  return ret
}

# autoloaded, this file is the function's body; sourced, it only says what completes tollgate
if [[ $funcstack[1] == _tollgate ]]; then
  _tollgate "$@"
else
  compdef _tollgate tollgate
fi
`;
}

function commandCase({ name, forms }: Usage, names: readonly string[]): string {
  if (forms.every(({ subcommand }) => subcommand === null))
    return `        ${name})\n          ${forms.map((form) => argumentsOf(form, names)).join('')} && ret=0\n          ;;\n`;
  const subcommands = forms.map(({ subcommand }) => subcommand).join(' ');
  return `        ${name})
          _arguments -C '(- *)--help[what it takes, with examples]' '1: :(${subcommands})' '*:: :->subcommand' && ret=0
          if [[ $state == subcommand ]]; then
            case $words[1] in
${forms.map((form) => `              ${form.subcommand}) ${argumentsOf(form, names)} && ret=0 ;;\n`).join('')}            esac
          fi
          ;;
`;
}

function argumentsOf({ options, operands }: Form, names: readonly string[]): string {
  const specs = [
    ...options.flatMap((option) => optionSpecs(option, names)),
    quoted('(- *)--help[what it takes, with examples]'),
    ...(operands.length === 0 ? [] : [quoted(`*: :${operandAction(operands, names)}`)]),
  ];
  return `_arguments ${specs.join(' ')}`;
}

/** \`*\` before an option: it may stand several times. That is the command's business, so every option may. */
function optionSpecs({ long, short, value, words }: Option, names: readonly string[]): string[] {
  const about = words === '' ? '' : `[${firstWords(words).replace(/[[\]:\\]/g, '\\$&')}]`;
  const takes = value === null ? '' : `:${messageOf(value)}:${action(value, names)}`;
  const equals = value === null ? '' : '=';
  return [
    quoted(`*${long}${equals}${about}${takes}`),
    ...(short === null ? [] : [quoted(`*${short}${about}${takes}`)]),
  ];
}

function messageOf(value: Operand): string {
  return value.kind === 'choice' ? ' ' : value.name.replaceAll(':', '\\:');
}

function operandAction(operands: readonly Operand[], names: readonly string[]): string {
  const words = operands.flatMap((operand) =>
    operand.kind === 'choice' ? operand.choices : operand.kind === 'command' ? names : [],
  );
  if (words.length > 0) return `(${words.join(' ')})`;
  return operands.some(({ kind }) => kind === 'file') ? '_files' : ' ';
}

function action(value: Operand, names: readonly string[]): string {
  switch (value.kind) {
    case 'choice':
      return `(${value.choices.join(' ')})`;
    case 'command':
      return `(${names.join(' ')})`;
    case 'file':
      return '_files';
    case 'folder':
      return '_files -/';
    case 'free':
      return ' ';
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
