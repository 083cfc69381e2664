import {
  CST,
  isCollection,
  isNode,
  isPair,
  isScalar,
  Lexer,
  parseDocument,
  visit,
  YAMLMap,
  YAMLSeq,
  type Document,
  type Scalar,
  type TagId,
  type Tags,
} from 'yaml';
import { stringifyString, type StringifyContext } from 'yaml/util';
import { PolicyFileError } from './error.ts';
import { PolicyProblems, readPolicy } from '../policy/index.ts';
import { readDocument, type Node } from '../policy/yaml/document.ts';
import { Lines } from '../policy/yaml/line.ts';

/** A collection in braces or brackets stays on its line up to here; longer ones become blocks. */
const MOST_COLUMNS = 120;
/** Strings that their author has folded (`>`) are folded here. */
const FOLDED_COLUMNS = 80;
/** What needs more rounds than this until formatting it changes nothing is left as it is. */
const MOST_ROUNDS = 4;

/**
 * A policy's text in the usual layout: steps of two spaces, lists indented, `{ a: 1 }` and `[a, b]`, one space before a
 * comment, one empty line where there were more. Words, quotes, numbers, order and comments stay as they are written; line
 * breaks are those of the first line. `file` is only for messages.
 *
 * The result is read again before anybody gets it: it holds the same values, and the same comments between the same words,
 * and formatting it changes nothing. Throws PolicyProblems for what cannot be read, PolicyFileError for what cannot be
 * formatted safely.
 */
export function formatPolicy(text: string, file: string): string {
  const { root, problems } = readDocument(text);
  if (root === null || problems.length > 0) throw new PolicyProblems(readPolicy(text, file));
  const mark = text.startsWith('\ufeff') ? '\ufeff' : '';
  const body = text.slice(mark.length).replace(/\r\n/g, '\n');
  const formatted = settled(body, file);
  const after = readDocument(formatted);
  if (after.problems.length > 0 || after.root === null || !isSame(root, after.root)) throw unsafe(file);
  // an escape such as "\u202e" that is undone is a character that nobody sees
  if (hiddenIn(formatted) > hiddenIn(text)) throw unsafe(file);
  refuseMovedComments(body, formatted, file);
  return mark + (/^[^\n]*\r\n/.test(text) ? formatted.replace(/\n/g, '\r\n') : formatted);
}

function unsafe(file: string): PolicyFileError {
  return new PolicyFileError(`${file}: is written in a way that cannot be formatted safely; nothing was changed`);
}

function hiddenIn(text: string): number {
  return text.match(/[^\P{C}\n\r\t]|[\p{Zl}\p{Zp}]/gu)?.length ?? 0;
}

function settled(text: string, file: string): string {
  let last = text;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const next = isJson(last) ? `${JSON.stringify(JSON.parse(last), null, 2)}\n` : yamlLayout(last, file);
    if (next === last) return next;
    last = next;
  }
  throw unsafe(file);
}

