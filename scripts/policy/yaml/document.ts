import {
  COLLECTION_STYLE,
  EVENT_ID,
  NOT_RESOLVED,
  SCALAR_STYLE,
  YAMLException,
  boolCoreTag,
  floatCoreTag,
  getScalarValue,
  intCoreTag,
  nullCoreTag,
  parseEvents,
  type AliasEvent,
  type Event,
  type MappingEvent,
  type ScalarEvent,
  type SequenceEvent,
} from 'js-yaml';
import { MAX_EXACT } from '../../contract/table.ts';
import {
  DEPTH_RULE,
  FIELD_LENGTH_RULE,
  MAX_DEPTH,
  MAX_FIELD_CHARACTERS,
  MAX_VALUES,
  PROTO_REMARK,
  VALUES_RULE,
} from '../check/draft.ts';
import { isSafeName, type Path } from '../secret.ts';

/** A YAML value with its place in the text. Offsets count UTF-16 units; `end` is exclusive and includes quotes and brackets. */
export type Node = Scalar | List | Mapping;

interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Scalar extends Span {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As it stands in the file, escapes resolved: `"2"` and `2` are both `2`. */
  readonly text: string;
  readonly isQuoted: boolean;
}

export interface List extends Span {
  readonly kind: 'list';
  readonly flow: boolean;
  readonly items: readonly Node[];
  readonly value: readonly unknown[];
}

export interface Mapping extends Span {
  readonly kind: 'mapping';
  readonly flow: boolean;
  readonly entries: readonly Entry[];
  /** The first entry of each name. */
  readonly named: ReadonlyMap<string, Entry>;
  /** The plain value. It has no prototype, so that no name of a policy means anything to JavaScript. */
  readonly value: Readonly<Record<string, unknown>>;
}

export interface Entry {
  readonly key: string;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly value: Node;
}

/** The entry of that name; the first, should a mapping hold two. */
export function entryOf(node: Node | undefined, key: string): Entry | undefined {
  return node?.kind === 'mapping' ? node.named.get(key) : undefined;
}

/** A problem of the text itself, which no plain value has. */
export interface TextProblem {
  readonly offset: number;
  readonly path: Path;
  readonly rule: string;
  readonly found?: string;
}

/** A string, read as YAML. */
export interface Document {
  /** Null when the text is not YAML at all. */
  readonly root: Node | null;
  readonly problems: readonly TextProblem[];
  /** Places of aliases, which stand for nothing here. */
  readonly aliases: ReadonlySet<Node>;
}

/** The parser's reasons that mostly have another cause, and what to say instead. */
const PLAINER = new Map([
  ['deficient indentation', 'indented too little, or a bracket or quote before it is not closed'],
  [
    'missed comma between flow collection entries',
    'a comma is missing, or a string needs quotes: one with {, }, [ or ] in it, or with @, `, %, |, > or # at its beginning',
  ],
  ['bad indentation of a mapping entry', 'indented wrongly, or a string with ": " in it that needs quotes'],
]);

/** What the parser says of lines that fit into no block above them. */
const OF_INDENTATION = new Set([
  'bad indentation of a mapping entry',
  'bad indentation of a sequence entry',
  'end of the stream or a document separator is expected',
]);

/** Reads one YAML document. A policy is data: anchors, aliases and tags are refused, so nothing can be expanded. */
export function readDocument(text: string): Document {
  const nul = text.indexOf('\0');
  if (nul >= 0) return refusal(nul, 'must not hold a NUL byte');
  const excess = excessOf(text);
  if (excess >= 0) return refusal(excess, VALUES_RULE);
  try {
    const events = parseEvents(text, { maxDepth: MAX_DEPTH });
    return events.length === 0 ? refusal(0, EMPTY_RULE) : new Composer(text, events).document();
  } catch (error) {
    if (error instanceof NameTooLong) return refusal(error.offset, FIELD_LENGTH_RULE);
    if (!(error instanceof YAMLException)) throw error;
    const offset = error.mark?.position ?? 0;
    return refusal(offset, yamlRule(error.reason, text, offset));
  }
}

export const EMPTY_RULE = 'must hold a policy; the file is empty';

/** The offset at which a string exceeds MAX_VALUES characters that can begin a value, or -1. Keeps the parser from filling the memory with objects. */
function excessOf(text: string): number {
  if (text.length <= MAX_VALUES) return -1;
  let signs = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const isSign =
      code === 0x0a ||
      code === 0x2c /* , */ ||
      code === 0x3a /* : */ ||
      code === 0x3f /* ? */ ||
      code === 0x5b /* [ */ ||
      code === 0x7b /* { */ ||
      // a dash begins an item of a list; others stand in names and times
      (code === 0x2d /* - */ && text.charCodeAt(at + 1) <= 0x20);
    if (isSign && ++signs > MAX_VALUES) return at;
  }
  return -1;
}

function refusal(offset: number, rule: string): Document {
  return { root: null, problems: [{ offset, path: [], rule }], aliases: new Set() };
}

