import { isIPv6 } from 'node:net';
import type { Node } from '../yaml/node.ts';
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
  if (mayHoldKey(node.value, path)) return undefined;
  // quotes would say that it stands in quotes
  return node.quoted || typeof node.value === 'string' ? quote(node.text) : shortened(node.text);
}

/** The text in quotes, cut to a readable length, with its control characters escaped. */
export function quote(text: string): string {
  return quotedVisibly(censor(shortened(text)));
}

/** In quotes, with everything escaped that a terminal hides or obeys. */
export function quotedVisibly(text: string): string {
  return JSON.stringify(text).replace(/(?! )[\p{Cc}\p{Cf}\p{Co}\p{Z}]/gu, (hidden) =>
    hidden.replace(/[^]/g, escapeCharacter),
  );
}

function shortened(text: string): string {
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text;
}

/** True for a field name that a problem may repeat: no key is this short and all letters. */
export function isSafeName(name: string): boolean {
  return /^[A-Za-z][A-Za-z_-]{0,23}$/.test(name);
}

/** Without anything that looks like a key: of this tool's making, or of others'. */
export function censor(text: string): string {
  return text.replace(ISSUED, 'tg_…').replace(WORD, (word) => (looksLikeKey(word) ? '…' : word));
}

/** The same for a field's name or a mapping's, as part of a path. */
export function censorSegment(segment: string | number): string | number {
  return typeof segment === 'string' ? censor(segment) : segment;
}

/** A run of characters that keys are made of. */
const WORD = /[A-Za-z0-9_\-.~+/=:%]{12,}/g;
const MIN_MIXED = 16;
const MIN_LETTERS = 28;
/** Fewer different characters than this are no key, however long. */
const MIN_DIFFERENT = 6;
const MIN_CHANGES = 5;

/**
 * Keys are random: letters and digits in long runs, or changing often between letter and digit or between large and small.
 * What people think up is not. A key may look like a name by chance; a name that looks like a key costs a message a word.
 */
function looksLikeKey(word: string): boolean {
  if (isIPv6(word)) return false;
  const ofDigits = occurrences(word, /[A-Za-z](?=\d)|\d(?=[A-Za-z])/g);
  const ofCase = occurrences(word, /[a-z](?=[A-Z])|[A-Z](?=[a-z])/g);
  if (ofDigits >= MIN_CHANGES || (ofCase >= MIN_CHANGES && ofDigits + ofCase > word.length * 0.3)) return true;
  return (word.match(/[A-Za-z0-9]+/g) ?? []).some(isRandom);
}

function isRandom(run: string): boolean {
  if (/^\d+$/.test(run) || new Set(run).size < MIN_DIFFERENT) return false;
  return run.length >= (/\d/.test(run) ? MIN_MIXED : MIN_LETTERS);
}

function occurrences(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

function mayHoldKey(value: unknown, path: Path): boolean {
  const field = path.at(-1);
  if (path[0] === 'consumers') return !(typeof field === 'string' && HARMLESS.has(field)) && path[4] !== 'limits';
  return typeof value === 'string' && (path.includes('headers') || path.includes('setHeaders') || field === 'url');
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
