import { closestMatch } from 'leven';
import { optionNames } from './usage.ts';

/** Names of earlier versions, and what they are now. */
const RENAMED: Readonly<Record<string, string>> = {
  ledger: 'rate-limit-service',
  '--ledger': '--rate-limit-service',
};
const MAX_TYPOS = 3;

/** Says that there is no such command, and which one was probably meant. */
export function unknownCommand(name: string, known: readonly string[]): string {
  return renamed(name, 'command', known) ?? `no command "${name}"${hint(name, known)}; see tollgate --help`;
}

/** Says that a command has no such option, and which of those in its usage was probably meant. */
export function unknownOption(option: string, usage: string): string {
  const known = optionNames(usage);
  return renamed(option, 'option', known) ?? `unknown option ${option}${hint(option, known)}`;
}

function renamed(word: string, kind: string, known: readonly string[]): string | null {
  const name = Object.hasOwn(RENAMED, word) ? RENAMED[word]! : null;
  return name !== null && known.includes(name) ? `the ${kind} is called ${name}` : null;
}

function hint(word: string, known: readonly string[]): string {
  const maxDistance = Math.min(MAX_TYPOS, Math.floor(squeezed(word).length / 2));
  const meant =
    known.find((name) => squeezed(name) === squeezed(word)) ??
    // two letters in the wrong order, which are two edits otherwise
    known.find((name) => lettersOf(name) === lettersOf(word)) ??
    closestMatch(word, known, { maxDistance });
  return meant === undefined ? '' : ` (did you mean ${meant}?)`;
}

/** `--rateLimitService` and `--rate-limit-service` alike. */
function squeezed(word: string): string {
  return word.replaceAll('-', '').toLowerCase();
}

function lettersOf(word: string): string {
  return [...squeezed(word)].sort().join('');
}