/** The parser's reason, without the words of the file that it may quote. */
function yamlRule(reason: string, text: string, offset: number): string {
  if (reason.startsWith('nesting exceeded')) return DEPTH_RULE;
  if (reason.startsWith('tab characters')) return 'must be indented with spaces, not tabs';
  const rule = OF_INDENTATION.has(reason) ? indentRule(text, offset) : null;
  return `must be valid YAML: ${rule ?? PLAINER.get(reason) ?? reason.replace(/(: |").*$/s, '').trim()}`;
}

const TAGS = [nullCoreTag, boolCoreTag, intCoreTag, floatCoreTag];

/** What an unquoted scalar means in YAML's core schema; a time is a string. */
export function plainScalar(text: string): string | number | boolean | null {
  for (const tag of TAGS) {
    const value: unknown = tag.resolve(text, false, tag.tagName);
    if (value === NOT_RESOLVED) continue;
    if (typeof value === 'number') return exact(value, text);
    return value as boolean | null;
  }
  return text;
}

/** Numbers that lost digits become one that every bound refuses: 9007199254740993 must not pass for 9007199254740992. */
function exact(value: number, text: string): number {
  if (!(Math.abs(value) >= MAX_EXACT)) return value;
  return /^\+?\d+$/.test(text) && BigInt(text.replace('+', '')) <= BigInt(MAX_EXACT)
    ? value
    : Number.MAX_VALUE * Math.sign(value);
}

/** Ends the reading: such a name would stand in the path of everything below it. */
class NameTooLong extends Error {
  constructor(readonly offset: number) {
    super();
  }
}

/** Builds the nodes of the first document from the parser's events, which are flat and do not say where a node ends. */
class Composer {
  readonly #problems: TextProblem[] = [];
  readonly #aliases = new Set<Node>();
  readonly #lines: Lines;
  #at = 1;

  constructor(
    private readonly text: string,
    private readonly events: readonly Event[],
  ) {
    this.#lines = new Lines(text);
  }

  document(): Document {
    const root = this.#node([], 0);
    if (this.events.filter((event) => event.type === EVENT_ID.DOCUMENT).length > 1) {
      const offset = Math.min(skipTrivia(this.text, root.end), Math.max(this.text.length - 1, 0));
      this.#problems.push({ offset, path: [], rule: 'must be a single YAML document' });
    }
    return { root, problems: this.#problems, aliases: this.#aliases };
  }

  /** `from` is where an empty node stands: events do not say. */
  #node(path: Path, from: number): Node {
    const event = this.events[this.#at++] as ScalarEvent | SequenceEvent | MappingEvent | AliasEvent;
    if (event.type === EVENT_ID.ALIAS) return this.#alias(event, path);
    if (event.anchorStart >= 0) this.#refuseProperty(event.anchorStart - 1, 'anchor', path);
    if (event.tagStart >= 0) this.#refuseProperty(event.tagStart, 'tag', path);
    if (event.type === EVENT_ID.SCALAR) return this.#scalar(event, from);
    return event.type === EVENT_ID.SEQUENCE ? this.#list(event, path) : this.#mapping(event, path);
  }

  #refuseProperty(offset: number, kind: string, path: Path): void {
    const rule = `must be in quotes if it is meant as a string: at its beginning "${this.text[offset]!}" makes it a YAML ${kind}, and a policy takes none`;
    this.#problems.push({ offset, path, rule });
  }

  #alias({ anchorStart, anchorEnd }: AliasEvent, path: Path): Node {
    this.#refuseProperty(anchorStart - 1, 'alias', path);
    const span = { start: anchorStart - 1, end: anchorEnd };
    const node: Node = { kind: 'scalar', value: null, text: '', isQuoted: false, ...span };
    this.#aliases.add(node);
    return node;
  }

  #scalar(event: ScalarEvent, from: number): Scalar {
    const text = getScalarValue(this.text, event);
    const quotes = event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED ? 1 : 0;
    const isQuoted = event.style !== SCALAR_STYLE.PLAIN;
    const [start, end] = event.valueStart < 0 ? [from, from] : [event.valueStart - quotes, event.valueEnd + quotes];
    return { kind: 'scalar', value: isQuoted ? text : plainScalar(text), text, isQuoted, start, end };
  }

  #list({ style, start }: SequenceEvent, path: Path): List {
    const flow = style === COLLECTION_STYLE.FLOW;
    const items: Node[] = [];
    let end = flow ? start + 1 : start;
    while (this.events[this.#at]!.type !== EVENT_ID.POP) {
      const item = this.#node([...path, items.length], flow ? end : skipTrivia(this.text, end) + 1);
      items.push(item);
      end = item.end;
    }
    this.#at++;
    const value = items.map((item) => item.value);
    return { kind: 'list', flow, items, value, start, end: flow ? this.#closing(end) : end };
  }

  #mapping({ style, start }: MappingEvent, path: Path): Mapping {
    const flow = style === COLLECTION_STYLE.FLOW;
    // `[a: 1]` holds a flow mapping without braces.
    const braces = flow && this.text[start] === '{';
    const entries: Entry[] = [];
    const named = new Map<string, Entry>();
    const value: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    let end = braces ? start + 1 : start;
    while (this.events[this.#at]!.type !== EVENT_ID.POP) {
      const [key, keyNode] = this.#key(path, end);
      const colon = skipTrivia(this.text, keyNode.end);
      const after = this.text[colon] === ':' ? colon + 1 : keyNode.end;
      const node = this.#node([...path, key ?? ''], after);
      end = node.end;
      if (key === null) continue;
      const entry = { key, keyStart: keyNode.start, keyEnd: keyNode.end, value: node };
      entries.push(entry);
      const twin = named.get(key);
      if (twin !== undefined) {
        this.#refuseTwin(entry, twin, path);
        continue;
      }
      named.set(key, entry);
      if (key !== '__proto__') value[key] = node.value;
    }
    this.#at++;
    return { kind: 'mapping', flow, entries, named, value, start, end: braces ? this.#closing(end) : end };
  }

  /** The next key; null when it is not a string. */
  #key(path: Path, from: number): [string | null, Node] {
    const node = this.#node(path, from);
    const { start: offset } = node;
    if (node.kind !== 'scalar') {
      this.#problems.push({ offset, path, rule: 'must have strings as field names' });
      return [null, node];
    }
    if (node.text.length > MAX_FIELD_CHARACTERS) throw new NameTooLong(offset);
    if (node.text === '__proto__') this.#problems.push({ offset, path, ...PROTO_REMARK });
    return [node.text, node];
  }

  #refuseTwin({ key, keyStart: offset }: Entry, twin: Entry, path: Path): void {
    const line = this.#lines.lineOf(twin.keyStart);
    const rule = `must be given once; it stands on line ${line} already`;
    this.#problems.push({ offset, path: isSafeName(key) ? [...path, key] : path, rule });
  }

  /** End of a flow collection whose last member ends at `from`. */
  #closing(from: number): number {
    return skipTrivia(this.text, from, ',') + 1;
  }
}

