import { isIPv6 } from 'node:net';
import { inspectKey } from '../contract/issuedKey.ts';

/** Something a policy may not be, or (as a warning) something its author hardly meant, with its place in a file. */
export interface Problem {
  readonly file: string;
  /** From 1; 0 for a problem of the file as a whole. */
  readonly line: number;
  readonly column: number;
  /** Where in the policy, e.g. `apis.petstore.routes[0].when.path`; empty for the document. */
  readonly path: string;
  /** What must hold. */
  readonly rule: string;
  /** What stands there instead, ready to print; absent where it says nothing new or could be a key. */
  readonly found?: string;
}

/** The problems of a policy: the first of them, and how many there are beyond them. */
export interface ProblemList {
  readonly problems: readonly Problem[];
  readonly more: number;
  /** False: there may be yet more, in lists too long to look at every item. */
  readonly isCounted: boolean;
}

/**
 * A policy that is refused, or a file that holds none. Its message is all lines to print, without the last line break; only
 * the command line prints it. The one error with which policies are refused.
 */
export class PolicyProblems extends Error implements ProblemList {
  override readonly name = 'PolicyProblems';
  readonly problems: readonly Problem[];
  readonly more: number;
  readonly isCounted: boolean;

  constructor({ problems, more, isCounted }: ProblemList) {
    super(printProblems({ problems, more, isCounted }));
    this.problems = problems;
    this.more = more;
    this.isCounted = isCounted;
  }
}

/** The error for what could not even be read: one problem of the file as a whole. */
export function unusable(file: string, rule: string, line = 0): PolicyProblems {
  return new PolicyProblems({ problems: [{ file, line, column: 0, path: '', rule }], more: 0, isCounted: true });
}

/** `file:line: path: rule; found "x"`, or `file:line:column: rule` where no path tells the place; a warning says so after the line. */
export function printProblem(problem: Problem, kind: 'problem' | 'warning' = 'problem'): string {
  const column = problem.path === '' && problem.column > 0 ? `:${problem.column}` : '';
  const place = problem.line > 0 ? `${problem.file}:${problem.line}${column}: ` : `${problem.file}: `;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  const found = problem.found === undefined ? '' : `; found ${problem.found}`;
  return place + (kind === 'warning' ? 'warning: ' : '') + path + problem.rule + found;
}

/** All lines of a refusal, and how many problems it does not list. */
export function printProblems({ problems, more, isCounted }: ProblemList): string {
  return [...problems.map((problem) => printProblem(problem)), ...rest(problems, more, 'problem', isCounted)].join(
    '\n',
  );
}

/** A line for each warning, and one for those that are not listed. */
export function printWarnings({
  warnings,
  moreWarnings,
}: {
  readonly warnings: readonly Problem[];
  readonly moreWarnings: number;
}): string[] {
  return [...warnings.map((warning) => printProblem(warning, 'warning')), ...rest(warnings, moreWarnings, 'warning')];
}

/** `FILE: and 299,900 more problems`, where there are more than are listed. */
function rest(listed: readonly Problem[], more: number, noun: 'problem' | 'warning', isCounted = true): string[] {
  if (more === 0) return [];
  const number = String(more).replace(/\B(?=(?:\d{3})+$)/g, ',');
  return [`${listed[0]!.file}: and ${isCounted ? '' : 'at least '}${number} more ${noun}${more === 1 ? '' : 's'}`];
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
  // quotes would say that it stands in quotes
  return written?.isQuoted || typeof value === 'string' ? quote(text) : shortened(text);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'null';
}

function mayHoldKey(value: unknown, path: Path): boolean {
  const field = path.at(-1);
  if (path[0] === 'consumers') return !(typeof field === 'string' && HARMLESS.has(field)) && path[4] !== 'limits';
  return typeof value === 'string' && (path.includes('headers') || path.includes('setHeaders') || field === 'url');
}

/** The string in quotes, cut to a readable length, with its control characters escaped. */
export function quote(text: string): string {
  return quotedVisibly(censor(shortened(text)));
}

function shortened(text: string): string {
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text;
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

const CANDIDATE = /tg_[A-Za-z0-9._@-]{1,127}_[0-9A-Za-z]{33}/g;
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
/** Fewer different characters than this are no key, however long. */
const MIN_DIFFERENT = 6;
const MIN_CHANGES = 5;

/** Without anything that looks like a key: of this tool's making, or of others'. */
export function censor(text: string): string {
  return text.replace(ISSUED, 'tg_…').replace(WORD, (word) => (looksLikeKey(word) ? '…' : word));
}

/** The same for a field's name or a mapping's, as part of a path. */
export function censorSegment(segment: string | number): string | number {
  return typeof segment === 'string' ? censor(segment) : segment;
}

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
