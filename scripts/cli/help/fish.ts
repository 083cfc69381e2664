import type { Completed } from './completion.ts';
import type { Form, Option, Usage, Operand } from './usage.ts';

/** For fish 3.0 and newer. */
export function fishScript({ commands }: Completed): string {
  const names = commands.map(({ name }) => name);
  return `# fish completion of tollgate, made by "tollgate completion fish"

# The words before the one that is being completed: true when the first are these.
function __tollgate_in
    set -l words (commandline -opc)[2..-1]
    test (count $words) -ge (count $argv); or return 1
    for i in (seq (count $argv))
        test $words[$i] = $argv[$i]; or return 1
    end
end

# True when they are these and no more.
function __tollgate_at
    set -l words (commandline -opc)[2..-1]
    test (count $words) -eq (count $argv); and __tollgate_in $argv
end

complete -c tollgate -f
complete -c tollgate -n __tollgate_at -l help -d 'what there is'
complete -c tollgate -n __tollgate_at -l version -d 'the version'
${commands.map(({ name, summary }) => `complete -c tollgate -n __tollgate_at -a ${name} -d ${quoted(summary)}\n`).join('')}
${commands.flatMap((command) => command.forms.map((form) => formLines(command, form, names))).join('\n')}`;
}

function formLines(command: Usage, form: Form, names: readonly string[]): string {
  const words = form.subcommand === null ? command.name : `${command.name} ${form.subcommand}`;
  const isHere = quoted(`__tollgate_in ${words}`);
  const lines =
    form.subcommand === null
      ? []
      : [`complete -c tollgate -n ${quoted(`__tollgate_at ${command.name}`)} -a ${form.subcommand}`];
  lines.push(...operandLines(form.operands, isHere, names));
  lines.push(...form.options.map((option) => optionLine(option, isHere, names)));
  lines.push(`complete -c tollgate -n ${isHere} -l help -d 'what it takes, with examples'`);
  return lines.map((line) => `${line}\n`).join('');
}

function operandLines(operands: readonly Operand[], isHere: string, names: readonly string[]): string[] {
  if (operands.some(({ kind }) => kind === 'file')) return [`complete -c tollgate -n ${isHere} -F`];
  const words = operands.flatMap((operand) => wordsOf(operand, names));
  return words.length === 0 ? [] : [`complete -c tollgate -n ${isHere} -a ${quoted(words.join(' '))}`];
}

function optionLine({ long, short, value, words }: Option, isHere: string, names: readonly string[]): string {
  const parts = [`complete -c tollgate -n ${isHere} -l ${long.slice(2)}`];
  if (short !== null) parts.push(`-s ${short.slice(1)}`);
  if (value !== null) parts.push(takes(value, names));
  if (words !== '') parts.push(`-d ${quoted(firstWords(words))}`);
  return parts.join(' ');
}

function takes(value: Operand, names: readonly string[]): string {
  if (value.kind === 'file') return '-r -F';
  if (value.kind === 'folder') return "-x -a '(__fish_complete_directories)'";
  const words = wordsOf(value, names);
  return words.length === 0 ? '-x' : `-x -a ${quoted(words.join(' '))}`;
}

function wordsOf(value: Operand, names: readonly string[]): readonly string[] {
  if (value.kind === 'choice') return value.choices;
  return value.kind === 'command' ? names : [];
}

const LONGEST_WORDS = 70;

/** What fits beside an option on a screen, whole words of it. */
export function firstWords(text: string): string {
  if (text.length <= LONGEST_WORDS) return text;
  const cut = text.slice(0, LONGEST_WORDS);
  return `${cut.slice(0, cut.lastIndexOf(' ')).replace(/[,;:.]$/, '')} …`;
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
