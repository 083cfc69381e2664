import { isIPv6 } from 'node:net';

/**
 * The form of a key that this tool issues:
 *
 *   tg_ │ id │ _ │ secret: 160 random bits, 27 base62 digits │ checksum: CRC-32 of all before it, 6 base62 digits
 *
 * 62^27 > 2^160 and 62^6 > 2^32, so both fit and every value is equally likely; the id is public.
 */
export const SECRET_DIGITS = 27;
export const CHECKSUM_DIGITS = 6;

const FORMAT = new RegExp(`^tg_(.+)_([0-9A-Za-z]{${SECRET_DIGITS}})([0-9A-Za-z]{${CHECKSUM_DIGITS}})$`);
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** `foreign` for a key that Tollgate did not issue; for one of its own, `valid` or `mistyped`. */
export function inspectKey(key: string): 'foreign' | 'valid' | 'mistyped' {
  if (!key.startsWith('tg_')) return 'foreign';
  return FORMAT.test(key) && checksumOf(key.slice(0, -CHECKSUM_DIGITS)) === key.slice(-CHECKSUM_DIGITS)
    ? 'valid'
    : 'mistyped';
}

/** The checksum over all of a key that stands before it: its last digits. */
export function checksumOf(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_DIGITS);
}

/** `value` in `width` base62 digits, most significant first; the caller makes sure that it fits. */
export function base62(value: bigint, width: number): string {
  let text = '';
  for (let rest = value, i = 0; i < width; i++, rest /= 62n) text = DIGITS[Number(rest % 62n)] + text;
  return text;
}

/** The number that base62 digits stand for, or null for other characters. */
export function fromBase62(text: string): bigint | null {
  let value = 0n;
  for (const character of text) {
    const digit = DIGITS.indexOf(character);
    if (digit < 0) return null;
    value = value * 62n + BigInt(digit);
  }
  return value;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 as in zlib (reflected polynomial 0xEDB88320). Node's own came with 20.15; this runs on every Node 20. */
export function crc32(text: string): number {
  let crc = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}

const CANDIDATE = new RegExp(`tg_[A-Za-z0-9._@-]{1,127}_[0-9A-Za-z]{${SECRET_DIGITS + CHECKSUM_DIGITS}}`, 'g');
export const LEAK_RULE = 'must not hold a key in clear text; revoke that key, and store only digests';

/** Where in a string keys of our own stand in clear text; the checksum tells them from anything else. */
export function leaksIn(text: string): number[] {
  if (!text.includes('tg_')) return [];
  return [...text.matchAll(CANDIDATE)].filter(([key]) => inspectKey(key) === 'valid').map(({ index }) => index);
}

const ISSUED = /tg_[A-Za-z0-9._@-]*[0-9A-Za-z]{16,}/g;
/** A run of characters that keys are made of. */
const WORD = /[A-Za-z0-9_\-.~+/=:%]{12,}/g;
const MIN_MIXED = 16;
const MIN_LETTERS = 28;
/** With fewer different characters than this it is not a key, however long. */
const MIN_DIFFERENT = 6;
const MIN_CHANGES = 5;

/** The text without anything that looks like a key, whether Tollgate issued it or somebody else. */
export function censor(text: string): string {
  return text.replace(ISSUED, 'tg_…').replace(WORD, (word) => (looksLikeKey(word) ? '…' : word));
}

/** The same for a field's name or a mapping's, as part of a path. */
export function censorSegment(segment: string | number): string | number {
  return typeof segment === 'string' ? censor(segment) : segment;
}

/**
 * Keys are random: letters and digits in long runs, or changing often between letter and digit or between upper and lower
 * case. Names that people choose are not. A key may look like a name by chance; for a name that looks like a key, a
 * message only lacks a word.
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

/** A place in a policy: field names and list indexes from the root. */
export type Path = readonly (string | number)[];

const PLAIN_SEGMENT = /^[A-Za-z0-9_-]+$/;
/** Fields whose values cannot be keys, wherever below `consumers` they stand. */
const HARMLESS = new Set(['plan', 'from', 'until', 'paused', 'revoked', 'api']);
const MAX_SHOWN_CHARACTERS = 60;

/** `apis.petstore.routes[0].when`; names that hold dots stand in brackets: `consumers["bob@example.com"]`. Keys are left out. */
export function printPath(path: Path): string {
  return path
    .map((segment) => printSegment(censorSegment(segment)))
    .join('')
    .replace(/^\./, '');
}

function printSegment(segment: string | number): string {
  if (typeof segment === 'number') return `[${segment}]`;
  return PLAIN_SEGMENT.test(segment) ? `.${segment}` : `[${quotedVisibly(segment)}]`;
}

/**
 * What stands at a place, for a message; nothing where it could be a key in clear text. People paste keys where digests
 * belong, invent fields for them, and put credentials into headers. `written` is how a file spells it, where there is one.
 */
export function shownAt(value: unknown, path: Path, written?: { text: string; isQuoted: boolean }): string | undefined {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  if (value === undefined || (value === null && written?.text === '')) return 'nothing';
  if (mayHoldKey(value, path)) return undefined;
  const text = written?.text ?? textOf(value);
  // quotes here would mean that it has quotes in the file
  return written?.isQuoted || typeof value === 'string' ? quote(text) : shortened(text);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'null';
}

function mayHoldKey(value: unknown, path: Path): boolean {
  const field = path.at(-1);
  if (path[0] === 'consumers') return !(typeof field === 'string' && HARMLESS.has(field)) && path[4] !== 'limits';
  if (typeof value !== 'string') return false;
  // a URL may hold a user's password
  return (
    path.includes('headers') ||
    path.slice(0, -1).includes('query') ||
    path.includes('setHeaders') ||
    field === 'url' ||
    /\/\/[^/]*@/.test(value)
  );
}

/** The string in quotes, cut to a readable length, with its control characters escaped. */
export function quote(text: string): string {
  return quotedVisibly(censor(shortened(text)));
}

function shortened(text: string): string {
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text;
}

/** Text of others among words of ours: what a terminal would obey or hide in it is escaped, all but line breaks. */
export function visibleText(text: string): string {
  return text.replace(/[^\P{C}\n]|[\p{Zl}\p{Zp}]/gu, (hidden) => `\\u{${hidden.codePointAt(0)!.toString(16)}}`);
}

/** The same for the name of a file, which stays on its line. */
export function visibleName(name: string): string {
  return visibleText(name).replaceAll('\n', '\\u{a}');
}

/** In quotes, with everything escaped that a terminal hides or obeys. */
function quotedVisibly(text: string): string {
  return JSON.stringify(text).replace(/(?! )[\p{Cc}\p{Cf}\p{Co}\p{Z}]/gu, (hidden) =>
    hidden.replace(/[^]/g, escapeCharacter),
  );
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** True for a field name that a problem may repeat: no key is this short and all letters. */
export function isSafeName(name: string): boolean {
  return /^[A-Za-z][A-Za-z_-]{0,23}$/.test(name);
}