/** Tells line and column (both from 1) of offsets; a line ends as YAML says, with LF, CRLF or CR. */
export class Lines {
  private readonly starts: number[];

  constructor(text: string) {
    // A byte order mark is no part of the first line.
    this.starts = [text.charCodeAt(0) === 0xfeff ? 1 : 0];
    for (const match of text.matchAll(/\r\n|\n|\r/g)) this.starts.push(match.index + match[0].length);
  }

  lineOf(offset: number): number {
    let low = 0;
    let high = this.starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }

  columnOf(offset: number): number {
    return Math.max(offset - this.starts[this.lineOf(offset) - 1]!, 0) + 1;
  }
}

/** Offset of the next character that is neither space, tab, line break, comment nor one of `also`. */
export function skipTrivia(text: string, from: number, also = ''): number {
  let at = from;
  while (at < text.length) {
    const character = text[at]!;
    if (character === '#') at = endOfLine(text, at);
    else if (' \t\r\n'.includes(character) || (also !== '' && also.includes(character))) at++;
    else break;
  }
  return at;
}

/** Offset of the line break (or end of text) that ends the line of `from`. */
export function endOfLine(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== '\n' && text[at] !== '\r') at++;
  return at;
}

/** Offset of the first character of the line of `from`. */
export function startOfLine(text: string, from: number): number {
  let at = from;
  while (at > 0 && text[at - 1] !== '\n' && text[at - 1] !== '\r') at--;
  // A byte order mark is no part of the first line.
  return at === 0 && text.charCodeAt(0) === 0xfeff ? 1 : at;
}

interface Line {
  /** From 1, as messages count. */
  readonly number: number;
  readonly column: number;
}

/**
 * What to say of a line that fits into no block above it. The mistake is mostly further up: the parser takes a line that
 * is indented wrongly for a block of its own, and complains only about the next correct line. Null where the mistake is
 * within the line.
 */
export function indentRule(text: string, offset: number): string | null {
  const lines = new Lines(text);
  const at = { number: lines.lineOf(offset), column: lines.columnOf(offset) };
  const start = startOfLine(text, offset);
  if (columnOf(text.slice(start, endOfLine(text, offset))) !== at.column) return null;
  const above = blocksAbove(text.slice(0, start), at.column);
  if (above.length === 0) return null;
  const places = above.map(({ number, column }) => `${column} (line ${number})`);
  return `begins in column ${at.column}, and blocks above it in column ${places.join(' and ')}: one of these lines is indented wrongly`;
}

/** The nearest line that begins further left, and the first line below that one: the blocks between which the next one falls. */
function blocksAbove(text: string, column: number): Line[] {
  const content = text.split(/\r\n|\n|\r/).flatMap((line, index) => {
    const column = columnOf(index === 0 ? line.replace(/^\ufeff/, '') : line);
    return column === null || line.trimStart().startsWith('#') ? [] : [{ number: index + 1, column }];
  });
  const outer = content.findLastIndex((line) => line.column < column);
  return [content[outer], content[outer + 1]].filter(
    (line): line is Line => line !== undefined && line.column !== column,
  );
}

/** Where the line's content begins; null for a blank line. */
function columnOf(line: string): number | null {
  const spaces = /^ */.exec(line)![0].length;
  return spaces === line.length ? null : spaces + 1;
}