/** JSON is YAML too, and stays JSON. */
function isJson(text: string): boolean {
  if (!/^\s*[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function yamlLayout(text: string, file: string): string {
  const document = parsed(text, file);
  joinEmptyLines(document);
  visit(document, {
    Scalar: (_, node) => joinEmptyLines(node),
    Collection: (_, node, path) => {
      joinEmptyLines(node);
      if (hasCommentInFlow(node)) for (const one of [node, ...path]) if (isCollection(one)) one.flow = false;
    },
    Pair: (_, pair) => keepBesideKey(pair.key, pair.value, pair.srcToken),
  });
  return narrowed(printed(document), file);
}

/** Turns collections that make a line too long into blocks, the outermost first. */
function narrowed(text: string, file: string): string {
  let last = text;
  for (;;) {
    if (!last.split('\n').some((line) => line.length > MOST_COLUMNS)) return last;
    const document = parsed(last, file);
    const long = longLines(last);
    let isChanged = false;
    visit(document, {
      Collection: (_, node) => {
        if (node.flow !== true) return undefined;
        if (node.items.length > 0 && long(node.range![0])) {
          node.flow = false;
          isChanged = true;
        }
        return visit.SKIP;
      },
      Pair: (_, pair) => keepBesideKey(pair.key, pair.value, pair.srcToken),
    });
    if (!isChanged) return last;
    last = printed(document);
  }
}

/** Whether the line of an offset has too many columns. */
function longLines(text: string): (offset: number) => boolean {
  const lines = new Lines(text);
  const widths = text.split('\n').map((line) => line.length);
  return (offset) => widths[lines.lineOf(offset) - 1]! > MOST_COLUMNS;
}

/** One empty line is enough between two comments. */
function joinEmptyLines(commented: { comment?: string | null; commentBefore?: string | null }): void {
  for (const where of ['comment', 'commentBefore'] as const) {
    const text = commented[where];
    if (typeof text === 'string') commented[where] = text.replace(/\n{3,}/g, '\n\n');
  }
}

/** In braces and brackets comments would change places. */
function hasCommentInFlow(node: YAMLMap | YAMLSeq): boolean {
  if (node.flow !== true) return false;
  return node.items.some((item) =>
    isPair(item) ? isCommented(item.key) || isCommented(item.value) : isCommented(item),
  );
}

function isCommented(one: unknown): boolean {
  return isNode(one) && (typeof one.comment === 'string' || typeof one.commentBefore === 'string');
}

/** `plans: # who pays what` stays on its line: the parser gives such a comment to what is below. */
function keepBesideKey(key: unknown, value: unknown, token: CST.CollectionItem | undefined): void {
  if (!isScalar(key) || !isCollection(value) || value.flow === true || typeof value.commentBefore !== 'string') return;
  const separator = token?.sep ?? [];
  const comment = separator.findIndex(({ type }) => type === 'comment');
  const lineBreak = separator.findIndex(({ type }) => type === 'newline');
  if (comment < 0 || (lineBreak >= 0 && lineBreak < comment)) return;
  const [first, ...rest] = value.commentBefore.split('\n');
  key.comment = first!;
  value.commentBefore = rest.length === 0 ? null : rest.join('\n');
}

/** Every scalar is a string to it, so nothing is taken for a number, and `007` stays. */
function parsed(text: string, file: string): Document.Parsed {
  const document = parseDocument(text, {
    schema: 'failsafe',
    customTags,
    keepSourceTokens: true,
    logLevel: 'silent',
    prettyErrors: false,
    // the reader has refused names that stand twice; here every name would be held against every other
    uniqueKeys: false,
  });
  if (document.errors.length > 0) throw unsafe(file);
  return document;
}

function printed(document: Document.Parsed): string {
  return document.toString({ lineWidth: 0, indent: 2, indentSeq: true });
}

type Stringify = (node: never, context: StringifyContext, onComment?: () => void, onChompKeep?: () => void) => string;

function customTags(tags: Tags): Tags {
  const stringify: Record<string, Stringify> = { map: padded(' '), seq: padded(''), str: scalarText };
  return tags.map((tag) => {
    if (typeof tag === 'string') return tag satisfies TagId;
    return { ...tag, stringify: stringify[tag.tag.slice(tag.tag.lastIndexOf(':') + 1)] } as typeof tag;
  });
}

/** Braces have spaces inside, brackets have none. */
function padded(flowCollectionPadding: string): Stringify {
  return (node: YAMLMap | YAMLSeq, context, onComment, onChompKeep) =>
    node.toString({ ...context, flowCollectionPadding }, onComment, onChompKeep);
}

/** What stands on one line stays as it is written, with its quotes and escapes. */
const scalarText: Stringify = (node: Scalar.Parsed, context, onComment, onChompKeep) => {
  const { srcToken: token, type } = node;
  if (token !== undefined && 'source' in token && token.type !== 'block-scalar' && !/^$|\n/.test(token.source))
    return token.source;
  const lineWidth = type === 'BLOCK_FOLDED' ? FOLDED_COLUMNS : 0;
  const options = { ...context.options, lineWidth };
  return stringifyString(node, { ...context, options }, onComment, onChompKeep);
};

function isSame(one: Node, other: Node): boolean {
  if (one.kind === 'scalar')
    return other.kind === 'scalar' && one.text === other.text && one.isQuoted === other.isQuoted;
  if (one.kind === 'list')
    return (
      other.kind === 'list' &&
      one.items.length === other.items.length &&
      one.items.every((item, index) => isSame(item, other.items[index]!))
    );
  return (
    other.kind === 'mapping' &&
    one.entries.length === other.entries.length &&
    one.entries.every(({ key, value }, index) => {
      const twin = other.entries[index]!;
      return key === twin.key && isSame(value, twin.value);
    })
  );
}

interface Comment {
  readonly text: string;
  /** How many words, those of keys included, stand before it. */
  readonly words: number;
  readonly line: number;
}

function refuseMovedComments(before: string, after: string, file: string): void {
  const [old, next] = [commentsOf(before), commentsOf(after)];
  const at = old.findIndex(({ text, words }, index) => next[index]?.text !== text || next[index].words !== words);
  if (at < 0 && old.length === next.length) return;
  const line = old[at]?.line;
  throw new PolicyFileError(
    `${file}${line === undefined ? '' : `:${line}`}: the comment would move to another place; put it on a line of its own; nothing was changed`,
  );
}

function commentsOf(text: string): Comment[] {
  const comments: Comment[] = [];
  let words = 0;
  let line = 1;
  for (const source of new Lexer().lex(text)) {
    const type = CST.tokenType(source);
    if (type === 'comment') comments.push({ text: source.trimEnd(), words, line });
    // a word's source follows the token that announces it
    if (type === 'scalar' || type === 'single-quoted-scalar' || type === 'double-quoted-scalar') words++;
    line += source.split('\n').length - 1;
  }
  return comments;
}
