const MAX_SHOWN = 200;

/** A readable length of what a client sends. */
export function inBrief(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text;
}

export function nounWith(names: readonly string[], noun: string): string {
  return `${noun}${names.length === 1 ? '' : 's'} ${listOf(names, 'and')}`;
}

export function listOf(words: readonly string[], last: 'and' | 'or'): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}
