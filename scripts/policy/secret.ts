import type { Node } from './node.ts';
import type { Path } from './path.ts';

/** Fields whose values cannot be keys, wherever below `consumers` they stand. */
const HARMLESS = new Set(['plan', 'from', 'until', 'paused', 'revoked', 'api']);
const ISSUED = /tg_[A-Za-z0-9._@-]*[0-9A-Za-z]{16,}/g;
const MAX_SHOWN_CHARACTERS = 60;

/**
 * What stands at a place, for a problem; nothing where it could be a key in clear text. People paste keys where digests
 * belong, invent fields for them, and put credentials into headers.
 */
export function foundAt(node: Node, path: Path): string | undefined {
  if (node.kind !== 'scalar') return node.kind === 'list' ? 'a list' : 'a mapping';
  if (node.value === null && node.text === '') return 'nothing';
  return mayHoldKey(node.value, path) ? undefined : quote(node.text);
}

/** The text in quotes, cut to a readable length, with its control characters escaped. */
export function quote(text: string): string {
  const shown = text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text;
  return JSON.stringify(censor(shown)).replace(/[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, escapeCharacter);
}

/** True for a field name that a problem may repeat: no key is this short and all letters. */
export function isSafeName(name: string): boolean {
  return /^[A-Za-z][A-Za-z_-]{0,23}$/.test(name);
}

/** Without anything that looks like a key this tool issued. */
export function censor(text: string): string {
  return text.replace(ISSUED, 'tg_…');
}

function mayHoldKey(value: unknown, path: Path): boolean {
  const field = path.at(-1);
  if (path[0] === 'consumers') return !(typeof field === 'string' && HARMLESS.has(field)) && path[4] !== 'limits';
  return typeof value === 'string' && (path.includes('headers') || path.includes('setHeaders') || field === 'url');
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
